"""The speech engine in this process."""

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

from echostream.diarization.base import Diarization, Diarizer
from echostream.domain import SpeakerOptions, TranscribeOptions, Voice
from echostream.engine.base import Samples, Transcription
from echostream.engine.diarizer import SharedDiarizer
from echostream.engine.live import LiveEngine
from echostream.engine.registry import Registry
from echostream.engine.service import EngineState, Heard, LivePlace, ModelState, Place
from echostream.engine.speech_only import load_diarizer
from echostream.engine.turns import Turns
from echostream.engine.vad import Detected, Region, VadState, detect_speech
from echostream.errors import EchoStreamError, ServerBusy
from echostream.settings import Settings

_LOOK_AFTER_S = 0.25
"""How often to look for idle models, as a share of the time they may be idle."""
_LOOK_AT_MOST_S = 30.0
_LOOK_FOR_REST_S = 0.1
_DEFAULT = TranscribeOptions()


class Slots:
    """Limits how many transcriptions run at once and how many wait for a place."""

    def __init__(self, *, running: int, waiting: int, wait_s: float) -> None:
        self._wait_s = wait_s
        self._free = asyncio.Semaphore(running)
        self._max_waiting = waiting
        self.waiting = 0
        self.running = 0

    @property
    def is_full(self) -> bool:
        return self._free.locked() and self.waiting >= self._max_waiting

    def check(self) -> None:
        """Raises ServerBusy if the queue is full."""
        if self.is_full:
            raise ServerBusy("every place in the queue is taken; try again soon", retry_after_s=5)

    @asynccontextmanager
    async def take(self, *, patient: bool = False) -> AsyncIterator[None]:
        """Waits for a free place, first come, first served. Unless the caller is patient, raises
        ServerBusy if the queue is full or it has waited for too long."""
        if not patient:
            self.check()
        self.waiting += 1
        try:
            async with asyncio.timeout(None if patient else self._wait_s):
                await self._free.acquire()
        except TimeoutError as error:
            busy = "no place became free in time; try again later"
            raise ServerBusy(busy, retry_after_s=30) from error
        finally:
            self.waiting -= 1
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1
            self._free.release()


class LocalEngine:
    """Keeps the models in this process: for commands, for tests, and in the engine process that
    serves all other processes on a machine."""

    def __init__(
        self,
        settings: Settings,
        models: Registry,
        diarizer: Callable[[Settings], Diarizer] = load_diarizer,
    ) -> None:
        """`diarizer` loads the one that is used."""
        self._models = models
        self._look_every_s = min(_LOOK_AT_MOST_S, _LOOK_AFTER_S * settings.model_idle_s)
        at_once = settings.recordings_at_once
        self._slots = Slots(
            running=at_once, waiting=settings.max_waiting, wait_s=settings.max_wait_s
        )
        self._most_live = settings.live_sessions
        self._live = 0
        self._warming: asyncio.Task[None] | None = None
        self._tidying: asyncio.Task[None] | None = None
        self.turns = Turns(at_once=self._most_live)
        self.diarizer = SharedDiarizer(
            lambda: diarizer(settings), self.turns.give_way, idle_s=settings.model_idle_s
        )
        self._labelling = asyncio.Lock()
        self._spare = asyncio.Lock()
        # Blocking work moves to a thread here; models are loaded in threads of their own.
        self._threads = ThreadPoolExecutor(at_once + 2, thread_name_prefix="transcribe")

    @property
    def state(self) -> EngineState:
        return EngineState(
            self._models.states, self._models.error, self._slots.waiting, self._slots.is_full
        )

    @property
    def socket(self) -> Path | None:
        return None

    async def start(self) -> None:
        """Starts to look for idle models. Models are loaded when they are first needed."""
        self._tidying = asyncio.create_task(self._tidy())

    def warm_up(self) -> None:
        if self._warming is None or self._warming.done():
            self._warming = asyncio.create_task(self._load_quietly())

    def check(self) -> None:
        self._slots.check()

    async def voice(self, samples: Samples) -> Voice | None:
        async with self._labelling:
            return await self.diarizer.voice(samples, gives_way=True)

    @asynccontextmanager
    async def take(self, *, patient: bool = False) -> AsyncIterator[Place]:
        async with self._slots.take(patient=patient):
            yield _LocalPlace(self)

    @asynccontextmanager
    async def spare(self) -> AsyncIterator[Place]:
        async with self._spare:
            while self._is_busy:  # noqa: ASYNC110 - that time passes is no event
                await asyncio.sleep(_LOOK_FOR_REST_S)
            yield _LocalPlace(self)

    @property
    def _is_busy(self) -> bool:
        """Whether there are recordings, or live text may be wanted in a moment."""
        return bool(self._slots.running or self._slots.waiting) or not self.turns.are_quiet

    async def detect(self, samples: Samples, state: VadState) -> Detected:
        """As `detect_speech`. Takes no turn: waiting for one would take longer than this."""
        return await self.turns.short(lambda: detect_speech(samples, state))

    async def live(self, options: TranscribeOptions, *, again: bool = False) -> LivePlace:
        """A session that asks `again` had a place in an engine that has ended. It was accepted, so
        it gets one even if new sessions were quicker."""
        self._models.named(options.model).check(options, live=True)
        if self._live >= self._most_live and not again:
            raise ServerBusy("every place for live audio is taken; try again soon", retry_after_s=5)
        self._live += 1
        self._models.start_loading(options.model)  # while the user starts to speak
        return LiveEngine(
            self._models,
            self.turns,
            self.diarizer,
            model=options.model,
            on_close=self._live_has_ended,
        )

    async def load(self) -> EngineState:
        await self.load_for(_DEFAULT)
        return self.state

    async def load_for(self, options: TranscribeOptions) -> ModelState:
        """See `Place.load`."""
        await asyncio.wrap_future(self._models.start_loading(options.model))
        state = self._models.named(options.model)
        state.check(options)
        return state

    async def aclose(self) -> None:
        """Stops the threads and frees the models."""
        if self._tidying is not None:
            self._tidying.cancel()
            await asyncio.gather(self._tidying, return_exceptions=True)
        if self._warming is not None:
            await self._warming
        self._threads.shutdown(wait=True, cancel_futures=True)
        self.diarizer.close()
        self.turns.close()
        self._models.close()

    async def transcribe(
        self,
        samples: Samples,
        options: TranscribeOptions,
        speech: Sequence[Region] | None = None,
    ) -> AsyncGenerator[Heard, None]:
        """See `Place.transcribe`. If the caller stops early, this ends only when the engine has
        stopped, so that nobody gets the place while the engine still works for it."""
        loop = asyncio.get_running_loop()
        found: asyncio.Queue[Heard | None] = asyncio.Queue()
        cancelled = threading.Event()

        def tell(heard: Heard | None) -> None:
            loop.call_soon_threadsafe(found.put_nowait, heard)

        def work() -> None:
            try:
                self._read(samples, options, speech, cancelled, tell)
            finally:
                tell(None)

        working = loop.run_in_executor(self._threads, work)
        try:
            while heard := await found.get():
                yield heard
            await working
        finally:
            cancelled.set()
            await asyncio.wait([working])
            working.exception()  # retrieved, so that asyncio does not report it

    def _read(
        self,
        samples: Samples,
        options: TranscribeOptions,
        speech: Sequence[Region] | None,
        cancelled: threading.Event,
        tell: Callable[[Heard], None],
    ) -> None:
        with self._models.use(options) as transcriber:
            work = transcriber.transcribe(samples, options, speech=speech)
            self._tell_all(work, cancelled, tell)

    def _tell_all(
        self, work: Transcription, cancelled: threading.Event, tell: Callable[[Heard], None]
    ) -> None:
        report, batches = work.report, 0
        tell(Heard((), report))
        with closing(work.segments):
            for segment in work.segments:
                tell(Heard((segment,), report))
                if cancelled.is_set():
                    return
                if report.batches > batches:  # the next segment may be from another batch
                    batches = report.batches
                    self.turns.give_way()
        tell(Heard((), report))

    async def _load_quietly(self) -> None:
        with suppress(EchoStreamError):
            await self.load()

    async def _tidy(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._look_every_s)
            await loop.run_in_executor(self._threads, self._models.unload_idle)
            await loop.run_in_executor(self._threads, self.diarizer.unload_idle)

    def _live_has_ended(self) -> None:
        self._live -= 1


class _LocalPlace:
    def __init__(self, engine: LocalEngine) -> None:
        self._engine = engine

    async def load(self, options: TranscribeOptions) -> ModelState:
        return await self._engine.load_for(options)

    def transcribe(
        self,
        samples: Samples,
        options: TranscribeOptions,
        speech: Sequence[Region] | None = None,
    ) -> AsyncGenerator[Heard, None]:
        return self._engine.transcribe(samples, options, speech)

    async def load_diarizer(self) -> str:
        return await self._engine.diarizer.load()

    def diarize(
        self, samples: Samples, options: SpeakerOptions
    ) -> AsyncGenerator[float | Diarization, None]:
        return self._engine.diarizer.diarize(samples, options)

    async def voice(self, samples: Samples) -> Voice | None:
        return await self._engine.diarizer.voice(samples)
