"""Building blocks of generated sounds: coloured noise, filters, envelopes, levels.

Sounds are float arrays of mono audio at 16 kHz. Nothing here reads a file or the clock.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16_000
NYQUIST_HZ = RATE_HZ / 2

Sound = NDArray[np.float64]
Rng = np.random.Generator


def length(seconds: float) -> int:
    return int(seconds * RATE_HZ)


def times(seconds: float) -> Sound:
    """Returns the time of each sample, in seconds."""
    return np.arange(length(seconds)) / RATE_HZ


def noise(rng: Rng, seconds: float, slope: float = 0.0) -> Sound:
    """Noise whose power falls with frequency to the power of `slope`: 0 white, 1 pink, 2 brown."""
    samples = length(seconds)
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    frequencies = np.fft.rfftfreq(samples, 1 / RATE_HZ)
    # Below 20 Hz, brown noise would only drift.
    shaped = spectrum * np.maximum(frequencies, 20) ** (-slope / 2)
    return peaked(np.fft.irfft(shaped, samples))


def band(sound: Sound, low_hz: float, high_hz: float, *, softness: float = 0.15) -> Sound:
    """Keeps what lies between two frequencies. Each edge is `softness` times its frequency wide."""
    spectrum = np.fft.rfft(sound)
    frequencies = np.fft.rfftfreq(len(sound), 1 / RATE_HZ)
    rise = np.clip((frequencies / max(low_hz, 1) - 1) / softness + 1, 0, 1)
    fall = np.clip((1 - frequencies / high_hz) / softness + 1, 0, 1)
    return np.fft.irfft(spectrum * rise * fall, len(sound))


def resonance(sound: Sound, centre_hz: float, width_hz: float) -> Sound:
    """Filters the sound as a body that resonates at one frequency does."""
    spectrum = np.fft.rfft(sound)
    frequencies = np.fft.rfftfreq(len(sound), 1 / RATE_HZ)
    return np.fft.irfft(spectrum / (1 + ((frequencies - centre_hz) / width_hz) ** 2), len(sound))


def tone(hz: float | Sound, seconds: float) -> Sound:
    """A sine; its frequency may change from sample to sample."""
    return np.sin(2 * np.pi * np.cumsum(np.broadcast_to(hz, length(seconds))) / RATE_HZ)


def harmonics(hz: float | Sound, seconds: float, weights: list[float]) -> Sound:
    """A tone and its overtones, up to what the sampling rate allows."""
    steady = np.broadcast_to(np.asarray(hz, dtype=float), length(seconds))
    phase = 2 * np.pi * np.cumsum(steady) / RATE_HZ
    top = NYQUIST_HZ * 0.95 / float(steady.max())
    sound = np.zeros(length(seconds))
    for number, weight in enumerate(weights, start=1):
        if weight and number < top:
            sound += weight * np.sin(number * phase)
    return sound


def swell(seconds: float, attack_s: float, release_s: float) -> Sound:
    """An envelope that rises, stays and falls, with soft corners."""
    at = times(seconds)
    rise = np.clip(at / max(attack_s, 1e-4), 0, 1)
    fall = np.clip((seconds - at) / max(release_s, 1e-4), 0, 1)
    return np.sin(np.minimum(rise, fall) * np.pi / 2) ** 2


def decay(seconds: float, half_life_s: float, attack_s: float = 0.001) -> Sound:
    at = times(seconds)
    return np.clip(at / attack_s, 0, 1) * 0.5 ** (at / half_life_s)


def wander(rng: Rng, seconds: float, hz: float) -> Sound:
    """A slow random curve between 0 and 1 that changes about `hz` times per second."""
    points = max(2, int(seconds * hz) + 2)
    at = np.linspace(0, points - 1, length(seconds))
    return np.interp(at, np.arange(points), rng.random(points))


def add(target: Sound, at_s: float, sound: Sound, gain: float = 1.0) -> None:
    """Mixes a sound into a longer one; cuts it off at the end of that."""
    start = length(at_s)
    room = max(0, len(target) - start)
    target[start : start + room][: len(sound)] += gain * sound[:room]


def mixed(parts: Iterable[Sound]) -> Sound:
    """Mixes sounds of the same length."""
    total: Sound = np.sum(list(parts), axis=0)
    return total


def peaked(sound: Sound) -> Sound:
    """Scales a sound so that its loudest sample is 1."""
    peak = float(np.abs(sound).max(initial=0))
    return sound / peak if peak else sound


def rms_dbfs(sound: Sound) -> float:
    return float(20 * np.log10(max(np.sqrt(np.mean(sound**2)), 1e-9)))


def at_dbfs(sound: Sound, dbfs: float) -> Sound:
    """Scales a sound to a root mean square level; 0 dBFS is full scale."""
    return sound * 10 ** ((dbfs - rms_dbfs(sound)) / 20)


def pcm16(sound: Sound) -> NDArray[np.int16]:
    return np.clip(np.round(sound * 32767), -32768, 32767).astype(np.int16)


def telephone(sound: Sound) -> Sound:
    """Makes it sound like a telephone: 300 to 3400 Hz, 8-bit mu-law."""
    narrow = peaked(band(sound, 300, 3400)) * 0.9
    squeezed = np.sign(narrow) * np.log1p(255 * np.abs(narrow)) / np.log(256)
    steps = np.round(squeezed * 127) / 127
    heard: Sound = np.sign(steps) * (256 ** np.abs(steps) - 1) / 255
    return heard


def lossy(sound: Sound, *, keep_db: float = 24, top_hz: float = 5500) -> Sound:
    """Imitates a low bit rate: keeps only the loud parts of each short frame, in coarse steps."""
    frame, hop = 512, 256
    window = np.sqrt(np.hanning(frame + 1)[:frame])
    padded = np.concatenate([np.zeros(frame), sound, np.zeros(frame)])
    out = np.zeros(len(padded))
    top = int(top_hz / NYQUIST_HZ * frame / 2)
    for start in range(0, len(padded) - frame, hop):
        spectrum = np.fft.rfft(padded[start : start + frame] * window)
        spectrum[top:] = 0
        size = np.abs(spectrum)
        step = max(float(size.max()) * 10 ** (-keep_db / 20), 1e-9)
        kept = np.round(size / step) * step * np.exp(1j * np.angle(spectrum))
        out[start : start + frame] += np.fft.irfft(kept, frame) * window
    return out[frame:-frame]
