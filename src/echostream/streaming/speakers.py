"""Who speaks in a live session, told once it has ended."""

import asyncio
import tempfile
from contextlib import suppress
from typing import IO

import numpy as np
import structlog

from echostream.diarization.outcome import with_failure
from echostream.domain import SpeakerOptions, Transcript
from echostream.engine import LivePlace, Samples
from echostream.errors import InvalidRequest, StorageFull
from echostream.speakers import SpeakerFinder

log = structlog.get_logger(__name__)


class LiveSpeakers:
    """Keeps the whole audio of a session in an unlinked file, because it may be hours long and the
    voices at its end say who spoke at its start."""

    def __init__(self, finder: SpeakerFinder, options: SpeakerOptions) -> None:
        self._finder = finder
        self._options = options
        self._file: IO[bytes] | None = None
        self._fault: OSError | None = None

    def hear(self, samples: Samples) -> None:
        """Takes the next samples. A full disk only costs the speakers."""
        try:
            if self._file is None:
                self._file = _unlinked_file()
            # Some kilobytes, which the system takes without waiting for the disk.
            self._file.write(samples.astype("<i2", copy=False).tobytes())
        except OSError as error:
            log.warning("live_audio_not_kept", reason=str(error))
            self._fault = error

    async def settle(self, engine: LivePlace, transcript: Transcript) -> Transcript:
        """Returns the transcript with speakers, or with a warning. Never raises."""
        try:
            samples = await asyncio.to_thread(self._read)
            return await self._finder.add(engine, samples, transcript, self._options)
        except (InvalidRequest, StorageFull) as error:
            return with_failure(transcript, str(error))

    def close(self) -> None:
        if self._file is not None:
            with suppress(OSError):  # it may still hold what the disk had no room for
                self._file.close()

    def _read(self) -> Samples:
        try:
            if self._fault is not None:
                raise self._fault
            if self._file is None:
                return np.empty(0, np.int16)
            self._file.flush()
            self._file.seek(0)
            return np.fromfile(self._file, "<i2")
        except OSError as error:
            raise StorageFull("the server had no room for the audio") from error


def _unlinked_file() -> IO[bytes]:
    return tempfile.TemporaryFile()
