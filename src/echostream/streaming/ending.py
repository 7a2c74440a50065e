"""The end of a live session: its audio is read once more, and the speakers are told. This is work
on a file, in the queue of files."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from echostream import traces
from echostream.diarization.outcome import with_failure
from echostream.domain import (
    FINAL_PASS_FAILED,
    Caution,
    Progress,
    SpeakerOptions,
    Step,
    Transcript,
)
from echostream.engine import Engine, Place, Samples
from echostream.errors import EchoStreamError
from echostream.speakers import SpeakerFinder
from echostream.streaming.final_pass import FinalPass
from echostream.streaming.kept import KeptAudio

log = structlog.get_logger(__name__)

_LEAST_S = 120.0
"""As much time there is for the audio of any session. For longer audio there is its own length."""
_CRASHED = "the speech engine failed"


@dataclass(frozen=True, slots=True)
class _Task:
    """Makes a better transcript of one. If that fails, `fail` adds a warning with the reason."""

    do: Callable[[Place, Transcript], Awaitable[Transcript]]
    fail: Callable[[Transcript, str], Transcript]


class Ending:
    """Makes the final transcript of one session. The live one stands if that fails."""

    def __init__(
        self,
        engine: Engine,
        kept: KeptAudio,
        *,
        final_pass: FinalPass | None,
        speakers: SpeakerOptions | None,
        finder: SpeakerFinder,
    ) -> None:
        """Without `final_pass`, only the speakers are added, if there are options for them."""
        self._engine = engine
        self._kept = kept
        self._final_pass = final_pass
        self._speakers = speakers
        self._finder = finder
        self._has_time = True
        self._limit: asyncio.Timeout | None = None

    def hear(self, samples: Samples) -> None:
        """Takes the next samples of the session."""
        self._kept.append(samples)

    def look(self, chances: Sequence[float]) -> None:
        """Takes the speech probability of each of the next frames that were heard."""
        if self._final_pass is not None:
            self._final_pass.look(chances)

    async def settle(self, said: Transcript, progress: Progress) -> Transcript:
        """Returns the transcript of the final pass with its speakers, or else what was `said`, with
        warnings. Never raises."""
        with traces.span("final pass"):
            return await self._settle(said, progress)

    async def _settle(self, said: Transcript, progress: Progress) -> Transcript:
        todo = deque(self._tasks(progress))
        reason = "there was no time for it"
        limit_s = max(_LEAST_S, said.duration_s) if self._has_time else 0.0
        try:
            async with asyncio.timeout(limit_s) as self._limit, self._engine.take() as place:
                while todo and self._has_time:
                    said = await _attempt(todo[0], place, said)
                    todo.popleft()
        except TimeoutError:
            pass
        except EchoStreamError as error:  # there was no place
            reason = str(error)
        except Exception as error:
            log.error("live_ending_crashed", exc_info=error)
            reason = _CRASHED
        finally:
            self._limit = None
        for task in todo:
            said = task.fail(said, reason)
        return said

    def hurry(self) -> None:
        """Ends the work now, or as soon as it would begin. May be called again."""
        self._has_time = False
        if self._limit is not None and not self._limit.expired():
            self._limit.reschedule(asyncio.get_running_loop().time())

    async def aclose(self) -> None:
        """Removes the audio. Call it when the session has ended."""
        if self._final_pass is not None:
            await self._final_pass.aclose()
        self._kept.close()

    def _tasks(self, progress: Progress) -> list[_Task]:
        tasks = []
        if (final_pass := self._final_pass) is not None:
            tasks.append(
                _Task(lambda place, _said: final_pass.read_rest(place, progress), _not_read)
            )
        if (speakers := self._speakers) is not None:
            tell = progress if final_pass is not None else _tell_nobody

            async def add(place: Place, said: Transcript) -> Transcript:
                return await self._add_speakers(place, said, speakers, tell)

            tasks.append(_Task(add, with_failure))
        return tasks

    async def _add_speakers(
        self, place: Place, said: Transcript, options: SpeakerOptions, progress: Progress
    ) -> Transcript:
        progress(Step("diarizing"))
        samples = await asyncio.to_thread(self._kept.samples)
        if self._kept.channels > 1:  # each is a speaker
            return await self._finder.add_voices(place, list(samples), said)
        return await self._finder.add(
            place, samples, said, options, lambda share: progress(Step("diarizing", share))
        )


async def _attempt(task: _Task, place: Place, said: Transcript) -> Transcript:
    try:
        return await task.do(place, said)
    except EchoStreamError as error:
        return task.fail(said, str(error))
    except Exception as error:
        log.error("live_ending_crashed", exc_info=error)
        return task.fail(said, _CRASHED)


def _not_read(said: Transcript, reason: str) -> Transcript:
    log.warning("final_pass_failed", reason=reason)
    message = f"The audio was not read once more: {reason}."
    return said.with_cautions([Caution(FINAL_PASS_FAILED, message)])


def _tell_nobody(_step: Step) -> None:
    pass
