"""One live client: it sends audio, gets confirmed text, and at the end the whole transcript.

Audio goes through the decoder into the `SpeechReader`. A task of the session asks the engine to
read the speech again and again as it grows, and the reader says which words are certain. The busier
the engine is, the longer a session waits for its turn and the more new audio each turn covers:
under load there are fewer tentative texts, but no audio is lost.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

import structlog

from echostream.domain import (
    SAMPLE_RATE_HZ,
    Caution,
    Insights,
    Segment,
    TranscribeOptions,
    Transcript,
)
from echostream.engine import LivePlace, Report, Samples, VadState
from echostream.errors import (
    AudioTooLong,
    EchoStreamError,
    EngineError,
    InvalidAudio,
    LiveError,
    TooFast,
)
from echostream.streaming.decoder import StreamDecoder
from echostream.streaming.ending import Ending
from echostream.streaming.events import Event, Final, Listener, Partial
from echostream.streaming.forms import IN_CONTAINERS, AudioForm
from echostream.streaming.insights import Analyse, LiveInsights
from echostream.streaming.labels import SpeakerLabels
from echostream.streaming.reader import Reading, SpeechReader, Window

log = structlog.get_logger(__name__)

_MIN_STEP_S = 0.8
"""The least new audio that is worth another reading."""
_STEP_TURNS = 1.5
"""The least new audio relative to the duration of the last turn, including the wait. This leaves a
third of the engine's time for irregular load."""
_MOST_HELD_S = 60.0
"""How much audio may wait for the engine; with more, the client has to wait."""
PATIENCE_S = 5.0
_MOST_ARRIVALS = 4096
_LEAST_SAMPLES = SAMPLE_RATE_HZ // 10


class LiveSession:
    """Create it in a running event loop, feed it, and `finish` it; then `final` is set."""

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
        form: AudioForm = IN_CONTAINERS,
        patience_s: float = PATIENCE_S,
        observe: Callable[[Event], None] = lambda _event: None,
        on_step: Callable[[], None] = lambda: None,
    ) -> None:
        """`ending` makes the final transcript; without it, that is the live one. `labels` tells who
        speaks in the partials, `live_insights` what was found so far. `patience_s` is how long a
        piece waits for room. `observe` gets all events, whether or not a client listens.
        `on_step` is called whenever more of the audio is done with."""
        self._engine = engine
        self._analyse = analyse
        self._observe = observe
        self._on_step = on_step
        self._options = options
        self._ending = ending
        self._labels = labels
        self._live_insights = live_insights
        self._beside: list[asyncio.Task[None]] = []
        if labels is not None:
            self._beside.append(asyncio.create_task(self._tell_labels(labels)))
        if live_insights is not None:
            self._beside.append(asyncio.create_task(self._tell_insights(live_insights)))
        self._patience_s = patience_s
        self._max_samples = int(max_audio_s * SAMPLE_RATE_HZ)
        self._decoder = StreamDecoder(self._take, self._tell_soon, form)
        self._reader = SpeechReader()
        self._vad = VadState()
        self._arrivals: deque[tuple[int, float]] = deque(maxlen=_MOST_ARRIVALS)
        self._changed = asyncio.Condition()
        self._input_ended = False
        self._is_broken = False
        self._is_waiting = False
        self._finishing: asyncio.Task[None] | None = None
        self._reading = asyncio.create_task(self._read_all())
        self._turn_s = 0.0
        self._tentative = ""
        self._warnings: list[Caution] = []
        self._telling: set[asyncio.Task[None]] = set()
        self.listener: Listener | None = None
        self.partials: list[Partial] = []
        """All partials with text, for a client that resumes."""
        self.received_bytes = 0
        self.received_seq: int | None = None
        self.last_heard = time.monotonic()
        self.final: asyncio.Future[Final] = asyncio.get_running_loop().create_future()

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
        """Ends the input. Returns at once; `final` is set when everything has been read."""
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
            *self._telling,
        ]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._decoder.aclose()
        if self._ending is not None:
            self._ending.close()
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

    @property
    def settled_s(self) -> float:
        """Text that is confirmed from now on was said after this, whatever is still heard."""
        if self.final.done():
            return math.inf
        speech = self._reader.speech
        told_s = self.partials[-1].end_s if self.partials else 0.0
        return max(told_s, (speech.end - speech.held) / SAMPLE_RATE_HZ)

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
            self._arrivals.append((self._reader.speech.end, time.monotonic()))
            self._changed.notify_all()

    def _tell_soon(self, event: Event) -> None:
        task = asyncio.create_task(self._tell(event))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _tell(self, event: Event) -> None:
        self._observe(event)
        if self.listener is not None:
            await self.listener(event)

    async def _finish(self) -> None:
        error = await self._fault_of_reading()
        for task in self._beside:  # the end has all speakers and insights
            task.cancel()
        await asyncio.gather(*self._beside, return_exceptions=True)
        self._reader.text.end_segment()
        transcript = self.transcript()
        if self._ending is not None:
            if error is None:
                transcript = await self._ending.settle(self._engine, transcript, self._tell_soon)
            self._ending.close()
        insights = await self._insights(transcript) if error is None else None
        live_text = "".join(partial.text for partial in self.partials)
        await asyncio.gather(*self._telling, return_exceptions=True)
        if self._live_insights is not None and insights is not None:
            await self._tell(self._live_insights.with_ids(insights))
        self.final.set_result(final := Final(transcript, insights, error, live_text))
        await self._tell(final)

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

    async def _insights(self, transcript: Transcript) -> Insights | None:
        """If the insights fail, the transcript is sent without them."""
        try:
            return await self._analyse(transcript) if self._analyse else None
        except Exception as error:
            log.warning("live_insights_failed", exc_info=error)
            return None

    def transcript(self) -> Transcript:
        """What was said so far, in whole segments."""
        text = self._reader.text
        return Transcript(
            segments=text.segments,
            language=text.language,
            duration_s=self.audio_s,
            engine=self._engine.used.engine,
            model=self._engine.used.model,
            languages=text.languages,
            warnings=tuple(self._warnings),
        )

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
            self._on_step()
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
        async with self._changed:
            speech.look(detected.chances)
            self._changed.notify_all()

    def _window(self) -> Window | None:
        # Steps that are shorter than turns would only pile up.
        return self._reader.window(max(_MIN_STEP_S, _STEP_TURNS * self._turn_s))

    async def _read(self, window: Window) -> None:
        started = time.monotonic()
        samples = self._reader.speech.samples(window.start, window.end)
        segments = await self._transcribe(samples, window)
        self._turn_s = time.monotonic() - started
        async with self._changed:
            reading = self._reader.take_in(window, segments)
            self._changed.notify_all()
        if reading is None:
            return
        if window.is_final and reading.text:
            # The start of an utterance may sound like any language; a whole utterance does not.
            self._options = replace(self._options, expected_language=self._reader.text.language)
        await self._tell_reading(reading)

    async def _transcribe(self, samples: Samples, window: Window) -> list[Segment]:
        if len(samples) < _LEAST_SAMPLES:
            return []
        # The prompt only has the part of the current sentence that is no longer in the audio. With
        # more, Whisper leaves out text that the prompt has, and repeats whole sentences.
        before = self._reader.text.unfinished_before(window.start_s)
        prompt = " ".join(part for part in (self._options.prompt, before) if part)
        is_last = window.is_final or window.is_cut
        options = replace(self._options, prompt=prompt or None, draft=not is_last)
        segments, report = await self._ask_engine(samples, options)
        if segments and report.language != "und":
            self._reader.text.language = report.language
        if is_last:
            self._warnings += (moved(caution, window.start_s) for caution in report.warnings)
        return segments

    async def _ask_engine(
        self, samples: Samples, options: TranscribeOptions
    ) -> tuple[list[Segment], Report]:
        try:
            return await self._engine.read(samples, options)
        except EngineError as error:  # a second attempt may succeed
            log.warning("live_read_failed", reason=str(error))
            return await self._engine.read(samples, options)

    async def _tell_reading(self, reading: Reading) -> None:
        partial = Partial(
            text=reading.text,
            start_s=reading.start_s,
            end_s=reading.end_s,
            seq=len(self.partials) + bool(reading.text),
            tentative=reading.tentative,
            lag_ms=self._lag_ms(round(reading.end_s * SAMPLE_RATE_HZ)),
        )
        self._tentative = reading.tentative
        if reading.text:
            self.partials.append(partial)
        await self._tell(partial)
        if reading.text and self._labels is not None:
            self._labels.note(partial)

    async def _tell_labels(self, labels: SpeakerLabels) -> None:
        """Says who spoke in earlier partials, each with a partial that has no text."""
        try:
            async for label in labels.found():
                labelled = self.partials[label.seq - 1]
                self.partials[label.seq - 1] = replace(labelled, labels=(label,))
                told = replace(
                    labelled,
                    text="",
                    seq=len(self.partials),
                    tentative=self._tentative,
                    labels=(label,),
                )
                await self._tell(told)
        except Exception as error:
            log.error("speaker_labels_crashed", exc_info=error)

    async def _tell_insights(self, live_insights: LiveInsights) -> None:
        async for found in live_insights.updates(self.transcript):
            await self._tell(found)

    def _lag_ms(self, at: int) -> int:
        """How long ago the sample `at` arrived."""
        while len(self._arrivals) > 1 and self._arrivals[0][0] < at:
            self._arrivals.popleft()
        return round(1000 * (time.monotonic() - self._arrivals[0][1]))


def moved(caution: Caution, by_s: float) -> Caution:
    """A caution about a window, with times of the session."""
    if caution.start_s is None or caution.end_s is None:
        return caution
    return replace(caution, start_s=caution.start_s + by_s, end_s=caution.end_s + by_s)
