"""Getting at audio: downloading it, and decoding it to samples."""

from echostream.media.decode import decode, ffmpeg_command, ffmpeg_path
from echostream.media.fetch import fetch

__all__ = ["decode", "fetch", "ffmpeg_command", "ffmpeg_path"]
