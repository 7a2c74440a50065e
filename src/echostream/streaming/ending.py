"""The end of a live session: its audio is read once more, as that of a file."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import BinaryIO, TypeVar

import structlog

from echostream.diarization.outcome import with_failure
from echostream.domain import (
    FINAL_PASS_FAILED,
    Caution,
    Progress,
    SpeakerOptions,
    Step,
    TranscribeOptions,
    Transcript,
)
from echostream.engine import LivePlace, Samples
from echostream.errors import EchoStreamError, EngineError
from echostream.speakers import SpeakerFinder
from echostream.streaming.kept import KeptAudio

log = structlog.get_logger(__name__)

T = TypeVar("T")

_LEAST_S = 120.0
"""As much time there is for the audio of any session. For longer audio there is its own length."""

ReadAgain = Callable[
    [BinaryIO, TranscribeOptions, SpeakerOptions | None, Progress], Awaitable[Transcript]
]
"""Transcribes a file, and tells who speaks if there are options for it. Raises EchoStreamError."""


class Ending:
    """Makes the final transcript of one session. The live one stands if that fails."""

    def __init__(
        self,
        kept: KeptAudio,
        options: TranscribeOptions,
        *,
        read_again: ReadAgain | None,
        speakers: SpeakerOptions | None,
        finder: SpeakerFinder,
    ) -> None:
        """Without `read_again` there is no final pass: only the speakers are added, if asked for.
        `options` are those of the client."""
        self._kept = kept
        self._options = options
        self._read_again = read_again
        self._speakers = speakers
        self._finder = finder
        self._has_time = True
        self._limit: asyncio.Timeout | None = None

    async def settle(self, engine: LivePlace, said: Transcript, progress: Progress) -> Transcript:
        """Returns the transcript of the final pass, or else what was `said`, with a warning. Never
        raises."""
        if self._read_again is not None:
            try:
                return await self._in_time(self._final_pass(self._read_again, progress), said)
            except EchoStreamError as error:
                reason = str(error)
            except Exception as error:
                log.error("final_pass_crashed", exc_info=error)
                reason = "the speech engine failed"
            log.warning("final_pass_failed", reason=reason)
            message = f"The audio was not read once more: {reason}."
            said = said.with_cautions([Caution(FINAL_PASS_FAILED, message)])
        if self._speakers is None or self._kept.channels > 1:  # each channel is a speaker
            return said
        try:
            return await self._in_time(self._add_speakers(engine, said, self._speakers), said)
        except EchoStreamError as error:
            return with_failure(said, str(error))

    def hear(self, samples: Samples) -> None:
        """Takes the next samples of the session."""
        self._kept.append(samples)

    def hurry(self) -> None:
        """Ends the work now, or as soon as it would begin."""
        self._has_time = False
        if self._limit is not None:
            self._limit.reschedule(asyncio.get_running_loop().time())

    def close(self) -> None:
        """Removes the audio. Call it when the session has ended."""
        self._kept.close()

    async def _final_pass(self, read_again: ReadAgain, progress: Progress) -> Transcript:
        def tell(step: Step) -> None:
            if step.stage in ("transcribing", "diarizing"):
                progress(step)

        return await read_again(self._kept.file(), self._options, self._speakers, tell)

    async def _add_speakers(
        self, engine: LivePlace, said: Transcript, options: SpeakerOptions
    ) -> Transcript:
        samples = await asyncio.to_thread(self._kept.samples)
        return await self._finder.add(engine, samples, said, options)

    async def _in_time(self, work: Awaitable[T], said: Transcript) -> T:
        """Raises EngineError if the time is over before the work."""
        limit_s = max(_LEAST_S, said.duration_s) if self._has_time else 0.0
        try:
            async with asyncio.timeout(limit_s) as self._limit:
                return await work
        except TimeoutError:
            raise EngineError("there was no time for it") from None
        finally:
            self._limit = None
