"""Getting at audio: downloading it, and decoding it to samples."""

from echostream.media.decode import decode
from echostream.media.fetch import fetch

__all__ = ["decode", "fetch"]
