"""Raw audio, beside ffmpeg, which decodes the same at once."""

import itertools
import random
import subprocess

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import sample_pcm
from echostream.media import Encoding, RawChannels, RawDecoder, RawMix, ffmpeg_path

CODES = {"pcmu": "mulaw", "pcma": "alaw"}
RATES = [8_000, 24_000, 44_100, 48_000]
ODD_RATES = [7_999, 47_999, 383_999]
"""They have no divisor in common with 16,000."""


def ffmpeg(data: bytes, *arguments: str) -> np.ndarray:
    """What ffmpeg makes of raw audio, as PCM16."""
    command = [ffmpeg_path(), "-v", "error", *arguments, "-f", "s16le", "-"]
    ran = subprocess.run(command, input=data, capture_output=True, check=True)
    return np.frombuffer(ran.stdout, "<i2")


def cut(data: bytes, decoder: RawDecoder) -> np.ndarray:
    """Decodes pieces of odd sizes."""
    chance, start, found = random.Random(5), 0, []
    while start < len(data):
        size = chance.choice((0, 1, 7, 333, 4801))
        found.append(decoder.feed(data[start : start + size]))
        start += size
    return np.concatenate(found)


@pytest.mark.parametrize(("encoding", "format_name"), CODES.items())
def test_telephone_codes(encoding: Encoding, format_name: str) -> None:
    codes = bytes(range(256))
    expected = ffmpeg(codes, "-f", format_name, "-ar", "16000", "-ac", "1", "-i", "-")
    assert np.array_equal(RawDecoder(encoding, 16_000).feed(codes), expected)


@pytest.mark.parametrize("rate_hz", RATES)
def test_cuts_change_nothing(rate_hz: int) -> None:
    data = sample_pcm()[:50_000].tobytes()
    whole = RawDecoder("pcm", rate_hz).feed(data)
    assert np.array_equal(cut(data, RawDecoder("pcm", rate_hz)), whole)
    assert len(whole) == pytest.approx(50_000 * 16_000 / rate_hz, abs=1)


@given(
    encoding=st.sampled_from(["pcm", "pcmu", "pcma"]),
    rate_hz=st.sampled_from([8_000, 16_000, 44_100]),
    channels=st.integers(1, 4),
    apart=st.booleans(),
    cuts=st.lists(st.integers(0, 4_000), max_size=20),
)
def test_channels_may_be_cut_anywhere(
    encoding: Encoding, rate_hz: int, channels: int, apart: bool, cuts: list[int]
) -> None:
    data = random.Random(7).randbytes(4_000)
    kind = RawChannels if apart else RawMix
    whole, pieces = (kind(encoding, rate_hz, channels) for _ in range(2))
    places = [0, *sorted(cuts), len(data)]
    found = [pieces.feed(data[start:end]) for start, end in itertools.pairwise(places)]
    assert np.array_equal(np.concatenate(found, axis=-1), whole.feed(data))
    if isinstance(pieces, RawMix) and isinstance(whole, RawMix):
        assert np.array_equal(pieces.finish(), whole.finish())


@pytest.mark.parametrize("encoding", ["pcm", "pcmu"])
def test_each_channel_is_what_it_would_be_alone(encoding: Encoding) -> None:
    frames = np.frombuffer(random.Random(7).randbytes(6_000), np.uint8)
    width = 2 if encoding == "pcm" else 1
    frames = frames.reshape(-1, 3, width)
    found = RawChannels(encoding, 8_000, 3).feed(frames.tobytes())
    for number in range(3):
        alone = RawDecoder(encoding, 8_000).feed(frames[:, number].tobytes())
        assert np.array_equal(found[number], alone)


def test_a_mix_is_as_long_as_its_channels() -> None:
    data = sample_pcm()[:40_000].tobytes()
    mix = RawMix("pcm", 16_000, 2)
    found = np.concatenate([mix.feed(data), mix.finish()])
    assert len(found) == 20_000
    alike = np.repeat(sample_pcm()[:20_000], 2).tobytes()
    mix = RawMix("pcm", 16_000, 2)
    found = np.concatenate([mix.feed(alike), mix.finish()])
    assert np.array_equal(found, sample_pcm()[:20_000])


@pytest.mark.parametrize("rate_hz", [*RATES, *ODD_RATES])
@pytest.mark.parametrize("tone_hz", [200, 1000, 3200])
def test_a_tone_stays(rate_hz: int, tone_hz: int) -> None:
    times = np.arange(2 * rate_hz) / rate_hz
    tone = (np.sin(2 * np.pi * tone_hz * times) * 10_000).astype("<i2")
    heard = RawDecoder("pcm", rate_hz).feed(tone.tobytes())[4_000:-4_000].astype(float)
    assert np.sqrt(2 * np.mean(heard**2)) == pytest.approx(10_000, rel=0.01)
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
    assert np.argmax(spectrum) * 16_000 / len(heard) == pytest.approx(tone_hz, abs=2)
    near = np.abs(np.fft.rfftfreq(len(heard), 1 / 16_000) - tone_hz) < 50
    assert spectrum[~near].max() < spectrum.max() / 300


def test_what_the_new_rate_cannot_hold_is_filtered() -> None:
    times = np.arange(48_000) / 24_000
    tone = (np.sin(2 * np.pi * 9_500 * times) * 10_000).astype("<i2")
    heard = RawDecoder("pcm", 24_000).feed(tone.tobytes())
    assert np.abs(heard[1_000:]).max() < 50


def test_loud_audio_is_cut_off_rather_than_wrapped() -> None:
    square = np.where(np.arange(24_000) // 40 % 2, 32767, -32768).astype("<i2")
    heard = RawDecoder("pcm", 24_000).feed(square.tobytes())
    assert (heard.min(), heard.max()) == (-32_768, 32_767)
    assert np.count_nonzero(np.diff(heard[100:] >= 0)) <= 24_000 / 40
