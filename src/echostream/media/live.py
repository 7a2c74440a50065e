"""The output of an ffmpeg that reads a live stream, as samples."""

import numpy as np
from numpy.typing import NDArray

from echostream.domain import SAMPLE_RATE_HZ
from echostream.errors import InvalidAudio
from echostream.media.mix import LIVE_STEP_S, Mixer
from echostream.media.packets import Packets


class LiveSamples:
    """Reads what `ffmpeg_command` writes.

    Timestamps are ignored: a decoder that starts in the middle of a stream would otherwise first
    produce silence for as long as the stream has lasted.
    """

    def __init__(self, apart: int | None = None) -> None:
        """The stream has `apart` channels, which are kept apart. If that is None, it may have any
        number, and they are mixed like those of a file."""
        self._apart = apart
        self._packets = Packets()
        self._mixer: Mixer | None = None

    def feed(self, chunk: bytes) -> NDArray[np.int16]:
        """Takes the next bytes; returns the samples that are ready: `(samples,)`, or
        `(channels, samples)` if they are kept apart. Raises InvalidAudio."""
        pcm = b"".join(pcm for _, pcm in self._packets.feed(chunk))
        samples = np.frombuffer(pcm, "<i2").astype(np.int16, copy=False)
        channels = self._packets.channels
        if self._apart is not None:
            if channels not in (0, self._apart):
                raise _other_channels(channels, self._apart)
            return samples.reshape(-1, self._apart).T
        if channels <= 1:
            return samples
        self._mixer = self._mixer or Mixer(channels, rate_hz=SAMPLE_RATE_HZ, step_s=LIVE_STEP_S)
        return self._mixer.mix(samples.reshape(-1, channels).T)

    def finish(self) -> NDArray[np.int16]:
        """The samples that were held back; call this when the stream is over."""
        if self._mixer:
            return self._mixer.finish()
        return np.zeros((self._apart, 0) if self._apart else 0, np.int16)


def _other_channels(found: int, wanted: int) -> InvalidAudio:
    return InvalidAudio(
        f"the audio has {found} channel{'s' if found > 1 else ''}, and {wanted} separate ones were"
        " announced"
    )
