"""The audio tracks of a file, decoded in parallel.

Each track has its own ffmpeg. So a track that cannot be decoded does not affect the others, and all
are read at the same speed, with at most one second of each in memory.
"""

import asyncio
import logging
import os
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import numpy as np
from numpy.typing import NDArray

from echostream.domain import SAMPLE_RATE_HZ
from echostream.errors import InvalidAudio, InvalidRequest
from echostream.media.ffmpeg import CHUNK_BYTES, Child, ffmpeg_command, input_arguments
from echostream.media.lengths import input_options
from echostream.media.packets import Packets
from echostream.media.timeline import Timeline

_log = logging.getLogger(__name__)

MOST_TRACKS = 16
_RATES_HZ = range(1_000, 3_072_001)
"""What recorders write. A file of some kilobytes that claims one sample a second would become
hundreds of megabytes."""
_SAMPLE_BYTES = 2
_MOST_LIST_BYTES = 1024**2

# In MPEG streams, whose clocks may start at any value, ffmpeg counts time from the first stream
# that it uses. So that the picture and all tracks count, all of them are used here, with no output.
# In other formats ffmpeg would then read pictures that it otherwise skips.
_EVERYTHING = ("-map", "0:v?", "-map", "0:a?", "-c", "copy", "-f", "null", "-")
_TS_PACKET_BYTES, _TS_SYNC = 188, b"\x47"
_PS_HEAD = b"\x00\x00\x01\xba"


class Tracks:
    """The tracks of one file, as blocks of samples that hold all their channels."""

    def __init__(self, tracks: list["_Track"]) -> None:
        self._tracks = tracks

    @property
    def count(self) -> int:
        return len(self._tracks)

    async def read(self, count: int) -> NDArray[np.int16]:
        """The next `count` samples of every channel, shape `(channels, samples)`.

        There are fewer only at the end, and none after it. A track that has ended continues as
        silence. The number of channels is always the same. Raises GapsTooLong.
        """
        if len(self._tracks) == 1:
            return await self._tracks[0].read(count)
        reads = (track.read(count) for track in self._tracks)
        # All are awaited even if one raises, because their ffmpegs may have only one reader.
        parts = [_given(read) for read in await asyncio.gather(*reads, return_exceptions=True)]
        longest = max(part.shape[1] for part in parts)
        return np.concatenate(
            [np.pad(part, ((0, 0), (0, longest - part.shape[1]))) for part in parts]
        )

    async def check(self) -> None:
        """Raises InvalidAudio unless some track had samples and its ffmpeg did not crash.

        Call this after the end.
        """
        faults = [await track.fault() for track in self._tracks]
        if None not in faults:
            raise InvalidAudio(str(faults[0]))


def _given(result: NDArray[np.int16] | BaseException) -> NDArray[np.int16]:
    if isinstance(result, BaseException):
        raise result
    return result


@asynccontextmanager
async def open_tracks(
    descriptor: int,
    only: int | None,
    *,
    fill_until_s: float | None,
    rate_hz: int = SAMPLE_RATE_HZ,
) -> AsyncIterator[Tracks]:
    """Starts decoding all audio tracks of an open file, or only track `only`.

    `fill_until_s` is explained at `Timeline`.

    Raises InvalidRequest if there is no such track, or if there are too many tracks, and
    InvalidAudio if one of them claims a sample rate that no recorder has. All child processes have
    ended when this is left.
    """
    options = input_options(descriptor)
    everything = _EVERYTHING if _is_mpeg(descriptor) else ()
    async with AsyncExitStack() as stack:

        async def start(number: int) -> _Track:
            command = ffmpeg_command(
                _name(descriptor), "file", track=number, rate_hz=rate_hz, options=options
            )
            child = await Child.start([*command, *everything], descriptor)
            stack.push_async_callback(child.reap)
            return _Track(child, Timeline(rate_hz, fill_until_s))

        # The first one already decodes while the tracks are counted.
        tracks = [await start(max(only or 0, 0))]
        rates_hz = await _rates_hz(descriptor, options)
        count = len(rates_hz)
        if only is None:
            if count > MOST_TRACKS:
                raise InvalidRequest(
                    f"The file has {count} audio tracks; at most {MOST_TRACKS} can be mixed. "
                    "Choose one of them."
                )
            tracks += [await start(number) for number in range(1, count)]
        elif count and not 0 <= only < count:
            raise InvalidRequest(_no_such_track(only, count))
        _check(rates_hz if only is None else rates_hz[only : only + 1])
        yield Tracks(tracks)


def _name(descriptor: int) -> str:
    return f"/dev/fd/{descriptor}"


def _is_mpeg(descriptor: int) -> bool:
    """Whether a file is an MPEG transport stream (also M2TS) or program stream."""
    head = os.pread(descriptor, 4 + 2 * _TS_PACKET_BYTES, 0)
    is_ts = head[:1] == head[_TS_PACKET_BYTES:][:1] == _TS_SYNC
    is_m2ts = head[4:5] == head[4 + 4 + _TS_PACKET_BYTES :][:1] == _TS_SYNC
    return is_ts or is_m2ts or head.startswith(_PS_HEAD)


def _no_such_track(number: int, count: int) -> str:
    if count == 1:
        return f"There is no audio track {number}: the file has only track 0."
    return f"There is no audio track {number}: the file has {count}, numbered 0 to {count - 1}."


def _check(rates_hz: list[int]) -> None:
    for rate_hz in rates_hz:
        if rate_hz and rate_hz not in _RATES_HZ:
            raise InvalidAudio(f"The audio claims to have {rate_hz} samples a second.")


async def _rates_hz(descriptor: int, options: tuple[str, ...]) -> list[int]:
    """The sample rate of each audio track, 0 if it is unknown, including tracks that cannot be
    decoded. Empty if the tracks are unknown.

    `framecrc` lists the tracks without any text from the file. The output of `ffmpeg -i` has names
    and titles, in which a file can put anything.
    """
    child = await Child.start(
        [
            *input_arguments(_name(descriptor), "file", options=options),
            *("-map", "0:a", "-c", "copy", "-t", "0", "-f", "framecrc", "pipe:1"),
        ],
        descriptor,
    )
    try:
        listed = b""
        while len(listed) < _MOST_LIST_BYTES and (chunk := await child.stdout.read(CHUNK_BYTES)):
            listed += chunk
        else:
            await child.ended()
    finally:
        await child.reap()
    rates_hz: list[int] = []
    for line in listed.splitlines():
        if line.startswith(b"#media_type "):
            rates_hz.append(0)
        elif line.startswith(b"#sample_rate ") and rates_hz:
            rates_hz[-1] = int(line.rpartition(b" ")[2])
    return rates_hz


class _Track:
    """One audio track: reads its ffmpeg and places the samples by their timestamps."""

    def __init__(self, child: Child, timeline: Timeline) -> None:
        self._child = child
        self._timeline = timeline
        self._stream = Packets()
        self._packets: deque[tuple[int, bytes]] = deque()
        self._silence_bytes = 0
        self._sound = memoryview(b"")
        self._is_empty = True

    async def read(self, count: int) -> NDArray[np.int16]:
        """See `Tracks.read`. A track without samples has no channels."""
        pcm = bytearray()
        while (missing := self._frame_bytes * count - len(pcm)) > 0 or not self._stream.channels:
            if self._silence_bytes:
                taken = min(missing, self._silence_bytes)
                pcm += bytes(taken)
                self._silence_bytes -= taken
            elif self._sound:
                pcm += self._sound[:missing]
                self._sound = self._sound[missing:]
            elif not await self._next_packet():
                break
        samples = np.frombuffer(pcm, "<i2").astype(np.int16, copy=False)
        return samples.reshape(-1, max(self._stream.channels, 1)).T[: self._stream.channels]

    async def fault(self) -> str | None:
        """Why this track gave no audio; None if it did."""
        status, complaint = await self._child.ended()
        if complaint:
            _log.debug("ffmpeg ended with status %d and said: %s", status, complaint)
        if status >= 0 and not self._is_empty:
            return None
        if "matches no streams" in complaint:
            return "The file has no audio track."
        if status == 0:
            return "The audio is empty: it has no samples."
        return "The file is not audio or video that can be decoded."

    @property
    def _frame_bytes(self) -> int:
        return self._stream.channels * _SAMPLE_BYTES

    async def _next_packet(self) -> bool:
        while not self._packets:
            chunk = await self._child.stdout.read(CHUNK_BYTES)
            if not chunk:
                return False
            self._packets.extend(self._stream.feed(chunk))
        time_ms, pcm = self._packets.popleft()
        count = len(pcm) // self._frame_bytes
        self._silence_bytes = self._frame_bytes * self._timeline.silence_before(time_ms, count)
        self._sound = memoryview(pcm)[: count * self._frame_bytes]
        self._is_empty = self._is_empty and count == 0
        return True
