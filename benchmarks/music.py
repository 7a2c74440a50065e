"""Generated hold music: pads, arpeggios, melodies, strings, drums, in several keys."""

from collections.abc import Callable, Iterator
from functools import partial

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

Instrument = Callable[[Rng, float, float], Sound]
"""Plays a note with a frequency in Hz and a length in seconds."""

_MAJOR = (0, 2, 4, 5, 7, 9, 11)
_MINOR = (0, 2, 3, 5, 7, 8, 10)
_PENTATONIC = (0, 2, 4, 7, 9)
_CHORDS = {"pop": (0, 4, 5, 3), "jazz": (1, 4, 0, 5), "calm": (0, 3, 0, 4), "sad": (5, 3, 0, 4)}


def plucked(_rng: Rng, hz: float, seconds: float) -> Sound:
    """A plucked string: high overtones fade first."""
    sound = np.zeros(length(seconds))
    for number in range(1, 16):
        if number * hz < 7000:
            sound += decay(seconds, 0.5 / number) * tone(number * hz, seconds) / number
    return sound


def square(_rng: Rng, hz: float, seconds: float) -> Sound:
    weights = [1 / number if number % 2 else 0.0 for number in range(1, 24)]
    return harmonics(hz, seconds, weights) * swell(seconds, 0.005, 0.04)


def organ(_rng: Rng, hz: float, seconds: float) -> Sound:
    return harmonics(hz, seconds, [1, 0.8, 0.6, 0.4, 0, 0.3, 0, 0.2]) * swell(seconds, 0.02, 0.05)


def strings(rng: Rng, hz: float, seconds: float) -> Sound:
    """A bowed line with vibrato, and a resonating body like that of a violin."""
    at = times(seconds)
    deep = np.clip(at / 0.3, 0, 1) * 0.012
    vibrato = 1 + deep * np.sin(2 * np.pi * rng.uniform(4.8, 6.2) * at)
    bowed = harmonics(hz * vibrato, seconds, [1 / number for number in range(1, 30)])
    body = 0.4 * bowed + resonance(bowed, 480, 90) + 0.8 * resonance(bowed, 2600, 400)
    return body * swell(seconds, 0.12, 0.15)


def flute(rng: Rng, hz: float, seconds: float) -> Sound:
    vibrato = 1 + 0.006 * np.sin(2 * np.pi * 5 * times(seconds))
    breath = band(noise(rng, seconds), hz * 0.9, min(hz * 3, 7000))
    pure = harmonics(hz * vibrato, seconds, [1, 0.35, 0.12, 0.05])
    return (pure + 0.08 * peaked(breath)) * swell(seconds, 0.06, 0.08)


def brass(_rng: Rng, hz: float, seconds: float) -> Sound:
    """Overtones that start after the note itself, as with a trumpet."""
    at = times(seconds)
    sound = np.zeros(length(seconds))
    for number in range(1, 18):
        if number * hz < 7000:
            late = np.clip(at / (0.02 + 0.006 * number), 0, 1)
            sound += late * tone(number * hz, seconds) * 0.85**number
    return sound * swell(seconds, 0.02, 0.08)


def music_box(_rng: Rng, hz: float, seconds: float) -> Sound:
    partials = ((1.0, 1.0, 0.6), (2.76, 0.4, 0.25), (5.4, 0.2, 0.1))
    return mixed(
        gain * decay(seconds, half_life_s) * tone(min(ratio * hz, 7500), seconds)
        for ratio, gain, half_life_s in partials
    )


def pad(rng: Rng, hz: float, seconds: float) -> Sound:
    """Three slightly detuned saw waves under a filter that opens and closes."""
    saws = mixed(
        harmonics(hz * 2 ** (cents / 1200), seconds, [1 / number for number in range(1, 12)])
        for cents in (-7, 0, 8)
    )
    dark, bright = band(saws, 30, 700), band(saws, 30, 2500)
    share = wander(rng, seconds, 0.4)
    return (share * bright + (1 - share) * dark) * swell(seconds, 0.4, 0.5)


def chord_pads(
    rng: Rng, seconds: float, *, root: int, chords: str, by: Instrument, beat_s: float
) -> Sound:
    """Chords, four beats each."""
    out = np.zeros(length(seconds))
    for number, at_s in enumerate(np.arange(0, seconds, 4 * beat_s)):
        for hz in _chord(root, chords, number):
            add(out, at_s, by(rng, hz, 4 * beat_s + 0.3))
    return out


def arpeggios(
    rng: Rng, seconds: float, *, root: int, chords: str, by: Instrument, beat_s: float
) -> Sound:
    """Chords played one note at a time, up and down."""
    out = np.zeros(length(seconds))
    for number, at_s in enumerate(np.arange(0, seconds, beat_s / 2)):
        low, middle, high = _chord(root, chords, number // 8)
        hz = (low, middle, high, 2 * low, high, middle, low, middle)[number % 8]
        add(out, at_s, by(rng, hz, beat_s * 1.5))
    return out


def melody(
    rng: Rng,
    seconds: float,
    *,
    root: int,
    scale: tuple[int, ...] = _MAJOR,
    by: Instrument,
    beat_s: float,
) -> Sound:
    """A tune that wanders up and down a scale, with rests."""
    out = np.zeros(length(seconds))
    at_s, step = 0.0, 0
    while at_s < seconds:
        long_s = beat_s * float(rng.choice([0.5, 0.5, 1, 1, 1.5, 2]))
        if rng.random() > 0.12:
            add(out, at_s, by(rng, _degree(root, scale, step), long_s * 0.95))
        step = int(np.clip(step + rng.integers(-2, 3), -4, 9))
        at_s += long_s
    return out


def drums(rng: Rng, seconds: float, *, beat_s: float, busy: bool = True) -> Sound:
    """A loop of bass drum, snare and hi-hat."""
    kick = tone(45 + 110 * decay(0.25, 0.03), 0.25) * decay(0.25, 0.06)
    snare = 0.5 * noise(rng, 0.2) * decay(0.2, 0.04) + 0.4 * tone(190, 0.2) * decay(0.2, 0.03)
    hat = band(noise(rng, 0.06), 5000, 7900) * decay(0.06, 0.012)
    out = np.zeros(length(seconds))
    for number, at_s in enumerate(np.arange(0, seconds, beat_s / 2)):
        place = number % 8
        add(out, at_s, hat, 0.6)
        if place in (0, 4, 5 if busy else 4):
            add(out, at_s, kick)
        if place in (2, 6):
            add(out, at_s, snare, 0.8)
    return out


def band_of_four(rng: Rng, seconds: float, *, root: int, chords: str, beat_s: float) -> Sound:
    """A tune over chords, bass and drums, as most phone queues play."""
    bass = np.zeros(length(seconds))
    for number, at_s in enumerate(np.arange(0, seconds, beat_s)):
        add(bass, at_s, plucked(rng, _chord(root, chords, number // 4)[0] / 2, beat_s))
    chordal = chord_pads(rng, seconds, root=root, chords=chords, by=organ, beat_s=beat_s)
    tune = melody(rng, seconds, root=root + 12, by=flute, beat_s=beat_s)
    beat = drums(rng, seconds, beat_s=beat_s)
    parts = ((bass, 0.8), (chordal, 0.35), (tune, 0.7), (beat, 0.6))
    return mixed(gain * peaked(part) for part, gain in parts)


def _chord(root: int, chords: str, number: int) -> tuple[float, float, float]:
    degrees = _CHORDS[chords]
    step = degrees[number % len(degrees)]
    low, middle, high = (_degree(root, _MAJOR, step + third) for third in (0, 2, 4))
    return low, middle, high


def _degree(root: int, scale: tuple[int, ...], step: int) -> float:
    octave, place = divmod(step, len(scale))
    return float(440 * 2 ** ((root - 69 + 12 * octave + scale[place]) / 12))


Piece = Callable[[Rng, float], Sound]


def pieces() -> Iterator[tuple[str, Piece]]:
    """Yields the names and makers of all pieces of music."""
    for by in (pad, organ, strings, brass):
        for root, chords in ((48, "calm"), (53, "jazz")):
            maker = partial(chord_pads, root=root, chords=chords, by=by, beat_s=0.6)
            yield f"chords-{by.__name__}-{chords}", maker
    for by, root, chords in ((plucked, 50, "pop"), (music_box, 67, "calm"), (square, 57, "sad")):
        maker = partial(arpeggios, root=root, chords=chords, by=by, beat_s=0.5)
        yield f"arpeggio-{by.__name__}", maker
    for by, root in ((plucked, 60), (square, 64), (organ, 60), (flute, 72), (brass, 55)):
        yield f"melody-{by.__name__}", partial(melody, root=root, by=by, beat_s=0.45)
    for root, scale, name in ((48, _MINOR, "cello"), (57, _MAJOR, "viola"), (69, _MINOR, "violin")):
        maker = partial(melody, root=root, scale=scale, by=strings, beat_s=0.7)
        yield f"strings-{name}", maker
    yield (
        "strings-slow",
        partial(melody, root=55, scale=_PENTATONIC, by=strings, beat_s=1.4),
    )
    yield "drums-slow", partial(drums, beat_s=0.6, busy=False)
    yield "drums-fast", partial(drums, beat_s=0.36)
    yield "band-bright", partial(band_of_four, root=48, chords="pop", beat_s=0.5)
    yield "band-lounge", partial(band_of_four, root=45, chords="jazz", beat_s=0.62)
