"""One live client: it sends audio, gets confirmed text, and at the end the whole transcript.

Audio goes through the decoder into the `SpeechReader`. A task of the session asks the engine to
read the speech again and again as it grows, and the reader says which words are certain. The busier
the engine is, the longer a session waits for its turn and the more new audio each turn covers:
under load there are fewer tentative texts, but no audio is lost.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine

import structlog

from echostream.domain import SAMPLE_RATE_HZ, TranscribeOptions, Transcript
from echostream.engine import LivePlace, Samples, VadState
from echostream.errors import (
    AudioTooLong,
    EchoStreamError,
    InvalidAudio,
    LiveError,
    TooFast,
)
from echostream.streaming.arrivals import Arrivals
from echostream.streaming.decoder import StreamDecoder
from echostream.streaming.ending import Ending
from echostream.streaming.events import Event, Final
from echostream.streaming.insights import Analyse, LiveInsights, attempt
from echostream.streaming.labels import SpeakerLabels
from echostream.streaming.reader import Reading, SpeechReader, Window
from echostream.streaming.told import Told
from echostream.streaming.window_reader import WindowReader

log = structlog.get_logger(__name__)

_MIN_STEP_S = 0.8
"""The least new audio that is worth another reading."""
_STEP_TURNS = 1.5
"""The least new audio relative to the duration of the last turn, including the wait. This leaves a
third of the engine's time for irregular load."""
_MOST_HELD_S = 60.0
"""How much audio may wait for the engine; with more, the client has to wait."""
_PATIENCE_S = 5.0


class LiveSession:
    """Create it in a running event loop, feed it, and `finish` it; then `said` and `final` are
    set."""

    def __init__(
        self,
        engine: LivePlace,
        analyse: Analyse | None,
        *,
        options: TranscribeOptions,
        max_audio_s: float,
        ending: Ending | None = None,
        labels: SpeakerLabels | None = None,
        live_insights: LiveInsights | None = None,
        raw_rate_hz: int | None = None,
        patience_s: float = _PATIENCE_S,
        observe: Callable[[Event], None] = lambda _event: None,
    ) -> None:
        """`ending` makes the final transcript; without it, that is the live one. `labels` tells who
        speaks in the partials, `live_insights` what was found so far. `patience_s` is how long a
        piece waits for room. `observe` gets all events, whether or not a client listens. Raises
        InvalidRequest if `raw_rate_hz` is out of range."""
        self._engine = engine
        self._analyse = analyse
        self.told = Told(observe)
        self._windows = WindowReader(engine, options)
        self._ending = ending
        self._labels = labels
        self._live_insights = live_insights
        self._patience_s = patience_s
        self._max_samples = int(max_audio_s * SAMPLE_RATE_HZ)
        self._decoder = StreamDecoder(self._take, self.told.tell_soon, raw_rate_hz=raw_rate_hz)
        self._reader = SpeechReader()
        self._vad = VadState()
        self._arrivals = Arrivals()
        self._changed = asyncio.Condition()
        self._input_ended = False
        self._is_broken = False
        self._is_waiting = False
        self._finishing: asyncio.Task[None] | None = None
        self._reading = asyncio.create_task(self._read_all())
        self._beside: list[asyncio.Task[None]] = []
        if labels is not None:
            self._do_beside(labels.tell(self.told))
        if live_insights is not None:
            self._do_beside(live_insights.tell(self.told, self._transcript))
        self._turn_s = 0.0
        self.received_bytes = 0
        self.received_seq: int | None = None
        self.last_heard = time.monotonic()
        loop = asyncio.get_running_loop()
        self.said: asyncio.Future[Transcript] = loop.create_future()
        """The live text, complete. From then on `engine` is no longer needed."""
        self.final: asyncio.Future[Final] = loop.create_future()

    async def feed(self, piece: bytes, seq: int | None = None) -> None:
        """Takes a piece of audio completely, or not at all if this raises or is cancelled.

        A piece whose `seq` was taken before is ignored. Raises TooFast if there is no room for it
        within some seconds, AudioTooLong if the session has reached its limit, LiveError if it has
        ended.
        """
        self.last_heard = time.monotonic()
        if self._finishing is not None:
            raise LiveError("the session has ended; start another")
        if seq is not None and self.received_seq is not None and seq <= self.received_seq:
            return
        if self._reader.speech.end >= self._max_samples:
            raise AudioTooLong(f"live audio may be {self._max_samples // SAMPLE_RATE_HZ} s long")
        try:
            async with asyncio.timeout(self._patience_s):
                await self._decoder.feed(piece)
        except TimeoutError:
            raise TooFast("audio arrives faster than it can be read; send it again later") from None
        self.received_bytes += len(piece)
        self.received_seq = seq if seq is not None else self.received_seq

    def finish(self) -> None:
        """Ends the input. Returns at once; `said` is set when everything has been read, `final`
        when everything else is done."""
        if self._finishing is None:
            self._finishing = asyncio.create_task(self._finish())

    def hurry(self) -> None:
        """Gives up the final pass, so that `final` is set sooner."""
        if self._ending is not None:
            self._ending.hurry()

    async def aclose(self) -> None:
        """Stops at once. For sessions that are no longer needed."""
        tasks = [
            self._reading,
            *([self._finishing] if self._finishing else []),
            *self._beside,
        ]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.told.aclose()
        await self._decoder.aclose()
        if self._ending is not None:
            await self._ending.aclose()
        self.said.cancel()
        self.final.cancel()

    async def caught_up(self) -> None:
        """Waits until the audio so far has been read, as far as possible without more audio."""
        async with self._changed:
            await self._changed.wait_for(
                lambda: self._is_broken or (self._is_waiting and not len(self._reader.speech.new))
            )

    @property
    def audio_s(self) -> float:
        """Audio received and decoded so far."""
        return self._reader.speech.end / SAMPLE_RATE_HZ

    @property
    def held_bytes(self) -> int:
        """Size of the audio in memory."""
        return 2 * self._reader.speech.held

    async def _take(self, samples: Samples) -> None:
        """The decoder's sink. It waits while too much audio waits for the engine."""
        async with self._changed:
            await self._changed.wait_for(
                lambda: self._reader.speech.held < _MOST_HELD_S * SAMPLE_RATE_HZ or self._is_broken
            )
            samples = samples[: max(0, self._max_samples - self._reader.speech.end)]
            self._reader.speech.append(samples)
            if self._ending is not None:
                self._ending.hear(samples)
            self._arrivals.note(self._reader.speech.end)
            self._changed.notify_all()

    async def _finish(self) -> None:
        error = await self._fault_of_reading()
        for task in self._beside:  # the end has all speakers and insights
            task.cancel()
        await asyncio.gather(*self._beside, return_exceptions=True)
        self._reader.text.end_segment()
        transcript = self._transcript()
        self.said.set_result(transcript)
        if self._ending is not None:
            if error is None:
                transcript = await self._ending.settle(transcript, self.told.tell_soon)
            await self._ending.aclose()
        insights = None
        if self._analyse is not None and error is None:
            insights = await attempt(self._analyse, transcript)
        await self.told.all_told()
        if self._live_insights is not None and insights is not None:
            await self.told.tell(self._live_insights.with_ids(insights))
        self.final.set_result(final := Final(transcript, insights, error, self.told.text))
        await self.told.tell(final)

    def _do_beside(self, work: Coroutine[None, None, None]) -> None:
        """Until the live text is complete."""
        self._beside.append(asyncio.create_task(work))

    async def _fault_of_reading(self) -> EchoStreamError | None:
        """Reads the rest; returns what went wrong, if anything did."""
        try:
            await self._read_rest()
        except EchoStreamError as fault:
            return fault
        except Exception as fault:
            log.error("live_session_crashed", exc_info=fault)
            return EchoStreamError("the audio could not be processed")
        return InvalidAudio("there was no audio") if self._reader.speech.end == 0 else None

    async def _read_rest(self) -> None:
        try:
            await self._decoder.finish()
            async with self._changed:
                self._input_ended = True
                self._changed.notify_all()
            await self._reading
        finally:
            await self._decoder.aclose()

    def _transcript(self) -> Transcript:
        """What was said so far, in whole segments."""
        return self._windows.transcript(self._reader.text, self.audio_s)

    async def _read_all(self) -> None:
        """Reads until the input has ended and nothing is left. If that fails, the session ends with
        the text so far, and later audio no longer waits for room."""
        try:
            while window := await self._next_window():
                await self._read(window)
        except Exception:
            async with self._changed:
                self._is_broken = True
                self._changed.notify_all()
            self.finish()
            raise

    async def _next_window(self) -> Window | None:
        speech = self._reader.speech
        while True:
            await self._look_for_speech()
            async with self._changed:
                is_over = self._input_ended and not len(speech.new)
                if is_over:
                    speech.close()
                if (window := self._window()) is not None or is_over:
                    return window
                if len(speech.new):  # has come in the meantime
                    continue
                self._is_waiting = True
                self._changed.notify_all()
                await self._changed.wait()
                self._is_waiting = False

    async def _look_for_speech(self) -> None:
        """In what has come since the last time. The detector is the engine's, its state ours."""
        speech = self._reader.speech
        if not len(samples := speech.new):
            return
        detected = await self._engine.detect(samples, self._vad)
        self._vad = detected.state
        if self._ending is not None:
            self._ending.look(detected.chances)
        async with self._changed:
            speech.look(detected.chances)
            self._changed.notify_all()

    def _window(self) -> Window | None:
        # Steps that are shorter than turns would only pile up.
        return self._reader.window(max(_MIN_STEP_S, _STEP_TURNS * self._turn_s))

    async def _read(self, window: Window) -> None:
        started = time.monotonic()
        samples = self._reader.speech.samples(window.start, window.end)
        segments = await self._windows.read(samples, window, self._reader.text)
        self._turn_s = time.monotonic() - started
        async with self._changed:
            reading = self._reader.take_in(window, segments)
            self._changed.notify_all()
        if reading is None:
            return
        if window.is_final and reading.text:
            # The start of an utterance may sound like any language; a whole utterance does not.
            self._windows.expect(self._reader.text.language)
        await self._tell_reading(reading)

    async def _tell_reading(self, reading: Reading) -> None:
        lag_ms = self._arrivals.age_ms(round(reading.end_s * SAMPLE_RATE_HZ))
        partial = await self.told.tell_reading(reading, lag_ms)
        if partial.text and self._labels is not None:
            self._labels.note(partial)
