"""Audio: downloading it, decoding it to samples, and converting it for browsers."""

from echostream.media.decode import decode, decode_channels
from echostream.media.fetch import fetch
from echostream.media.ffmpeg import ffmpeg_command, ffmpeg_path, start_ffmpeg
from echostream.media.live import LiveSamples
from echostream.media.opus import OpusStream
from echostream.media.playable import make_playable
from echostream.media.raw import (
    LEAST_RATE_HZ,
    MOST_RATE_HZ,
    TELEPHONE_RATE_HZ,
    Encoding,
    RawChannels,
    RawDecoder,
    RawMix,
)

__all__ = [
    "LEAST_RATE_HZ",
    "MOST_RATE_HZ",
    "TELEPHONE_RATE_HZ",
    "Encoding",
    "LiveSamples",
    "OpusStream",
    "RawChannels",
    "RawDecoder",
    "RawMix",
    "decode",
    "decode_channels",
    "fetch",
    "ffmpeg_command",
    "ffmpeg_path",
    "make_playable",
    "start_ffmpeg",
]
