"""Getting at audio: downloading it, decoding it to samples, and making it fit for browsers."""

from echostream.media.decode import decode, decode_channels, ffmpeg_command, ffmpeg_path
from echostream.media.fetch import fetch
from echostream.media.mixing import MonoStream
from echostream.media.playable import make_playable

__all__ = [
    "MonoStream",
    "decode",
    "decode_channels",
    "fetch",
    "ffmpeg_command",
    "ffmpeg_path",
    "make_playable",
]
