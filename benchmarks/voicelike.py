"""Sounds that are like a voice but have no words, which are hard for a voice detector.

Animal voices, singing instruments, hummed tunes, choirs, and murmur too dense for words.
"""

from collections.abc import Callable

import numpy as np

from benchmarks.synth import (
    Rng,
    Sound,
    add,
    band,
    decay,
    harmonics,
    length,
    mixed,
    noise,
    peaked,
    resonance,
    swell,
    times,
    tone,
    wander,
)

_OPEN = ((730, 90), (1090, 110), (2440, 160))  # resonances of "ah" and their widths
_CLOSED = ((280, 60), (900, 200), (2200, 300))  # of a hum


def _throat(source: Sound, formants: tuple[tuple[int, int], ...], size: float = 1.0) -> Sound:
    """Filters a sound through the resonances of a throat; a smaller throat sounds higher."""
    weights = (1.0, 0.6, 0.3)
    return mixed(
        gain * resonance(source, centre * size, width * size)
        for gain, (centre, width) in zip(weights, formants, strict=True)
    )


def _folds(hz: Sound | float, seconds: float) -> Sound:
    """Vocal folds: a buzz whose overtones fall as 1/n."""
    return harmonics(hz, seconds, [1 / number for number in range(1, 40)])


def _sung(rng: Rng, hz: float, seconds: float, formants: tuple[tuple[int, int], ...]) -> Sound:
    at = times(seconds)
    vibrato = 1 + 0.008 * np.sin(2 * np.pi * rng.uniform(4.5, 6) * at) * np.clip(at / 0.5, 0, 1)
    size = rng.uniform(0.9, 1.15)
    return _throat(_folds(hz * vibrato, seconds), formants, size) * swell(seconds, 0.15, 0.2)


def _tune(
    rng: Rng, seconds: float, note: Callable[[float, float], Sound], *, low_hz: float
) -> Sound:
    out = np.zeros(length(seconds))
    at_s, step = 0.0, 0
    while at_s < seconds:
        long_s = float(rng.choice([0.3, 0.45, 0.6, 0.9, 1.2]))
        hz = low_hz * 2 ** ((0, 2, 4, 5, 7, 9, 11, 12)[step] / 12)
        if rng.random() > 0.1:
            add(out, at_s, note(hz, long_s * 0.93))
        step = int(np.clip(step + rng.integers(-2, 3), 0, 7))
        at_s += long_s
    return out


def humming(rng: Rng, seconds: float) -> Sound:
    """A tune with a closed mouth."""
    return _tune(rng, seconds, lambda hz, s: _sung(rng, hz, s, _CLOSED), low_hz=125)


def choir(rng: Rng, seconds: float) -> Sound:
    """Chords on one vowel."""
    out = np.zeros(length(seconds))
    for number, at_s in enumerate(np.arange(0, seconds, 3.0)):
        root = (131, 175, 196, 147)[number % 4]
        for ratio in (1, 1.26, 1.5, 2):
            for _ in range(2):
                hz = root * ratio * rng.uniform(0.995, 1.005)
                add(out, at_s, _sung(rng, hz, 3.2, _OPEN))
    return out


def lone_vowel(rng: Rng, seconds: float) -> Sound:
    """One vowel held as long as the breath lasts, as in a microphone test."""
    out = 0.002 * noise(rng, seconds, 1)
    for at_s in np.arange(0.5, seconds, 6.0):
        long_s = rng.uniform(3, 5)
        hz = 120 + 6 * wander(rng, long_s, 3)
        add(out, at_s, _throat(_folds(hz, long_s), _OPEN) * swell(long_s, 0.2, 0.4))
    return out


def kazoo(rng: Rng, seconds: float) -> Sound:
    def note(hz: float, long_s: float) -> Sound:
        buzz = np.clip(4 * _folds(hz, long_s), -1, 1)
        return (resonance(buzz, 1000, 300) + 0.3 * buzz) * swell(long_s, 0.03, 0.05)

    return _tune(rng, seconds, note, low_hz=196)


def saxophone(rng: Rng, seconds: float) -> Sound:
    def note(hz: float, long_s: float) -> Sound:
        bend = 1 - 0.06 * decay(long_s, 0.05)
        reed = _folds(hz * bend, long_s) + 0.05 * noise(rng, long_s)
        body = resonance(reed, 600, 250) + 0.7 * resonance(reed, 1500, 350)
        return body * swell(long_s, 0.04, 0.12)

    return _tune(rng, seconds, note, low_hz=147)


def wah_trumpet(rng: Rng, seconds: float) -> Sound:
    """A mute that moves in front of the bell, opening and closing it like a mouth."""

    def note(hz: float, long_s: float) -> Sound:
        tube = harmonics(hz, long_s, [0.9**number for number in range(1, 25)])
        closed, opened = resonance(tube, 500, 150), resonance(tube, 1600, 300)
        share = np.sin(np.pi * times(long_s) / long_s) ** 2
        return ((1 - share) * closed + share * opened) * swell(long_s, 0.03, 0.06)

    return _tune(rng, seconds, note, low_hz=220)


def wah_guitar(rng: Rng, seconds: float) -> Sound:
    out = np.zeros(length(seconds))
    for number, at_s in enumerate(np.arange(0, seconds, 0.28)):
        hz = (110, 110, 131, 147)[(number // 8) % 4] * (1, 2, 1.5, 2)[number % 4]
        string = _folds(hz, 0.4) * decay(0.4, 0.1, 0.003)
        add(out, at_s, resonance(string, rng.uniform(500, 1900), 180))
    return out


def whistling(rng: Rng, seconds: float) -> Sound:
    def note(hz: float, long_s: float) -> Sound:
        vibrato = 1 + 0.01 * tone(5.5, long_s)
        breath = band(noise(rng, long_s), hz * 0.8, hz * 1.6)
        return (tone(hz * vibrato, long_s) + 0.1 * breath) * swell(long_s, 0.04, 0.06)

    return _tune(rng, seconds, note, low_hz=880)


def didgeridoo(rng: Rng, seconds: float) -> Sound:
    drone = _folds(68 + 2 * wander(rng, seconds, 2), seconds)
    share = 0.5 + 0.5 * tone(2.2, seconds)
    low, high = resonance(drone, 400, 100), resonance(drone, 1300, 200)
    return share * low + (1 - share) * high


def _calls(
    rng: Rng, seconds: float, every_s: float, call: Callable[[], Sound], *, floor: float = 0.003
) -> Sound:
    out = floor * noise(rng, seconds, 1)
    at_s = every_s * rng.random()
    while at_s < seconds:
        add(out, at_s, peaked(call()), rng.uniform(0.5, 1))
        at_s += every_s * rng.uniform(0.6, 1.5)
    return out


def _glide(*points_hz: float, seconds: float) -> Sound:
    at = np.linspace(0, len(points_hz) - 1, length(seconds))
    return np.interp(at, np.arange(len(points_hz)), points_hz)


def cat(rng: Rng, seconds: float) -> Sound:
    def call() -> Sound:
        long_s = rng.uniform(0.5, 1.0)
        top = rng.uniform(600, 800)
        buzz = _folds(_glide(0.7 * top, top, top, 0.65 * top, seconds=long_s), long_s)
        share = np.sin(np.pi * times(long_s) / long_s)
        open_, shut = _throat(buzz, _OPEN, 1.6), _throat(buzz, _CLOSED, 1.6)
        return (share * open_ + (1 - share) * shut) * swell(long_s, 0.1, 0.2)

    return _calls(rng, seconds, 2.2, call)


def cow(rng: Rng, seconds: float) -> Sound:
    def call() -> Sound:
        long_s = rng.uniform(1.2, 2.2)
        buzz = _folds(_glide(90, 150, 160, 120, seconds=long_s), long_s)
        return _throat(buzz, _CLOSED, 0.8) * swell(long_s, 0.3, 0.4)

    return _calls(rng, seconds, 4.0, call)


def goat(rng: Rng, seconds: float) -> Sound:
    def call() -> Sound:
        long_s = rng.uniform(0.7, 1.3)
        shaken = 260 * (1 + 0.05 * tone(9, long_s))
        trembling = 0.6 + 0.4 * tone(9, long_s)
        return _throat(_folds(shaken, long_s), _OPEN, 1.2) * trembling * swell(long_s, 0.08, 0.2)

    return _calls(rng, seconds, 2.5, call)


def baby(rng: Rng, seconds: float) -> Sound:
    """Crying: long calls that rise and fall, with breaths between."""

    def call() -> Sound:
        long_s = rng.uniform(0.8, 1.4)
        top = rng.uniform(430, 560)
        buzz = _folds(_glide(0.8 * top, top, 0.95 * top, 0.7 * top, seconds=long_s), long_s)
        rough = buzz * (1 + 0.3 * noise(rng, long_s, 1))
        return _throat(rough, _OPEN, 1.5) * swell(long_s, 0.12, 0.25)

    return _calls(rng, seconds, 1.7, call)


def seal(rng: Rng, seconds: float) -> Sound:
    def call() -> Sound:
        long_s = rng.uniform(0.3, 0.5)
        buzz = _folds(_glide(160, 220, 180, seconds=long_s), long_s)
        rough = buzz + 0.4 * noise(rng, long_s)
        return _throat(rough, _OPEN, 0.9) * swell(long_s, 0.04, 0.15)

    return _calls(rng, seconds, 0.9, call)


def growling(rng: Rng, seconds: float) -> Sound:
    buzz = _folds(55 + 25 * wander(rng, seconds, 3), seconds) + 0.6 * noise(rng, seconds, 1)
    return _throat(buzz, _CLOSED, 1.2) * (0.2 + wander(rng, seconds, 0.8))


def murmur(rng: Rng, seconds: float) -> Sound:
    """A hall with too many people to make out words: two dozen throats that open and close."""
    out = np.zeros(length(seconds))
    for _ in range(24):
        hz = rng.uniform(90, 240) * (0.9 + 0.25 * wander(rng, seconds, 2.5))
        throat = _throat(_folds(hz, seconds), (_OPEN, _CLOSED)[rng.integers(2)])
        talking = np.clip(wander(rng, seconds, 5) * 1.6 - 0.4, 0, 1)
        out += peaked(throat) * talking * rng.uniform(0.2, 1)
    return out


def syllables_of_noise(rng: Rng, seconds: float) -> Sound:
    """Noise in the rhythm of speech, four bursts a second."""
    beats = np.clip(wander(rng, seconds, 8) * 2 - 0.6, 0, 1)
    hiss, roar = band(noise(rng, seconds), 2000, 6500), resonance(noise(rng, seconds), 600, 250)
    share = wander(rng, seconds, 4)
    return beats * (share * peaked(hiss) * 0.4 + (1 - share) * peaked(roar))


def scratching(rng: Rng, seconds: float) -> Sound:
    """A record moved back and forth under its needle."""
    speed = np.abs(np.sin(2 * np.pi * 2.1 * times(seconds))) * (0.4 + wander(rng, seconds, 3))
    buzz = harmonics(60 + 900 * speed, seconds, [1 / number for number in range(1, 20)])
    return _throat(buzz, _OPEN) * np.clip(speed * 3, 0, 1)


SOUNDS: tuple[Callable[[Rng, float], Sound], ...] = (
    humming,
    choir,
    lone_vowel,
    kazoo,
    saxophone,
    wah_trumpet,
    wah_guitar,
    whistling,
    didgeridoo,
    cat,
    cow,
    goat,
    baby,
    seal,
    growling,
    murmur,
    syllables_of_noise,
    scratching,
)
