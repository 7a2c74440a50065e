"""Decodes any audio or video file to samples, with all its tracks and at its own times."""

import asyncio
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol

import numpy as np
from numpy.typing import NDArray

from echostream.domain import SAMPLE_RATE_HZ
from echostream.errors import AudioTooLong, InvalidAudio, InvalidRequest
from echostream.media.mix import Mixer
from echostream.media.timeline import GapsTooLong
from echostream.media.tracks import open_tracks

_log = logging.getLogger(__name__)

_BLOCK = SAMPLE_RATE_HZ
_MOST_CHANNELS = 16


async def decode(
    audio: IO[bytes] | Path, *, max_audio_s: float, timeout_s: float, track: int | None = None
) -> NDArray[np.int16]:
    """Decodes a file to mono samples at 16 kHz, shape `(samples,)`.

    All audio tracks are mixed, or only `track` is used, counted from 0. Gaps between timestamps
    become silence, and so does the time before sound that starts later than the picture. If that
    silence alone made the audio longer than `max_audio_s`, the timestamps are considered wrong and
    ignored. From a damaged file, everything that can be decoded is returned.

    An open `audio` must be a real file with a descriptor; it may be unlinked. It is read from its
    start, whatever its position, and stays open. Memory grows only by the samples: 32 kB per second
    of audio.

    Raises InvalidAudio if nothing can be decoded within `timeout_s`, AudioTooLong as soon as there
    are more than `max_audio_s` seconds, InvalidRequest if there is no such track. All child
    processes have ended when this returns, raises or is cancelled.
    """
    return await _decoded(audio, _Mixed, max_audio_s, timeout_s, track)


async def decode_channels(
    audio: IO[bytes] | Path, *, max_audio_s: float, timeout_s: float, track: int | None = None
) -> NDArray[np.int16]:
    """Like `decode`, but keeps the channels apart, shape `(channels, samples)`.

    The channels of several tracks follow each other. Also raises InvalidRequest if there are more
    than 16.
    """
    return await _decoded(audio, _Apart, max_audio_s, timeout_s, track)


class _Collected(Protocol):
    """Collects the blocks of a file, each of shape `(channels, samples)`."""

    def add(self, block: NDArray[np.int16]) -> None: ...

    def result(self) -> NDArray[np.int16]: ...


class _Mixed:
    def __init__(self) -> None:
        self._pcm = bytearray()
        self._mixer: Mixer | None = None

    def add(self, block: NDArray[np.int16]) -> None:
        if len(block) == 1:
            self._pcm += block[0].tobytes()
            return
        self._mixer = self._mixer or Mixer(len(block), rate_hz=SAMPLE_RATE_HZ)
        self._pcm += self._mixer.mix(block).tobytes()

    def result(self) -> NDArray[np.int16]:
        if self._mixer:
            self._pcm += self._mixer.finish().tobytes()
        return np.frombuffer(self._pcm, np.int16)


class _Apart:
    def __init__(self) -> None:
        self._channels: list[bytearray] = []

    def add(self, block: NDArray[np.int16]) -> None:
        if len(block) > _MOST_CHANNELS:
            raise InvalidRequest(
                f"The audio has {len(block)} channels; at most {_MOST_CHANNELS} can be separated."
            )
        self._channels = self._channels or [bytearray() for _ in block]
        for kept, samples in zip(self._channels, block, strict=True):
            kept += samples.tobytes()

    def result(self) -> NDArray[np.int16]:
        # One by one, so that only one channel is in memory twice.
        apart = np.empty((len(self._channels), len(self._channels[0]) // 2), np.int16)
        for number, row in enumerate(apart):
            row[:] = np.frombuffer(self._channels[number], np.int16)
            self._channels[number] = bytearray()
        return apart


async def _decoded(
    audio: IO[bytes] | Path,
    collected: type[_Mixed] | type[_Apart],
    max_audio_s: float,
    timeout_s: float,
    track: int | None,
) -> NDArray[np.int16]:
    with _opened(audio) as descriptor:
        try:
            async with asyncio.timeout(timeout_s):
                try:
                    return await _collect(descriptor, track, collected(), max_audio_s, max_audio_s)
                except GapsTooLong:
                    _log.info("ignoring timestamps: the gaps between them are too long")
                    return await _collect(descriptor, track, collected(), max_audio_s, None)
        except TimeoutError:
            raise InvalidAudio(f"The file took longer than {timeout_s:g} s to decode.") from None


async def _collect(
    descriptor: int,
    track: int | None,
    collected: _Collected,
    max_audio_s: float,
    fill_until_s: float | None,
) -> NDArray[np.int16]:
    most, count = int(max_audio_s * SAMPLE_RATE_HZ), 0
    async with open_tracks(descriptor, track, fill_until_s=fill_until_s) as tracks:
        while (block := await tracks.read(_BLOCK)).shape[1]:
            count += block.shape[1]
            if count > most:
                raise AudioTooLong(
                    f"The audio is longer than the {max_audio_s:g} s that are allowed."
                )
            collected.add(block)
        await tracks.check()
        return collected.result()


@contextmanager
def _opened(audio: IO[bytes] | Path) -> Iterator[int]:
    """The file's descriptor. Raises InvalidAudio if it is empty or no file."""
    if isinstance(audio, Path):
        if not audio.is_file():  # opening a FIFO would block the event loop
            raise InvalidAudio(f"{audio.name} is not a file.")
        with _open(audio) as file, _opened(file) as descriptor:
            yield descriptor
        return
    descriptor = audio.fileno()  # moves a spooled file from memory to disk
    audio.flush()  # the child sees the file, not our buffer
    if os.fstat(descriptor).st_size == 0:
        raise InvalidAudio("The file is empty.")
    yield descriptor


def _open(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except OSError as error:
        raise InvalidAudio(f"{path.name} cannot be opened: {error.strerror}.") from error
