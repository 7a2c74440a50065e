"""Channels to one: what cancels, what is on one side only, and how loud it comes out."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from echostream.media.mix import LIVE_STEP_S, Mixer

RATE_HZ = 16_000
Samples = NDArray[np.int16]


def voice(seed: int, seconds: float = 12, level: float = 6_000) -> NDArray[np.float64]:
    """Like speech: harmonics of a wandering pitch in syllables, with breath."""
    random = np.random.default_rng(seed)
    count = int(seconds * RATE_HZ)
    times = np.arange(count) / RATE_HZ
    pitch = 100 + 60 * random.random() + 15 * np.sin(2 * np.pi * times * (0.5 + random.random()))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE_HZ
    sound = sum(np.sin(k * phase + 7 * random.random()) / k for k in range(1, 25))
    sound = sound + 0.1 * random.standard_normal(count)
    syllables = np.interp(
        times * 4, np.arange(count // 4_000 + 9), random.random(count // 4_000 + 9)
    )
    return level * sound * np.clip(syllables * 2 - 0.6, 0, 1) / np.std(sound)


def noise(seed: int, level: float, seconds: float = 12) -> NDArray[np.float64]:
    return level * np.random.default_rng(seed).standard_normal(int(seconds * RATE_HZ))


def mixed(
    *channels: NDArray[np.float64], sizes: Sequence[int] = (16_000,), step_s: float = 1.0
) -> Samples:
    together = np.stack(channels).round().clip(-32_768, 32_767).astype(np.int16)
    mixer = Mixer(len(together), rate_hz=RATE_HZ, step_s=step_s)
    parts, at, turn = [], 0, 0
    while at < together.shape[1]:
        size = sizes[turn % len(sizes)]
        parts.append(mixer.mix(together[:, at : at + size]))
        at, turn = at + size, turn + 1
    return np.concatenate([*parts, mixer.finish()])


def decibels(sound: NDArray[np.generic], beside: NDArray[np.generic]) -> float:
    power, other = (np.mean(np.square(x.astype(float))) for x in (sound, beside))
    return float(10 * np.log10(power / other))


def delayed(sound: NDArray[np.float64], samples: int) -> NDArray[np.float64]:
    return np.concatenate([np.zeros(samples), sound[: len(sound) - samples]])


@pytest.mark.parametrize("channels", [2, 3, 6])
def test_equal_channels_give_the_same_samples(channels: int) -> None:
    sound = voice(1).round()
    assert np.array_equal(mixed(*[sound] * channels), sound.clip(-32_768, 32_767))


def test_opposite_channels_give_the_same_samples() -> None:
    sound = voice(1).round()
    difference = mixed(sound, -sound).astype(int) - sound.clip(-32_768, 32_767)
    assert np.abs(difference).max() <= 2


@pytest.mark.parametrize("at", [0, 1, 5, 15])
@pytest.mark.parametrize("channels", [2, 16])
def test_one_voice_beside_silent_channels_keeps_its_level(channels: int, at: int) -> None:
    sound = voice(1).round()
    silent = [np.zeros(len(sound))] * channels
    silent[at % channels] = sound
    assert np.array_equal(mixed(*silent), sound.clip(-32_768, 32_767))


@pytest.mark.parametrize("step_s", [LIVE_STEP_S, 1.0])
@pytest.mark.parametrize("level", [0.5, 1, 3, 30, 300])
@pytest.mark.parametrize("quiet_at_s", [0, 5])
def test_near_silence_does_not_decide_the_level(
    quiet_at_s: int, level: float, step_s: float
) -> None:
    """The same faint noise in all channels for two seconds, and a voice in one of them."""
    sound = voice(1).round()
    quiet = slice(quiet_at_s * RATE_HZ, (quiet_at_s + 2) * RATE_HZ)
    sound[quiet] = faint = noise(2, level, 2).round()
    others = np.zeros((3, len(sound)))
    others[:, quiet] = faint
    said = slice(-4 * RATE_HZ, None)
    result = mixed(sound, *others, step_s=step_s)
    assert decibels(result[said], sound[said]) == pytest.approx(0, abs=0.5)


@pytest.mark.parametrize("gain", [-1.0, -0.8, -0.5, -0.2])
@pytest.mark.parametrize("delay", [0, 1, 5, 24, 160])
def test_opposite_voices_with_delay_and_another_level(gain: float, delay: int) -> None:
    sound = voice(2)
    other = gain * delayed(sound, delay) + noise(5, 20)
    mean = (sound + other) / 2
    assert decibels(mixed(sound + noise(4, 20), other), sound) > -3.5
    if delay == 0 and gain == -1:
        assert decibels(mean, sound) < -30


@pytest.mark.parametrize("delay", [1, 5, 160])
def test_a_delay_makes_no_holes(delay: int) -> None:
    """Two microphones in one room: some frequencies are opposite, others not."""
    sound = noise(3, 3_000)
    bands = []
    for result in (mixed(sound, delayed(sound, delay)), sound):
        spectrum = np.abs(np.fft.rfft(result[: 8_192 * 20].reshape(-1, 8_192))) ** 2
        bands.append(spectrum.mean(axis=0)[64:-1].reshape(-1, 63).mean(axis=1))
    assert 10 * np.log10(bands[0] / bands[1]).min() > -9


def test_two_voices_of_a_mid_side_recording() -> None:
    """One in the middle, one from the side: the sum of the channels has only the first."""
    middle, side = voice(1), voice(2)
    result = mixed(middle + side, middle - side).astype(float)
    for sound, other in ((middle, side), (side, middle)):
        alone = (np.abs(sound) > 1_000) & (np.abs(other) < 300)
        assert decibels(result[alone], sound[alone]) > -6


def test_unrelated_voices_are_both_heard() -> None:
    left, right = voice(1), voice(2)
    result = mixed(left, right).astype(float)
    for sound in (left, right):
        share = float(result @ sound / (sound @ sound))
        assert 0.5 < share < 1.01


def test_voices_of_16_microphones() -> None:
    sounds = [voice(seed, level=3_000) for seed in range(16)]
    near = [own + 0.1 * (sum(sounds) - own) + noise(99, 5) for own in sounds]
    result = mixed(*near).astype(float)
    for sound in sounds:
        assert float(result @ sound / (sound @ sound)) > 0.15


def test_nothing_clips() -> None:
    loud = 32_767 * np.sign(voice(1))
    result = mixed(loud, loud, loud, -loud)
    assert np.abs(result.astype(int)).max() <= 32_767
    assert float(result.astype(float) @ loud / (loud @ loud)) > 0.9


def test_polarity_that_changes_midway() -> None:
    sound = voice(1)
    turned = np.where(np.arange(len(sound)) < len(sound) // 2, sound, -sound)
    result = mixed(sound, turned)
    for second in range(12):
        part = slice(second * RATE_HZ, (second + 1) * RATE_HZ)
        assert decibels(result[part], sound[part]) > -1.5, second


@pytest.mark.parametrize("sizes", [(1,), (371, 1, 20_000), (65_536,)])
def test_sizes_of_the_pieces_do_not_matter(sizes: tuple[int, ...]) -> None:
    sound = voice(1, seconds=3)
    channels = (sound, -0.9 * sound + noise(1, 50, seconds=3))
    assert np.array_equal(mixed(*channels, sizes=sizes), mixed(*channels))


@pytest.mark.parametrize("count", [1, 2, 255, 256, 257, 5_000, 16_384, 16_385])
def test_short_sound(count: int) -> None:
    sound = voice(1)[:count].round()
    assert np.array_equal(mixed(sound, sound), sound)
