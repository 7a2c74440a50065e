"""Media with other bytes than a recorder writes: decoded, or refused in a sentence."""

import asyncio
import tempfile
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import SAMPLE
from echostream.errors import AudioError, InvalidRequest
from echostream.media import decode_channels
from fuzz.support import mangled, share
from media.conftest import media as media  # the fixture
from media.waves import MakeMedia
from processes import children

KINDS = {
    "a.wav": ("-c:a", "pcm_s16le"),
    "a.flac": (),
    "a.mp3": (),
    "a.ogg": ("-c:a", "libopus", "-ar", "48000"),
    "a.webm": ("-c:a", "libopus", "-ar", "48000"),
    "a.m4a": ("-c:a", "aac"),
    "a.ts": ("-c:a", "aac"),
    "a.avi": ("-c:a", "pcm_s16le"),
}
HEADER_BYTES = 600


@pytest.mark.parametrize("name", KINDS)
@share(25)
@given(st.data())
def test_headers(media: MakeMedia, name: str, data: st.DataObject) -> None:
    whole = media(name, "-t", "1", "-i", str(SAMPLE), *KINDS[name]).read_bytes()
    header = data.draw(mangled(whole[:HEADER_BYTES]))
    before = children()
    with tempfile.TemporaryFile() as file:
        file.write(header + whole[HEADER_BYTES:])
        with suppress(AudioError, InvalidRequest):
            samples = asyncio.run(decode_channels(file, max_audio_s=60, timeout_s=30))
            assert samples.ndim == 2
            assert samples.shape[1] <= 60 * 16_000
    assert children() == before
