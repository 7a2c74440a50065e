"""A copy of a recording that every browser can play and seek in exactly."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray

from echostream.errors import EchoStreamError, InvalidAudio
from echostream.media.ffmpeg import ffmpeg_path, start_ffmpeg
from echostream.media.mix import Mixer
from echostream.media.timeline import GapsTooLong
from echostream.media.tracks import Tracks, open_tracks
from echostream.private_files import open_private

SUFFIX = ".mp3"
_RATE_HZ = 44_100
# A constant bit rate, from which browsers compute the position of a second in the file.
_ENCODING = ("-map_metadata", "-1", "-b:a", "96k", "-f", "mp3")
_MOST_BYTES = 4 * 1024**3
"""Four days."""


async def make_playable(
    source: Path, target: Path, *, timeout_s: float, max_audio_s: float = 14_400
) -> None:
    """Writes the sound of `source` to `target` as MP3, completely or not at all.

    The copy has the sound that `decode` returns, at the same times: all tracks and channels, mixed
    unless they are two channels of one track. `max_audio_s` is the value `decode` got, so that both
    ignore the same gaps; it is no limit here.

    Raises InvalidAudio if it cannot be decoded within `timeout_s`, and EchoStreamError if the copy
    cannot be written. All child processes have ended when this returns, raises or is cancelled.
    """
    unfinished = target.with_name(f".{target.name}.part")
    try:
        with source.open("rb") as audio, open_private(unfinished, "wb") as copy:
            async with asyncio.timeout(timeout_s):
                try:
                    await _copy(audio, copy, max_audio_s)
                except GapsTooLong:
                    copy.truncate(0)
                    copy.seek(0)  # the encoder shares our file position
                    await _copy(audio, copy, None)
        unfinished.replace(target)
    except TimeoutError:
        raise InvalidAudio(f"The file took longer than {timeout_s:g} s to decode.") from None
    except OSError as error:
        raise EchoStreamError(f"The copy cannot be written: {error.strerror or error}.") from error
    finally:
        unfinished.unlink(missing_ok=True)


async def _copy(audio: IO[bytes], copy: IO[bytes], fill_until_s: float | None) -> None:
    source = open_tracks(audio.fileno(), None, fill_until_s=fill_until_s, rate_hz=_RATE_HZ)
    async with source as tracks, _encoder(copy.fileno()) as encoder:
        await _encode(tracks, encoder)
        await tracks.check()
        await encoder.finish()
    if os.fstat(copy.fileno()).st_size == 0:
        raise InvalidAudio("The audio is empty: it has no samples.")


async def _encode(tracks: Tracks, encoder: "_Encoder") -> None:
    block = await tracks.read(_RATE_HZ)
    is_played_as_it_is = len(block) <= 1 or (len(block) == 2 and tracks.count == 1)
    mixer = None if is_played_as_it_is else Mixer(len(block), rate_hz=_RATE_HZ)
    while block.shape[1]:
        await encoder.write(mixer.mix(block)[None] if mixer else block)
        block = await tracks.read(_RATE_HZ)
    if mixer:
        await encoder.write(mixer.finish()[None])


class _Encoder:
    """An ffmpeg that writes our samples as MP3 into an open file."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._stdin = cast(asyncio.StreamWriter, process.stdin)

    async def write(self, samples: NDArray[np.int16]) -> None:
        """Takes samples of shape `(2, n)`, or `(1, n)` for both sides."""
        pcm = np.broadcast_to(samples, (2, samples.shape[1])).T.astype("<i2").tobytes()
        with suppress(ConnectionError):  # `finish` reads its exit status
            self._stdin.write(pcm)
            await self._stdin.drain()

    async def finish(self) -> None:
        self._stdin.close()
        if await self._process.wait() != 0:
            raise EchoStreamError("The copy cannot be written.")

    async def reap(self) -> None:
        with suppress(ProcessLookupError):
            if self._process.returncode is None:
                self._process.kill()
        self._stdin.close()
        await self._process.wait()
        with suppress(ConnectionError):
            await self._stdin.wait_closed()


@asynccontextmanager
async def _encoder(target: int) -> AsyncIterator[_Encoder]:
    process = await start_ffmpeg(
        *(ffmpeg_path(), "-hide_banner", "-loglevel", "error"),
        *("-f", "s16le", "-ar", str(_RATE_HZ), "-ac", "2", "-i", "pipe:0", *_ENCODING, "pipe:1"),
        stdin=asyncio.subprocess.PIPE,
        stdout=target,
        stderr=asyncio.subprocess.DEVNULL,
        file_bytes=_MOST_BYTES,
    )
    encoder = _Encoder(process)
    try:
        yield encoder
    finally:
        await asyncio.shield(encoder.reap())
