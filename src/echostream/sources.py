"""Where audio comes from, a file or a URL, and how it becomes samples."""

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from echostream.domain import AudioOptions
from echostream.engine import Samples
from echostream.media import decode, decode_channels, fetch
from echostream.settings import Settings


@dataclass(frozen=True, slots=True)
class Url:
    """A remote source, fetched only from addresses that the address guard allows."""

    url: str


Source = BinaryIO | Path | Url
"""An open file with a descriptor, a file on this machine, or a URL."""


async def fetched(source: Url, settings: Settings) -> BinaryIO:
    """Downloads a source into a temporary file. Raises FetchError or AudioTooLarge."""
    return await fetch(
        source.url,
        max_bytes=settings.max_upload_bytes,
        timeout_s=settings.fetch_timeout_s,
        allow_private=settings.allow_private_urls,
    )


async def decoded(
    source: BinaryIO | Path, audio: AudioOptions, settings: Settings
) -> list[Samples]:
    """Returns the samples of each channel that is transcribed separately. Raises AudioError."""
    limits = {
        "max_audio_s": float(settings.max_audio_seconds),
        "timeout_s": settings.decode_timeout_s,
    }
    if audio.channels == "separate":
        return list(await decode_channels(source, track=audio.track, **limits))
    return [await decode(source, track=audio.track, **limits)]
