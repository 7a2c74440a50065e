"""ffmpeg as a child process that reads untrusted files.

It gets as little as possible: an open descriptor instead of a name, only container formats that
hold their own audio, no network, no environment, and bounded memory and CPU time.
"""

import asyncio
import shutil
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import cast

import imageio_ffmpeg

from echostream.domain import SAMPLE_RATE_HZ
from echostream.errors import EchoStreamError
from echostream.media.limits import limit

CHUNK_BYTES = 256 * 1024
_COMPLAINT_BYTES = 4 * 1024

# Containers that hold their own audio. Left out on purpose: formats that refer to other files or
# hosts (hls, dash, concat, imf, sdp, rtsp), pictures, subtitles and devices. ffmpeg ignores names
# that it does not know.
_CONTAINERS = (
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,asf_o,au,avi,caf,dss,dts,dtshd,eac3,flac,flv,gsm,loas,"
    "matroska,webm,mov,mp3,mpc,mpc8,mpeg,mpegts,mxf,nistsphere,ogg,rm,tak,tta,voc,w64,wav,wv"
)


@cache
def ffmpeg_path() -> str:
    """The system's ffmpeg, otherwise the one from imageio-ffmpeg.

    Raises EchoStreamError if there is neither.
    """
    if found := shutil.which("ffmpeg"):
        return found
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise EchoStreamError("ffmpeg is not installed; audio cannot be decoded.") from error


def ffmpeg_command(
    source: str,
    protocol: str,
    *,
    track: int = 0,
    rate_hz: int = SAMPLE_RATE_HZ,
    options: tuple[str, ...] = (),
) -> list[str]:
    """ffmpeg's argument list, to decode one audio track of an untrusted `source` to stdout.

    `Packets` reads the output: PCM16 with separate channels and with times. None of the arguments
    may come from a client. `options` are options of the input.
    """
    return [
        *input_arguments(source, protocol, options=options),
        *("-map", f"0:a:{track}", "-vn", "-sn", "-dn", "-map_metadata", "-1"),
        *("-ar", str(rate_hz), "-c:a", "pcm_s16le", "-avoid_negative_ts", "disabled"),
        *("-flush_packets", "1", "-f", "smjpeg", "pipe:1"),
    ]


def input_arguments(source: str, protocol: str, *, options: tuple[str, ...] = ()) -> list[str]:
    """The first arguments, up to the `source`, whatever the output."""
    return [
        *(ffmpeg_path(), "-nostdin", "-hide_banner", "-loglevel", "error"),
        *("-protocol_whitelist", protocol, "-format_whitelist", _CONTAINERS),
        *("-threads", "1", *options, "-i", source),
    ]


async def start_ffmpeg(
    *arguments: str,
    stdin: int = DEVNULL,
    stdout: int = PIPE,
    stderr: int = PIPE,
    pass_fds: Sequence[int] = (),
    file_bytes: int = 0,
) -> asyncio.subprocess.Process:
    """Starts ffmpeg within its limits. It may write files of `file_bytes` at most."""
    process = await asyncio.create_subprocess_exec(
        *arguments,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        pass_fds=pass_fds,
        env={},  # it must not see our secrets, FFREPORT or proxies
        # Ctrl-C in a terminal must not end it: shortened audio would look like a damaged file.
        start_new_session=True,
    )
    limit(process.pid, file_bytes=file_bytes)
    return process


class Child:
    """One ffmpeg process that reads an open file. The caller reads its stdout."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.stdout = cast(asyncio.StreamReader, process.stdout)
        stderr = cast(asyncio.StreamReader, process.stderr)
        self._complaint = asyncio.create_task(_read_tail(stderr))

    @classmethod
    async def start(cls, command: Sequence[str], descriptor: int) -> "Child":
        return cls(await start_ffmpeg(*command, pass_fds=(descriptor,)))

    async def ended(self) -> tuple[int, str]:
        """Waits for its end; returns its exit status and the last part of its stderr."""
        return await self._process.wait(), await self._complaint

    async def reap(self) -> None:
        """Kills it and reads its pipes to their end, so that asyncio closes them."""
        await asyncio.shield(self._reap())

    async def _reap(self) -> None:
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.kill()
        while await self.stdout.read(CHUNK_BYTES):
            pass
        await asyncio.gather(self._complaint, self._process.wait(), return_exceptions=True)


async def _read_tail(stderr: asyncio.StreamReader) -> str:
    tail = b""
    while chunk := await stderr.read(CHUNK_BYTES):
        tail = (tail + chunk)[-_COMPLAINT_BYTES:]
    return tail.decode(errors="replace").strip()
