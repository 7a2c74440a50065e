"""One live client: it sends audio, gets confirmed text, and at the end the whole transcript.

Audio goes through the decoder into the `SpeechReader`. A task of the session asks the engine to
read the speech again and again as it grows, and the reader says which words are certain. The busier
the engine is, the longer a session waits for its turn and the more new audio each turn covers:
under load there are fewer tentative texts, but no audio is lost.
"""

import asyncio
import math
import time
from collections.abc import Callable

from echostream.domain import SAMPLE_RATE_HZ, TranscribeOptions, Transcript
from echostream.engine import LivePlace, Samples, VadState
from echostream.errors import InvalidAudio
from echostream.streaming.arrivals import Arrivals
from echostream.streaming.client_session import PATIENCE_S, ClientSession
from echostream.streaming.ending import Ending
from echostream.streaming.events import Event
from echostream.streaming.forms import IN_CONTAINERS, AudioForm
from echostream.streaming.insights import Analyse, LiveInsights
from echostream.streaming.labels import SpeakerLabels
from echostream.streaming.pace import Pace
from echostream.streaming.reader import Reading, SpeechReader, Window
from echostream.streaming.window_reader import WindowReader

_MOST_HELD_S = 60.0
"""How much audio may wait for the engine; with more, the client has to wait."""


class LiveSession(ClientSession):
    """One that reads a single channel, in one place of the engine."""

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
        """`labels` tells who speaks in the partials. `on_step` is called whenever more of the audio
        is done with. The rest is explained at `ClientSession`."""
        super().__init__(
            analyse,
            max_audio_s=max_audio_s,
            form=form,
            ending=ending,
            live_insights=live_insights,
            patience_s=patience_s,
            observe=observe,
        )
        self._engine = engine
        self._on_step = on_step
        self._windows = WindowReader(engine, options)
        self._labels = labels
        self._reader = SpeechReader()
        self._vad = VadState()
        self._arrivals = Arrivals()
        self._changed = asyncio.Condition()
        self._input_ended = False
        self._is_broken = False
        self._is_waiting = False
        self._pace = Pace()
        self._reading = asyncio.create_task(self._read_all())
        if labels is not None:
            self._do_beside(labels.tell(self.told))

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
        speech, partials = self._reader.speech, self.told.partials
        told_s = partials[-1].end_s if partials else 0.0
        return max(told_s, (speech.end - speech.held) / SAMPLE_RATE_HZ)

    def transcript(self) -> Transcript:
        """What was said so far, in whole segments."""
        return self._windows.transcript(self._reader.text, self.audio_s)

    @property
    def _heard(self) -> int:
        return self._reader.speech.end

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

    async def _read_rest(self) -> None:
        try:
            await self._decoder.finish()
            async with self._changed:
                self._input_ended = True
                self._changed.notify_all()
            await self._reading
        finally:
            await self._decoder.aclose()
            self._reader.text.end_segment()
        if self._heard == 0:
            raise InvalidAudio("there was no audio")

    async def _stop_reading(self) -> None:
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)

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
        if self._ending is not None:
            self._ending.look(detected.chances)
        async with self._changed:
            speech.look(detected.chances)
            self._changed.notify_all()

    def _window(self) -> Window | None:
        return self._reader.window(self._pace.step_s)

    async def _read(self, window: Window) -> None:
        started = time.monotonic()
        samples = self._reader.speech.samples(window.start, window.end)
        segments = await self._windows.read(samples, window, self._reader.text)
        self._pace.note(time.monotonic() - started)
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
