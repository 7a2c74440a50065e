"""Any audio or video file to samples, by an ffmpeg child process.

The child parses hostile input, so it is given as little as possible: an open descriptor instead of
a name, container formats that carry their own audio, no network, no environment.
"""

import asyncio
import logging
import os
import re
import shutil
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO, cast

import imageio_ffmpeg
import numpy as np

from echostream.domain import SAMPLE_RATE_HZ
from echostream.errors import AudioTooLong, EchoStreamError, InvalidAudio, InvalidRequest
from echostream.media.mixing import MonoStream, Samples, WavStream, mixed_tracks

_log = logging.getLogger(__name__)

_CHUNK_BYTES = 256 * 1024
_SAMPLE_BYTES = 2
_COMPLAINT_BYTES = 4 * 1024
_MOST_CHANNELS = 16
_MOST_TRACKS = 16
IN_PLACE = "async=1:first_pts=0"
"""ffmpeg's aresample puts sound where its timestamps are."""

# Containers that hold their audio themselves. Left out on purpose: whatever names other files or
# hosts (hls, dash, concat, imf, sdp, rtsp), pictures, subtitles and devices. Names that an ffmpeg
# build does not know are ignored by it.
_CONTAINERS = (
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,asf_o,au,avi,caf,dss,dts,dtshd,eac3,flac,flv,gsm,loas,"
    "matroska,webm,mov,mp3,mpc,mpc8,mpeg,mpegts,mxf,nistsphere,ogg,rm,tak,tta,voc,w64,wav,wv"
)


@cache
def ffmpeg_path() -> str:
    """The system's ffmpeg, else the one that comes with imageio-ffmpeg.

    Raises EchoStreamError if there is neither.
    """
    if found := shutil.which("ffmpeg"):
        return found
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise EchoStreamError("ffmpeg is not installed; audio cannot be decoded.") from error


async def decode(
    audio: IO[bytes] | Path, *, max_audio_s: float, timeout_s: float, track: int | None = None
) -> Samples:
    """Decode a file to mono samples at 16 kHz, shape `(samples,)`: all of its audio tracks mixed,
    or the one of number `track`, from 0.

    An open `audio` must be a real file with a descriptor, which may be unlinked; it is read from
    its start, its position does not matter, and it stays open. What can be had of a damaged file
    is returned, tracks that cannot be decoded are passed over. Sound keeps the place that the
    file's timestamps give it. Memory grows by the samples alone: 32 kB per second of audio and
    track.

    Raises InvalidAudio if nothing can be decoded within `timeout_s`, AudioTooLong as soon as there
    are more than `max_audio_s` seconds, InvalidRequest for a track that is not there. The child has
    ended when this returns, raises or is cancelled.
    """
    tracks = await _decode_tracks(audio, track, max_audio_s, timeout_s, _mono)
    return tracks[0] if len(tracks) == 1 else mixed_tracks(tracks)


async def decode_channels(
    audio: IO[bytes] | Path, *, max_audio_s: float, timeout_s: float, track: int | None = None
) -> list[Samples]:
    """As `decode`, with each channel by itself; those of several tracks one after the other, all of
    the same length. Raises InvalidRequest for more than 16 as well."""
    found = await _decode_tracks(audio, track, max_audio_s, timeout_s, _channels)
    channels = [channel for track in found for channel in track.T]
    if len(channels) > _MOST_CHANNELS:
        raise InvalidRequest(
            f"The file has {len(channels)} channels; up to {_MOST_CHANNELS} can be kept apart."
        )
    longest = max(len(channel) for channel in channels)
    return [np.pad(channel, (0, longest - len(channel))) for channel in channels]


Collect = Callable[[asyncio.StreamReader, float], Awaitable[Samples]]
"""Reads the WAV file that ffmpeg writes, up to so many seconds."""


async def _decode_tracks(
    audio: IO[bytes] | Path,
    track: int | None,
    max_audio_s: float,
    timeout_s: float,
    collect: Collect,
) -> list[Samples]:
    """The tracks that were asked for, each as `collect` gives it."""
    with _opened(audio) as descriptor:
        try:
            async with asyncio.timeout(timeout_s):
                wanted = await _wanted_tracks(descriptor, track)
                found = []
                for number in wanted:
                    try:
                        found.append(await _decode_track(descriptor, number, max_audio_s, collect))
                    except InvalidAudio:
                        # Such as a track in a codec that nobody but its maker knows.
                        if not found and number == wanted[-1]:
                            raise
                return found
        except TimeoutError:
            raise InvalidAudio(f"The file took longer than {timeout_s:g} s to decode.") from None


async def _wanted_tracks(descriptor: int, track: int | None) -> list[int]:
    count = await count_tracks(descriptor)
    if track is not None and track >= count > 0:
        has = "one audio track" if count == 1 else f"{count} audio tracks"
        raise InvalidRequest(f"audioTrack: the file has {has}, counted from 0.")
    return list(range(max(1, count))) if track is None else [track]


async def count_tracks(descriptor: int) -> int:
    """The audio tracks of a file, whether they can be decoded or not. 0 also where the file cannot
    be read, which decoding it will tell."""
    told = bytearray()

    async def listen(stdout: asyncio.StreamReader) -> Samples:
        while chunk := await stdout.read(_CHUNK_BYTES):
            told.extend(chunk)
        return np.zeros(0, np.int16)

    # A list by a muxer and not ffmpeg's log, where a title may look like whatever it likes.
    listed = ("-map", "0:a", "-c", "copy", "-t", "0.001", "-f", "framecrc", "pipe:1")
    await _run_ffmpeg(
        [*input_arguments(f"/dev/fd/{descriptor}", "file"), *listed], descriptor, listen
    )
    return min(_MOST_TRACKS, len(re.findall(rb"^#media_type \d+: audio", told, re.MULTILINE)))


async def _decode_track(
    descriptor: int, track: int, max_audio_s: float, collect: Collect
) -> Samples:
    async def run(*, in_place: bool) -> Samples:
        command = [
            *input_arguments(f"/dev/fd/{descriptor}", "file"),
            *output_arguments(track, in_place=in_place),
        ]
        samples, status, complaint = await _run_ffmpeg(
            command, descriptor, lambda stdout: collect(stdout, max_audio_s)
        )
        if complaint:
            _log.debug("ffmpeg ended with status %d and said: %s", status, complaint)
        _check(samples, status, complaint)
        return samples

    try:
        return await run(in_place=True)
    except AudioTooLong:
        # Too long by its timestamps, which may be nonsense; or too long indeed.
        return await run(in_place=False)


async def _mono(stdout: asyncio.StreamReader, max_audio_s: float) -> Samples:
    stream = MonoStream()
    pcm = bytearray()
    while chunk := await stdout.read(_CHUNK_BYTES):
        pcm += stream.add(chunk).tobytes()
        _check_length(len(pcm) // _SAMPLE_BYTES, max_audio_s)
    pcm += stream.close().tobytes()
    return np.frombuffer(pcm, np.int16)


async def _channels(stdout: asyncio.StreamReader, max_audio_s: float) -> Samples:
    stream = WavStream()
    pcm = bytearray()
    count = 0
    while chunk := await stdout.read(_CHUNK_BYTES):
        samples = stream.add(chunk)
        pcm += samples.tobytes()
        count += len(samples)
        _check_length(count, max_audio_s)
    return np.frombuffer(pcm, np.int16).reshape(-1, stream.channels or 1)


def _check_length(samples: int, max_audio_s: float) -> None:
    if samples > max_audio_s * SAMPLE_RATE_HZ:
        raise AudioTooLong(f"The audio is longer than the {max_audio_s:g} s that are allowed.")


@contextmanager
def _opened(audio: IO[bytes] | Path) -> Iterator[int]:
    """Give the descriptor of a file that is not empty."""
    if isinstance(audio, Path):
        if not audio.is_file():  # opening a FIFO would block the event loop
            raise InvalidAudio(f"{audio.name} is not a file.")
        with _open(audio) as file, _opened(file) as descriptor:
            yield descriptor
        return
    descriptor = audio.fileno()  # moves a spooled file from memory to disk
    audio.flush()  # the child sees what the system has, not our buffer
    if os.fstat(descriptor).st_size == 0:
        raise InvalidAudio("The file is empty.")
    yield descriptor


def _open(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except OSError as error:
        raise InvalidAudio(f"{path.name} cannot be opened: {error.strerror}.") from error


def ffmpeg_command(
    source: str, protocol: str, *, options: tuple[str, ...] = (), more_containers: str = ""
) -> list[str]:
    """ffmpeg's argument list for a stream, from an untrusted `source` to what `MonoStream` reads.

    None of it may come from a client. `options` are of the input, `more_containers` are allowed
    beside those that hold audio themselves. A stream may be picked up in its middle, so its
    timestamps are not looked at: they would give it hours of silence for its past.
    """
    return [
        *input_arguments(source, protocol, options=options, more_containers=more_containers),
        *output_arguments(0, in_place=False),
    ]


def output_arguments(track: int, *, in_place: bool) -> list[str]:
    """From one audio track to a WAV file of PCM16 at 16 kHz on stdout, with all its channels.

    `in_place`: silence is put where the timestamps have a gap, and before sound that begins later
    than the picture. ffmpeg counts them from the beginning of the file, whatever they begin with.
    """
    resampled = f"aresample={SAMPLE_RATE_HZ}"
    return [
        *("-map", f"0:a:{track}", "-vn", "-sn", "-dn"),
        *("-af", f"{resampled}:{IN_PLACE}" if in_place else resampled),
        *("-map_metadata", "-1", "-fflags", "+bitexact"),
        *("-flush_packets", "1", "-c:a", "pcm_s16le", "-f", "wav", "pipe:1"),
    ]


def input_arguments(
    source: str, protocol: str, *, options: tuple[str, ...] = (), more_containers: str = ""
) -> list[str]:
    """ffmpeg's arguments up to the `source`, whatever is to be made of it."""
    containers = f"{_CONTAINERS},{more_containers}" if more_containers else _CONTAINERS
    return [
        *(ffmpeg_path(), "-nostdin", "-hide_banner", "-loglevel", "error"),
        *("-protocol_whitelist", protocol, "-format_whitelist", containers),
        *("-threads", "1", *options, "-i", source),
    ]


async def _run_ffmpeg(
    command: list[str],
    descriptor: int,
    collect: Callable[[asyncio.StreamReader], Awaitable[Samples]],
) -> tuple[Samples, int, str]:
    """Give what `collect` makes of stdout, the child's exit status and the end of what it wrote to
    stderr."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        pass_fds=(descriptor,),
        env={},  # our secrets are none of its business, nor are FFREPORT and proxies
        # Ctrl-C in a terminal must not end it early: cut audio would pass for a damaged file.
        start_new_session=True,
    )
    stdout = cast(asyncio.StreamReader, process.stdout)
    stderr = cast(asyncio.StreamReader, process.stderr)
    complaint = asyncio.create_task(_read_tail(stderr))
    try:
        samples = await collect(stdout)
        return samples, await process.wait(), await complaint
    finally:
        await asyncio.shield(_reap(process, stdout, complaint))


async def _read_tail(stderr: asyncio.StreamReader) -> str:
    tail = b""
    while chunk := await stderr.read(_CHUNK_BYTES):
        tail = (tail + chunk)[-_COMPLAINT_BYTES:]
    return tail.decode(errors="replace").strip()


async def _reap(
    process: asyncio.subprocess.Process, stdout: asyncio.StreamReader, complaint: asyncio.Task[str]
) -> None:
    """End the child and read its pipes to their end, which is when asyncio closes them."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()
    while await stdout.read(_CHUNK_BYTES):
        pass
    await asyncio.gather(complaint, process.wait(), return_exceptions=True)


def _check(samples: Samples, status: int, complaint: str) -> None:
    """Raise InvalidAudio unless there are samples and the child did not crash."""
    if status >= 0 and len(samples):
        return
    if "matches no streams" in complaint:
        raise InvalidAudio("The file has no audio track.")
    if status == 0:
        raise InvalidAudio("The audio is empty: it has no samples.")
    raise InvalidAudio("The file is not audio or video that can be decoded.")
