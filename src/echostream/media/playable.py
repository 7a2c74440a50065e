"""A copy of a recording that every browser plays, and seeks in exactly."""

import asyncio
import os
from pathlib import Path

from echostream.errors import EchoStreamError, InvalidAudio
from echostream.media.ffmpeg import input_arguments

SUFFIX = ".mp3"
# A constant rate, by which browsers reckon where a second lies in the file.
_ENCODING = ("-vn", "-sn", "-dn", "-map_metadata", "-1", "-ac", "2", "-b:a", "96k", "-f", "mp3")


async def make_playable(source: Path, target: Path, *, timeout_s: float) -> None:
    """Write the first audio stream of `source` to `target` as MP3, all of it or nothing.

    Raises InvalidAudio when it cannot be decoded within `timeout_s`, EchoStreamError when the copy
    cannot be written. The child has ended when this returns, raises or is cancelled.
    """
    unfinished = target.with_name(f".{target.name}.part")
    try:
        with source.open("rb") as audio, unfinished.open("wb") as copy:
            async with asyncio.timeout(timeout_s):
                status = await _encode(audio.fileno(), copy.fileno())
            is_empty = os.fstat(copy.fileno()).st_size == 0
        if status != 0 or is_empty:
            raise InvalidAudio("The file is not audio or video that can be decoded.")
        unfinished.replace(target)
    except TimeoutError:
        raise InvalidAudio(f"The file took longer than {timeout_s:g} s to decode.") from None
    except OSError as error:
        raise EchoStreamError(f"The copy cannot be written: {error.strerror or error}.") from error
    finally:
        unfinished.unlink(missing_ok=True)


async def _encode(source: int, target: int) -> int:
    """ffmpeg's exit status. It reads hostile input: see `decode` for what it is given."""
    process = await asyncio.create_subprocess_exec(
        *input_arguments(f"/dev/fd/{source}", "file"),
        *("-map", "0:a:0", *_ENCODING, "pipe:1"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=target,
        stderr=asyncio.subprocess.DEVNULL,
        pass_fds=(source,),
        env={},
        start_new_session=True,
    )
    try:
        return await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await asyncio.shield(process.wait())
