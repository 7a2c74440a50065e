"""The audio of one live session, kept on disk until the session ends."""

import os
import tempfile
from contextlib import suppress
from typing import BinaryIO, cast

import numpy as np
import structlog

from echostream.domain import SAMPLE_RATE_HZ
from echostream.engine import Samples
from echostream.errors import AudioError, AudioTooLong, EchoStreamError, InvalidAudio, StorageFull

log = structlog.get_logger(__name__)

_SAMPLE_BYTES = 2


class KeptAudio:
    """An unlinked file of PCM16: it has no name under which others could open it, and is gone when
    it is closed or the process ends, however it ends."""

    def __init__(self, most_s: float, channels: int = 1) -> None:
        """Audio that gets longer than `most_s` is not kept at all."""
        self._most_s = most_s
        self.channels = channels
        self.count = 0
        """How many samples of each channel it has got."""
        self._file: BinaryIO | None = None
        self._fault: EchoStreamError | None = None

    def append(self, samples: Samples) -> None:
        """Takes the next samples, `(channels, samples)` if there are several channels. Never
        raises: a full disk only costs what needs the file."""
        self.count += samples.shape[-1]
        if self._fault is not None:
            return
        if self.count > self._most_s * SAMPLE_RATE_HZ:
            self._lose(AudioTooLong(f"it is longer than the {self._most_s:g} s that are kept"))
            return
        try:
            # Some kilobytes, which the system takes without waiting for the disk.
            self._opened().write(samples.T.astype("<i2", copy=False).tobytes())
        except OSError as error:
            log.warning("live_audio_not_kept", reason=str(error))
            self._lose(StorageFull("the server had no room for it"))

    def samples(self, start: int = 0, end: int | None = None) -> Samples:
        """A copy of the samples from `start` to before `end`, `(channels, samples)` if there are
        several channels. Raises AudioError or StorageFull."""
        end = self.count if end is None else end
        sample_bytes = self.channels * _SAMPLE_BYTES
        samples = np.empty((end - start) * self.channels, "<i2")
        rest, at = samples.view(np.uint8).data, start * sample_bytes
        file = self._flushed().fileno()
        while len(rest) and (count := os.preadv(file, [rest], at)):
            rest, at = rest[count:], at + count  # the system gives at most 2 GiB at once
        if self.channels == 1:
            return samples
        return np.ascontiguousarray(samples.reshape(-1, self.channels).T)

    def close(self) -> None:
        """Removes the audio."""
        self._lose(InvalidAudio("it is no longer kept"))

    def _opened(self) -> BinaryIO:
        if self._file is None:
            self._file = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115 - until `close`
        return self._file

    def _flushed(self) -> BinaryIO:
        if self._fault is not None:
            raise self._fault
        if self._file is None:
            raise InvalidAudio("there was no audio")
        try:
            self._file.flush()
        except OSError as error:
            raise StorageFull("the server had no room for it") from error
        return self._file

    def _lose(self, fault: AudioError | StorageFull) -> None:
        self._fault = self._fault or fault
        if self._file is not None:
            with suppress(OSError):  # it may still hold what the disk had no room for
                self._file.close()
            self._file = None
