"""Raw audio, beside ffmpeg, which decodes the same at once."""

import random
import subprocess

import numpy as np
import pytest

from conftest import sample_pcm
from echostream.media import Encoding, RawDecoder, ffmpeg_path

CODES = {"pcmu": "mulaw", "pcma": "alaw"}
RATES = [8_000, 24_000, 44_100, 48_000]


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


@pytest.mark.parametrize("rate_hz", RATES)
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
