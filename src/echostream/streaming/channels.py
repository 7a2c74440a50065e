"""A live client whose channels are read apart, each as one speaker.

Each channel is a `LiveSession` with a place in the engine of its own, so two channels cost what two
clients cost.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog

from echostream.domain import SAMPLE_RATE_HZ, Insights, TranscribeOptions, Transcript
from echostream.engine import LivePlace, Samples
from echostream.errors import AudioTooLong, EchoStreamError, LiveError, TooFast
from echostream.merging import merged_channels
from echostream.streaming.decoder import StreamDecoder
from echostream.streaming.ending import Ending
from echostream.streaming.events import Event, Final, Listener, Partial
from echostream.streaming.forms import PCM, AudioForm
from echostream.streaming.insights import Analyse, LiveInsights
from echostream.streaming.interleaving import Interleaving
from echostream.streaming.session import PATIENCE_S, LiveSession

log = structlog.get_logger(__name__)

_PART = 10 * SAMPLE_RATE_HZ
"""So much goes to one channel before the next one gets its own."""
_ENDLESS_S = 24 * 3600.0
"""It is the client that loses its patience, not the channels."""


class ChannelSession:
    """Used like a `LiveSession`. Create it in a running event loop."""

    def __init__(
        self,
        places: Sequence[LivePlace],
        analyse: Analyse | None,
        *,
        options: TranscribeOptions,
        max_audio_s: float,
        form: AudioForm,
        ending: Ending | None = None,
        live_insights: LiveInsights | None = None,
        patience_s: float = PATIENCE_S,
        text: Interleaving | None = None,
        observe: Callable[[Event], None] = lambda _event: None,
    ) -> None:
        """There is a place for each channel of `form`. `text` joins what the channels say. The rest
        is explained at `LiveSession`."""
        self._place = places[0]
        self._analyse = analyse
        self._ending = ending
        self._live_insights = live_insights
        self._patience_s = patience_s
        self._observe = observe
        self._max_samples = int(max_audio_s * SAMPLE_RATE_HZ)
        self._heard = 0
        self._crash: EchoStreamError | None = None
        self._blocks: asyncio.Queue[Samples | None] = asyncio.Queue(maxsize=1)
        self._decoder = StreamDecoder(self._blocks.put, self._tell_soon, form)
        self._text = text or Interleaving(len(places))
        self._stirred = asyncio.Event()
        self._channels = [
            self._channel(
                number,
                LiveSession(
                    place,
                    None,
                    options=options,
                    max_audio_s=max_audio_s,
                    form=PCM,
                    patience_s=_ENDLESS_S,
                    on_step=self._stirred.set,
                ),
            )
            for number, place in enumerate(places)
        ]
        self._telling: set[asyncio.Task[None]] = set()
        self._spreading = asyncio.create_task(self._spread())
        self._merging = asyncio.create_task(self._tell_in_order())
        self._merging.add_done_callback(self._finish_unless_cancelled)
        self._informing = asyncio.create_task(self._tell_insights())
        self._finishing: asyncio.Task[None] | None = None
        self.listener: Listener | None = None
        self.received_bytes = 0
        self.received_seq: int | None = None
        self.last_heard = time.monotonic()
        self.final: asyncio.Future[Final] = asyncio.get_running_loop().create_future()

    @property
    def partials(self) -> list[Partial]:
        """All partials with text, for a client that resumes."""
        return self._text.partials

    async def feed(self, piece: bytes, seq: int | None = None) -> None:
        """See `LiveSession.feed`."""
        self.last_heard = time.monotonic()
        if self._finishing is not None:
            raise LiveError("the session has ended; start another")
        if seq is not None and self.received_seq is not None and seq <= self.received_seq:
            return
        if self._heard >= self._max_samples:
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
        own = [self._spreading, self._merging, self._informing, *self._telling]
        tasks = [*own, *([self._finishing] if self._finishing else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._decoder.aclose()
        await asyncio.gather(*(channel.aclose() for channel in self._channels))
        if self._ending is not None:
            self._ending.close()
        self.final.cancel()

    def transcript(self) -> Transcript:
        """What was said so far, in whole segments."""
        return merged_channels([channel.transcript() for channel in self._channels])

    def _channel(self, number: int, session: LiveSession) -> LiveSession:
        async def listen(event: Event) -> None:
            if isinstance(event, Partial):
                self._text.note(number, event)
                self._stirred.set()

        session.listener = listen
        session.final.add_done_callback(lambda _: self._stirred.set())
        session.final.add_done_callback(self._finish_unless_cancelled)
        return session

    def _finish_unless_cancelled(self, part: asyncio.Future[Final] | asyncio.Task[None]) -> None:
        """A part that has ended, because it failed, ends all."""
        if not part.cancelled():
            self.finish()

    async def _spread(self) -> None:
        """Gives each channel its samples. No client can interrupt this, so all channels have the
        same audio, whatever pieces are given up."""
        while (block := await self._blocks.get()) is not None:
            if self._crash is not None:
                continue
            try:
                await self._give(block[:, : self._max_samples - self._heard])
            except Exception as error:
                log.error("live_session_crashed", exc_info=error)
                self._crash = EchoStreamError("the audio could not be processed")
                self.finish()

    async def _give(self, block: Samples) -> None:
        self._heard += block.shape[1]
        if self._ending is not None:
            self._ending.hear(block)
        for start in range(0, block.shape[1], _PART):
            part = block[:, start : start + _PART].astype("<i2", copy=False)
            for channel, samples in zip(self._channels, part, strict=True):
                with suppress(LiveError, AudioTooLong):  # it has failed, or is full
                    await channel.feed(samples.tobytes())

    async def _tell_in_order(self) -> None:
        """Tells what the channels confirm, until all have ended and nothing is left."""
        while True:
            self._stirred.clear()
            are_over = all(channel.final.done() for channel in self._channels)
            for partial in self._text.ready([channel.settled_s for channel in self._channels]):
                await self._tell(partial)
            if are_over:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(self._text.rest_s):
                    await self._stirred.wait()

    async def _tell_insights(self) -> None:
        if self._live_insights is not None:
            async for found in self._live_insights.updates(self.transcript):
                await self._tell(found)

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
        self._informing.cancel()  # the end has all insights
        await asyncio.gather(self._informing, return_exceptions=True)
        transcript = self.transcript()
        if self._ending is not None:
            if error is None:
                transcript = await self._ending.settle(self._place, transcript, self._tell_soon)
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
        faults = (self._crash, *(channel.final.result().error for channel in self._channels))
        return next((fault for fault in faults if fault), None)

    async def _read_rest(self) -> None:
        try:
            await self._decoder.finish()
        finally:
            await self._decoder.aclose()
            await self._blocks.put(None)
            await self._spreading
            for channel in self._channels:
                channel.finish()
            await asyncio.gather(*(channel.final for channel in self._channels))
            await self._merging

    async def _insights(self, transcript: Transcript) -> Insights | None:
        """If the insights fail, the transcript is sent without them."""
        try:
            return await self._analyse(transcript) if self._analyse else None
        except Exception as error:
            log.warning("live_insights_failed", exc_info=error)
            return None
