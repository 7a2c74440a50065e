"""Electric sounds: hum, tones of telephones, modems and alarms, and faulty lines."""

from collections.abc import Callable

import numpy as np

from benchmarks.synth import (
    RATE_HZ,
    Rng,
    Sound,
    add,
    band,
    decay,
    harmonics,
    length,
    noise,
    peaked,
    swell,
    times,
    tone,
    wander,
)

_KEYS_HZ = [(low, high) for low in (697, 770, 852, 941) for high in (1209, 1336, 1477)]


def one_bit(rng: Rng, seconds: float) -> Sound:
    """Random changes of a converter's lowest bit."""
    return rng.choice([-1, 0, 0, 1], length(seconds)) / 32767


def dc_offset(rng: Rng, seconds: float, *, offset: float) -> Sound:
    return offset + 0.001 * noise(rng, seconds)


def clipped_noise(rng: Rng, seconds: float) -> Sound:
    return np.clip(6 * noise(rng, seconds, 1), -1, 1)


def hum(rng: Rng, seconds: float, *, hz: float) -> Sound:
    """Mains hum with overtones, the odd ones louder."""
    weights = [1 / number if number % 2 else 0.4 / number for number in range(1, 20)]
    return harmonics(hz, seconds, weights) + 0.02 * noise(rng, seconds, 1)


def _cadence(sound: Sound, *pattern_s: float) -> Sound:
    """Switches the sound on and off in turn, on first."""
    on = np.zeros(len(sound))
    at = 0
    while at < len(sound):
        for number, long_s in enumerate(pattern_s):
            on[at : at + length(long_s)] = 1 - number % 2
            at += length(long_s)
    return sound * on


def _pair(low_hz: float, high_hz: float, seconds: float) -> Sound:
    return tone(low_hz, seconds) + tone(high_hz, seconds)


def dial_tone(_rng: Rng, seconds: float) -> Sound:
    return _pair(350, 440, seconds)


def european_dial_tone(_rng: Rng, seconds: float) -> Sound:
    return tone(425, seconds)


def ringback(_rng: Rng, seconds: float) -> Sound:
    return _cadence(_pair(440, 480, seconds), 2, 4)


def british_ringback(_rng: Rng, seconds: float) -> Sound:
    return _cadence(_pair(400, 450, seconds), 0.4, 0.2, 0.4, 2.0)


def busy_tone(_rng: Rng, seconds: float) -> Sound:
    return _cadence(_pair(480, 620, seconds), 0.5, 0.5)


def no_such_number(_rng: Rng, seconds: float) -> Sound:
    """Three rising tones, repeated."""
    out = np.zeros(length(seconds))
    for at_s in np.arange(0, seconds, 2.5):
        for number, hz in enumerate((950, 1400, 1800)):
            add(out, at_s + number / 3, tone(hz, 0.33))
    return out


def dialling(rng: Rng, seconds: float) -> Sound:
    """Telephone keys (DTMF)."""
    out = np.zeros(length(seconds))
    for at_s in np.arange(0.2, seconds, 0.32):
        add(out, at_s, _pair(*_KEYS_HZ[rng.integers(12)], 0.16))
    return out


def modem(rng: Rng, seconds: float) -> Sound:
    """An answer tone, then two modems that exchange tones and noise."""
    bits = np.repeat(rng.integers(0, 2, int(seconds * 300) + 1), RATE_HZ // 300)
    bits = np.resize(bits, length(seconds))
    keyed = tone(np.where(bits, 1270.0, 1070.0), seconds)
    carrier = band(noise(rng, seconds), 600, 3000)
    share = (times(seconds) > seconds * 0.6).astype(float)
    out = (1 - share) * keyed + share * peaked(carrier)
    out[: length(2)] = tone(2100, 2)
    return out


def fax(_rng: Rng, seconds: float) -> Sound:
    """The call tone of a fax machine."""
    return _cadence(tone(1100, seconds), 0.5, 3.0)


def siren(_rng: Rng, seconds: float) -> Sound:
    slide = 900 + 500 * np.sin(2 * np.pi * 0.25 * times(seconds))
    return harmonics(slide, seconds, [1, 0.3, 0.4, 0.1, 0.2])


def two_tone_siren(_rng: Rng, seconds: float) -> Sound:
    hz = np.where(times(seconds) % 1.2 < 0.6, 440.0, 585.0)
    return harmonics(hz, seconds, [1, 0.5, 0.4, 0.3, 0.2, 0.1])


def alarm_beeps(_rng: Rng, seconds: float) -> Sound:
    beeping = harmonics(2050, seconds, [1, 0, 0.3])
    return _cadence(beeping, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.7)


def smoke_alarm(_rng: Rng, seconds: float) -> Sound:
    return _cadence(harmonics(3100, seconds, [1, 0.4]), 0.5, 0.5, 0.5, 0.5, 0.5, 1.5)


def door_bell(_rng: Rng, seconds: float) -> Sound:
    out = np.zeros(length(seconds))
    for at_s in np.arange(0.5, seconds, 4):
        add(out, at_s, tone(659, 1.5) * decay(1.5, 0.3))
        add(out, at_s + 0.6, tone(523, 2.0) * decay(2.0, 0.4))
    return out


def church_bell(rng: Rng, seconds: float) -> Sound:
    out = np.zeros(length(seconds))
    for at_s in np.arange(0.3, seconds, 2.2):
        for ratio in (0.5, 1, 1.19, 1.5, 2, 2.51, 3.01, 4.1):
            ring = tone(220 * ratio, 4.0) * decay(4.0, 1.0 / ratio)
            add(out, at_s, ring, rng.uniform(0.3, 0.8) / ratio**0.5)
    return out


def old_telephone(_rng: Rng, seconds: float) -> Sound:
    hammer = 0.5 + 0.5 * np.sign(tone(20, seconds))
    return _cadence(_pair(1080, 1370, seconds) * hammer, 2, 3)


def ring_tone(rng: Rng, seconds: float) -> Sound:
    """The ring tone of a mobile phone: quick notes, repeated."""
    notes = [float(rng.choice([988, 1175, 1319, 1480, 1760, 1976])) for _ in range(10)]
    out = np.zeros(length(seconds))
    for number, at_s in enumerate(np.arange(0, seconds, 0.13)):
        if number % 16 < 10:
            add(
                out,
                at_s,
                harmonics(notes[number % 16], 0.12, [1, 0, 0.3]) * swell(0.12, 0.01, 0.03),
            )
    return out


def clock(rng: Rng, seconds: float) -> Sound:
    out = 0.001 * noise(rng, seconds, 1)
    for number, at_s in enumerate(np.arange(0.1, seconds, 0.5)):
        tick = band(noise(rng, 0.03), 1500 + 800 * (number % 2), 7000) * decay(0.03, 0.003)
        add(out, at_s, peaked(tick))
    return out


def reversing_lorry(rng: Rng, seconds: float) -> Sound:
    rumble = 0.2 * band(noise(rng, seconds, 2), 30, 400)
    return _cadence(tone(1250, seconds), 0.5, 0.5) + rumble


def feedback(rng: Rng, seconds: float) -> Sound:
    """A microphone that picks up its own loudspeaker."""
    howl = tone(1850 + 30 * wander(rng, seconds, 0.5), seconds)
    return howl * wander(rng, seconds, 0.7) ** 3 + 0.02 * noise(rng, seconds, 1)


def crackling_line(rng: Rng, seconds: float) -> Sound:
    out = 0.05 * noise(rng, seconds, 1)
    for _ in range(int(12 * seconds)):
        pop = band(noise(rng, 0.01), 300, 3400) * decay(0.01, 0.001)
        add(out, float(rng.random()) * seconds, pop, float(rng.exponential(0.5)))
    return out


def dropouts(rng: Rng, seconds: float) -> Sound:
    """Line noise with lost packets."""
    there = np.repeat(rng.random(int(seconds * 50) + 1) > 0.3, length(0.02))[: length(seconds)]
    return band(noise(rng, seconds, 1), 300, 3400) * there


def sweep(_rng: Rng, seconds: float) -> Sound:
    return tone(np.geomspace(50, 7500, length(seconds)), seconds)


TONES: tuple[Callable[[Rng, float], Sound], ...] = (
    dial_tone,
    european_dial_tone,
    ringback,
    british_ringback,
    busy_tone,
    no_such_number,
    dialling,
    modem,
    fax,
    siren,
    two_tone_siren,
    alarm_beeps,
    smoke_alarm,
    door_bell,
    church_bell,
    old_telephone,
    ring_tone,
    clock,
    reversing_lorry,
    feedback,
)
