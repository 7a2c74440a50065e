"""A live client whose audio is cut into items, each with a transcript of its own.

Where an item ends is decided by the client, or by turn detection. Each item is a `LiveSession`;
those of one client share one place in the engine and take turns there, the older first.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

import numpy as np

from echostream.domain import SAMPLE_RATE_HZ, TranscribeOptions
from echostream.engine import LivePlace, Samples, VadState
from echostream.engine.vad import FRAME_SAMPLES
from echostream.errors import AudioTooLong, LiveError, NothingToCommit
from echostream.streaming.events import Event, Final, Partial
from echostream.streaming.forms import PCM
from echostream.streaming.session import LiveSession
from echostream.streaming.shared_place import SharedPlace, Turn
from echostream.streaming.turn_detection import Change, TurnDetection, TurnDetector

_LEAST_ITEM_S = 0.1
_MOST_UNREAD = 4
"""Items that may wait for the engine; with more, the client has to wait."""
_PATIENCE_S = 24 * 3600.0
"""A client learns from its connection that it is too fast, so no piece is refused."""
_NOTHING = np.zeros(0, np.int16)


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    item_id: str
    audio_start_ms: int


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    item_id: str
    audio_end_ms: int


@dataclass(frozen=True, slots=True)
class Committed:
    """The item has all of its audio. `previous_id` is the item that was committed before it."""

    item_id: str
    previous_id: str | None


@dataclass(frozen=True, slots=True)
class Delta:
    """Text that continues that of the item, and never changes."""

    item_id: str
    text: str


@dataclass(frozen=True, slots=True)
class Completed:
    """All deltas of the item are `text`, unless `final` has an error."""

    item_id: str
    text: str
    audio_s: float
    final: Final


ItemEvent = SpeechStarted | SpeechStopped | Committed | Delta | Completed
Tell = Callable[[ItemEvent], Awaitable[None]]


@dataclass(slots=True, eq=False)
class _Item:
    session: LiveSession
    id: str = field(default_factory=lambda: f"item_{secrets.token_hex(10)}")
    samples: int = 0
    texts: list[str] = field(default_factory=list)

    @property
    def audio_s(self) -> float:
        return self.samples / SAMPLE_RATE_HZ


async def _tell_nobody(_event: ItemEvent) -> None:
    pass


class Items:
    """Only one task at a time may call it. Set `tell` before there is any audio."""

    def __init__(
        self,
        place: LivePlace,
        *,
        max_audio_s: float,
        vocabulary: tuple[str, ...] = (),
        observe: Callable[[Event], None] = lambda _event: None,
    ) -> None:
        """`vocabulary` are names and terms that are likely in any session. `observe` gets the
        events of all items' sessions."""
        self._turn = Turn()
        self._detecting = Turn()
        self._place = SharedPlace(place, self._turn, self._detecting)
        self._speech_place = SharedPlace(place, self._turn, self._detecting, all_is_speech=True)
        self.tell: Tell = _tell_nobody
        """Gets the events, in order for each item. It must not raise."""
        self._vocabulary = vocabulary
        self._observe = observe
        self._max_samples = int(max_audio_s * SAMPLE_RATE_HZ)
        self._options = TranscribeOptions()
        self._language: str | None = None
        self._detection: TurnDetection | None = None
        self._detector: TurnDetector | None = None
        self._vad = VadState()
        self._unseen = _NOTHING
        self._tail = _NOTHING
        self._heard = 0
        self._open: _Item | None = None
        self._last_id: str | None = None
        self._concluding: dict[_Item, asyncio.Task[None]] = {}

    def configure(self, options: TranscribeOptions, detection: TurnDetection | None) -> None:
        """Items that begin from now on are read with `options`. Without `detection` they only end
        when they are committed."""
        self._options = options.with_vocabulary(self._vocabulary)
        if detection != self._detection:
            self._detection = detection
            self._restart_detector()

    async def hear(self, samples: Samples) -> None:
        """Takes the next samples; waits while too many wait for the engine. Raises AudioTooLong
        once there are more than the limit."""
        room = max(0, self._max_samples - self._heard - len(self._unseen))
        if self._detector is None:
            await self._take_unseen()
            await self._add(samples[:room])
        else:
            await self._detect(samples[:room], self._detector)
        if len(samples) > room:
            raise AudioTooLong(f"live audio may be {self._max_samples // SAMPLE_RATE_HZ} s long")

    async def commit(self) -> None:
        """Ends the item. Raises NothingToCommit for less than a tenth of a second of audio."""
        await self._take_unseen()
        held = self._open.samples if self._open else len(self._tail)
        if held < _LEAST_ITEM_S * SAMPLE_RATE_HZ:
            raise NothingToCommit(
                "Error committing input audio buffer: buffer too small. Expected at least "
                f"{_LEAST_ITEM_S * 1000:.0f}ms of audio, but buffer only has "
                f"{held * 1000 / SAMPLE_RATE_HZ:.2f}ms of audio."
            )
        await self._end(self._open or await self._begin())
        self._restart_detector()

    async def clear(self) -> None:
        """Drops the audio that is not committed."""
        await self._take_unseen()
        self._tail = _NOTHING
        if self._open is not None:
            item, self._open = self._open, None
            await item.session.aclose()
        self._restart_detector()

    async def finish(self) -> None:
        """Commits speech that has not ended, and waits until all items are completed."""
        if self._open is not None:
            try:
                await self.commit()
            except NothingToCommit:
                await self.clear()
        while self._concluding:
            await asyncio.wait(self._concluding.values())

    async def aclose(self) -> None:
        """Stops at once; the place stays open."""
        tasks = list(self._concluding.values())
        items = [*self._concluding, *([self._open] if self._open else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(item.session.aclose() for item in items))
        await asyncio.gather(self._turn.aclose(), self._detecting.aclose())

    def _restart_detector(self) -> None:
        is_speaking = self._open is not None
        wanted = self._detection
        self._detector = TurnDetector(wanted, is_speaking=is_speaking) if wanted else None

    async def _detect(self, samples: Samples, detector: TurnDetector) -> None:
        """Cuts the audio where speech starts and stops. Less than a frame waits for more."""
        waiting = np.concatenate([self._unseen, samples])
        whole = len(waiting) - len(waiting) % FRAME_SAMPLES
        self._unseen = waiting[whole:]
        detected = await self._place.detect(waiting[:whole], self._vad)
        self._vad = detected.state
        done = 0
        for number, chance in enumerate(detected.chances, start=1):
            if change := detector.note(chance):
                upto = number * FRAME_SAMPLES
                await self._change(change, waiting[done:upto])
                done = upto
        await self._pass_on(waiting[done:whole])

    async def _change(self, change: Change, samples: Samples) -> None:
        """Takes the samples up to a change."""
        if change is Change.STARTED:
            self._keep(samples, FRAME_SAMPLES)
            start_ms = (self._heard - len(self._tail)) * 1000 // SAMPLE_RATE_HZ
            item = await self._begin()
            await self.tell(SpeechStarted(item.id, start_ms))
            return
        await self._pass_on(samples)
        if self._open is not None:
            end_ms = self._heard * 1000 // SAMPLE_RATE_HZ
            await self.tell(SpeechStopped(self._open.id, end_ms))
            await self._end(self._open)

    async def _pass_on(self, samples: Samples) -> None:
        if self._open is not None:
            await self._add(samples)
        else:
            self._keep(samples)

    async def _take_unseen(self) -> None:
        unseen, self._unseen = self._unseen, _NOTHING
        await self._pass_on(unseen)

    def _keep(self, samples: Samples, more: int = 0) -> None:
        """Audio before speech, as much as an item begins with and `more`."""
        self._heard += len(samples)
        most = more + (self._detection.padding_samples if self._detection else 0)
        self._tail = np.concatenate([self._tail, samples])[-most:] if most else _NOTHING

    async def _add(self, samples: Samples) -> None:
        self._heard += len(samples)
        if len(samples):
            item = self._open or await self._begin()
            await self._feed(item, samples)

    async def _begin(self) -> _Item:
        """An item begins, with the audio that was kept."""
        while len(self._concluding) >= _MOST_UNREAD:
            await asyncio.wait(self._concluding.values(), return_when=asyncio.FIRST_COMPLETED)
        self._open = item = _Item(self._new_session())
        item.session.told.listener = lambda event: self._tell_text(item, event)
        kept, self._tail = self._tail, _NOTHING
        await self._feed(item, kept)
        return item

    def _new_session(self) -> LiveSession:
        # What was spoken last is likely to be spoken again, which short items do not tell.
        expected = self._language or self._options.expected_language
        return LiveSession(
            self._speech_place if self._detector else self._place,
            None,
            options=replace(self._options, expected_language=expected),
            max_audio_s=self._max_samples / SAMPLE_RATE_HZ,
            form=PCM,
            patience_s=_PATIENCE_S,
            observe=self._observe,
        )

    async def _feed(self, item: _Item, samples: Samples) -> None:
        item.samples += len(samples)
        # A session that has failed takes no more; its item is told as failed once it is committed.
        with suppress(LiveError):
            await item.session.feed(samples.astype("<i2", copy=False).tobytes())

    async def _end(self, item: _Item) -> None:
        self._open = None
        await self.tell(Committed(item.id, self._last_id))
        self._last_id = item.id
        item.session.finish()
        task = asyncio.create_task(self._conclude(item))
        self._concluding[item] = task
        task.add_done_callback(lambda _: self._concluding.pop(item))

    async def _conclude(self, item: _Item) -> None:
        final = await item.session.final
        if item.texts and final.transcript.language != "und":
            self._language = final.transcript.language
        await self.tell(Completed(item.id, "".join(item.texts), item.audio_s, final))

    async def _tell_text(self, item: _Item, event: Event) -> None:
        if isinstance(event, Partial) and event.text:
            item.texts.append(event.text)
            await self.tell(Delta(item.id, event.text))
