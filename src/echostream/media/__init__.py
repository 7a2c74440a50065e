"""Audio: downloading it, decoding it to samples, and converting it for browsers."""

from echostream.media.decode import decode, decode_channels
from echostream.media.fetch import fetch
from echostream.media.ffmpeg import ffmpeg_command, ffmpeg_path, start_ffmpeg
from echostream.media.live import LiveSamples
from echostream.media.playable import make_playable
from echostream.media.raw import TELEPHONE_RATE_HZ, Encoding, RawDecoder

__all__ = [
    "TELEPHONE_RATE_HZ",
    "Encoding",
    "LiveSamples",
    "RawDecoder",
    "decode",
    "decode_channels",
    "fetch",
    "ffmpeg_command",
    "ffmpeg_path",
    "make_playable",
    "start_ffmpeg",
]
