"""The output of an ffmpeg that reads a live stream, as mono samples."""

import numpy as np
from numpy.typing import NDArray

from echostream.domain import SAMPLE_RATE_HZ
from echostream.media.mix import Mixer
from echostream.media.packets import Packets

_STEP_S = 0.064


class LiveSamples:
    """Reads what `ffmpeg_command` writes; channels are mixed like those of a file.

    Timestamps are ignored: a decoder that starts in the middle of a stream would otherwise first
    produce silence for as long as the stream has lasted.
    """

    def __init__(self) -> None:
        self._packets = Packets()
        self._mixer: Mixer | None = None

    def feed(self, chunk: bytes) -> NDArray[np.int16]:
        """Takes the next bytes; returns the samples that are ready. Raises InvalidAudio."""
        pcm = b"".join(pcm for _, pcm in self._packets.feed(chunk))
        samples = np.frombuffer(pcm, "<i2").astype(np.int16, copy=False)
        if self._packets.channels <= 1:
            return samples
        self._mixer = self._mixer or Mixer(
            self._packets.channels, rate_hz=SAMPLE_RATE_HZ, step_s=_STEP_S
        )
        return self._mixer.mix(samples.reshape(-1, self._packets.channels).T)

    def finish(self) -> NDArray[np.int16]:
        """The samples that were held back; call this when the stream is over."""
        return self._mixer.finish() if self._mixer else np.zeros(0, np.int16)
