"""Provisional speakers of live text. They come after the text, which never waits for them."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable

import structlog

from echostream.diarization.online import OnlineSpeakers
from echostream.domain import SAMPLE_RATE_HZ, SpeakerOptions, Voice
from echostream.engine import Samples
from echostream.errors import EchoStreamError
from echostream.streaming.events import Label, Partial
from echostream.streaming.kept import KeptAudio
from echostream.streaming.told import Told

log = structlog.get_logger(__name__)

_PAUSE_S = 0.6
"""After a longer pause somebody else may speak."""
_LEAST_S = 2.0
"""Shorter pieces are taken together with the speech before them."""
_MOST_S = 10.0
_MOST_WAITING = 8
"""If more pieces wait for their speakers, the oldest stay without."""

Embed = Callable[[Samples], Awaitable[Voice | None]]
"""How the speaker of some audio sounds; None if there is too little speech. Raises EngineError."""


class SpeakerLabels:
    """Says who speaks in the partials of one session, one after the other."""

    def __init__(self, kept: KeptAudio, embed: Embed, options: SpeakerOptions) -> None:
        self._kept = kept
        self._embed = embed
        self._speakers = OnlineSpeakers(options)
        self._waiting: deque[Partial] = deque(maxlen=_MOST_WAITING)
        self._has_some = asyncio.Event()
        self._speech_start_s = 0.0
        self._speech_end_s = float("-inf")
        self._last: str | None = None

    def note(self, partial: Partial) -> None:
        """Takes a partial with text."""
        self._waiting.append(partial)
        self._has_some.set()

    async def tell(self, told: Told) -> None:
        """Tells the client who spoke, without an end."""
        try:
            async for label in self.found():
                await told.tell_label(label)
        except Exception as error:
            log.error("speaker_labels_crashed", exc_info=error)

    async def found(self) -> AsyncIterator[Label]:
        """Yields labels as they become known, without an end."""
        while True:
            await self._has_some.wait()
            while self._waiting:
                partial = self._waiting.popleft()
                try:
                    speaker = await self._speaker(partial)
                except EchoStreamError as error:
                    log.debug("no_speaker_label", reason=str(error))
                    continue
                if speaker is not None:
                    yield Label(partial.seq, speaker)
            self._has_some.clear()

    async def _speaker(self, partial: Partial) -> str | None:
        start_s, end_s = self._piece(partial)
        samples = self._kept.samples(int(start_s * SAMPLE_RATE_HZ), int(end_s * SAMPLE_RATE_HZ))
        voice = await self._embed(samples)
        if voice is not None:
            self._last = self._speakers.speaker(voice, end_s - start_s)
        return self._last

    def _piece(self, partial: Partial) -> tuple[float, float]:
        """The audio that tells who speaks in a partial, from the same speech without a pause."""
        if partial.start_s - self._speech_end_s > _PAUSE_S:
            self._speech_start_s = partial.start_s
            self._last = None
        self._speech_end_s = partial.end_s
        start_s = max(self._speech_start_s, min(partial.start_s, partial.end_s - _LEAST_S))
        return start_s, min(partial.end_s, start_s + _MOST_S)
