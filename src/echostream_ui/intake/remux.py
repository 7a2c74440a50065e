"""Adds to a browser's recording what a player needs: its length, and an index for seeking.

A recorder starts writing before it knows the length, and never goes back. The audio itself is
copied unchanged.
"""

import asyncio
import logging
from contextlib import suppress
from pathlib import Path

from echostream.errors import EchoStreamError
from echostream.media import ffmpeg_path, start_ffmpeg
from echostream.private_files import make_private_file

log = logging.getLogger(__name__)

_TIMEOUT_S = 300.0
_INDEX_BYTES = 64 * 1024**2
_CONTAINERS = "matroska,webm,mov,ogg"


async def make_seekable(audio: Path) -> None:
    """Rewrites `audio` in place. A file that ffmpeg cannot read stays unchanged."""
    rewritten = audio.with_name(f"seekable{audio.suffix}")
    try:
        if await _copied(audio, rewritten):
            await asyncio.to_thread(rewritten.replace, audio)
    except (OSError, EchoStreamError) as error:
        log.warning("a recording stays without an index: %s", error)
    finally:
        with suppress(OSError):
            await asyncio.to_thread(rewritten.unlink, missing_ok=True)


async def _copied(audio: Path, target: Path) -> bool:
    await asyncio.to_thread(make_private_file, target)
    size_bytes = (await asyncio.to_thread(audio.stat)).st_size
    process = await start_ffmpeg(
        *(ffmpeg_path(), "-nostdin", "-hide_banner", "-loglevel", "error", "-y"),
        *("-protocol_whitelist", "file", "-format_whitelist", _CONTAINERS),
        *("-i", f"file:{audio}", "-map", "0:a:0", "-c", "copy", "-movflags", "+faststart"),
        f"file:{target}",
        stdout=asyncio.subprocess.DEVNULL,
        file_bytes=2 * size_bytes + _INDEX_BYTES,
    )
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            _, complaint = await process.communicate()
    except TimeoutError:
        log.warning("a recording stays without an index: ffmpeg takes too long")
        return False
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    if process.returncode:
        log.warning("a recording stays without an index: %s", complaint.decode(errors="replace"))
    return process.returncode == 0
