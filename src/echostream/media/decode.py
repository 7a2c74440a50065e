"""Any audio or video file to samples, by an ffmpeg child process.

The child parses hostile input, so it is given as little as possible: an open descriptor instead of
a name, container formats that carry their own audio, no network, no environment.
"""

import asyncio
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO, cast

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

from echostream.domain import SAMPLE_RATE_HZ
from echostream.errors import AudioTooLong, EchoStreamError, InvalidAudio

_log = logging.getLogger(__name__)

_SAMPLE_BYTES = 2
_CHUNK_BYTES = 256 * 1024
_COMPLAINT_BYTES = 4 * 1024

# Containers that hold their audio themselves. Left out on purpose: whatever names other files or
# hosts (hls, dash, concat, imf, sdp, rtsp), pictures, subtitles and devices. Names that an ffmpeg
# build does not know are ignored by it.
_CONTAINERS = (
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,asf_o,au,avi,caf,dss,dts,dtshd,eac3,flac,flv,gsm,loas,"
    "matroska,webm,mov,mp3,mpc,mpc8,mpeg,mpegts,mxf,nistsphere,ogg,rm,tak,tta,voc,w64,wav,wv"
)

# The mean of all channels, whatever their layout; indices past the last channel are ignored, `<`
# makes the weights sum to 1. ffmpeg's own downmix drops the fourth channel of six as a subwoofer
# and refuses layouts it has no name for, such as nine microphones.
_MEAN_OF_CHANNELS = "pan=mono|c0<" + "+".join(f"c{channel}" for channel in range(64))


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
    audio: IO[bytes] | Path, *, max_audio_s: float, timeout_s: float
) -> NDArray[np.int16]:
    """Decode the first audio stream of a file to mono samples at 16 kHz, shape `(samples,)`.

    An open `audio` must be a real file with a descriptor, which may be unlinked; it is read from
    its start, its position does not matter, and it stays open. What can be had of a damaged file
    is returned. Memory grows by the samples alone: 32 kB per second of audio.

    Raises InvalidAudio if nothing can be decoded within `timeout_s`, AudioTooLong as soon as there
    are more than `max_audio_s` seconds. The child has ended when this returns, raises or is
    cancelled.
    """
    with _opened(audio) as descriptor:
        try:
            async with asyncio.timeout(timeout_s):
                pcm, status, complaint = await _run_ffmpeg(descriptor, max_audio_s)
        except TimeoutError:
            raise InvalidAudio(f"The file took longer than {timeout_s:g} s to decode.") from None
    if complaint:
        _log.debug("ffmpeg ended with status %d and said: %s", status, complaint)
    _check(pcm, status, complaint)
    return np.frombuffer(pcm, np.int16, count=len(pcm) // _SAMPLE_BYTES)


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
    """ffmpeg's argument list, from an untrusted `source` to samples on stdout.

    None of it may come from a client. `options` are of the input, `more_containers` are allowed
    beside those that hold audio themselves.
    """
    return [
        *input_arguments(source, protocol, options=options, more_containers=more_containers),
        *("-map", "0:a:0", "-vn", "-sn", "-dn", "-af", _MEAN_OF_CHANNELS),
        *("-ar", str(SAMPLE_RATE_HZ), "-flush_packets", "1", "-f", "s16le", "pipe:1"),
    ]


def input_arguments(
    source: str, protocol: str, *, options: tuple[str, ...] = (), more_containers: str = ""
) -> list[str]:
    """The same up to the `source`, whatever is to be made of it."""
    containers = f"{_CONTAINERS},{more_containers}" if more_containers else _CONTAINERS
    return [
        *(ffmpeg_path(), "-nostdin", "-hide_banner", "-loglevel", "error"),
        *("-protocol_whitelist", protocol, "-format_whitelist", containers),
        *("-threads", "1", *options, "-i", source),
    ]


async def _run_ffmpeg(descriptor: int, max_audio_s: float) -> tuple[bytearray, int, str]:
    """Give the raw samples, the child's exit status and the end of what it wrote to stderr."""
    process = await asyncio.create_subprocess_exec(
        *ffmpeg_command(f"/dev/fd/{descriptor}", "file"),
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
        pcm = await _read_samples(stdout, max_audio_s)
        return pcm, await process.wait(), await complaint
    finally:
        await asyncio.shield(_reap(process, stdout, complaint))


async def _read_samples(stdout: asyncio.StreamReader, max_audio_s: float) -> bytearray:
    max_bytes = int(max_audio_s * SAMPLE_RATE_HZ) * _SAMPLE_BYTES
    pcm = bytearray()
    while chunk := await stdout.read(_CHUNK_BYTES):
        pcm += chunk
        if len(pcm) > max_bytes:
            raise AudioTooLong(f"The audio is longer than the {max_audio_s:g} s that are allowed.")
    return pcm


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


def _check(pcm: bytearray, status: int, complaint: str) -> None:
    """Raise InvalidAudio unless there are samples and the child did not crash."""
    if status >= 0 and len(pcm) >= _SAMPLE_BYTES:
        return
    if "matches no streams" in complaint:
        raise InvalidAudio("The file has no audio track.")
    if status == 0:
        raise InvalidAudio("The audio is empty: it has no samples.")
    raise InvalidAudio("The file is not audio or video that can be decoded.")
