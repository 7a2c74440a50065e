"""A live client whose channels are read apart, each as one speaker.

Each channel is a `LiveSession` with a place in the engine of its own, so two channels cost what two
clients cost.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog

from echostream.domain import SAMPLE_RATE_HZ, TranscribeOptions, Transcript
from echostream.engine import LivePlace, Samples
from echostream.errors import AudioTooLong, EchoStreamError, LiveError
from echostream.merging import merged_channels
from echostream.streaming.client_session import PATIENCE_S, ClientSession
from echostream.streaming.ending import Ending
from echostream.streaming.events import Event, Final, Partial
from echostream.streaming.forms import PCM, AudioForm
from echostream.streaming.insights import Analyse, LiveInsights
from echostream.streaming.interleaving import Interleaving
from echostream.streaming.session import LiveSession

log = structlog.get_logger(__name__)

_PART = 10 * SAMPLE_RATE_HZ
"""So much goes to one channel before the next one gets its own."""
_ENDLESS_S = 24 * 3600.0
"""It is the client that loses its patience, not the channels."""


class ChannelSession(ClientSession):
    """One that has a `LiveSession` for each channel, and tells what they say as one text."""

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
        is explained at `ClientSession`."""
        super().__init__(
            analyse,
            max_audio_s=max_audio_s,
            form=form,
            ending=ending,
            live_insights=live_insights,
            patience_s=patience_s,
            observe=observe,
        )
        self._given = 0
        self._crash: EchoStreamError | None = None
        self._blocks: asyncio.Queue[Samples | None] = asyncio.Queue(maxsize=1)
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
        self._spreading = asyncio.create_task(self._spread())
        self._merging = asyncio.create_task(self._tell_in_order())
        self._merging.add_done_callback(self._finish_unless_cancelled)

    def transcript(self) -> Transcript:
        """What was said so far, in whole segments."""
        return merged_channels([channel.transcript() for channel in self._channels])

    @property
    def _heard(self) -> int:
        return self._given

    async def _take(self, samples: Samples) -> None:
        await self._blocks.put(samples)

    def _channel(self, number: int, session: LiveSession) -> LiveSession:
        async def listen(event: Event) -> None:
            if isinstance(event, Partial):
                self._text.note(number, event)
                self._stirred.set()

        session.told.listener = listen
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
                await self._give(block[:, : self._max_samples - self._given])
            except Exception as error:
                log.error("live_session_crashed", exc_info=error)
                self._crash = EchoStreamError("the audio could not be processed")
                self.finish()

    async def _give(self, block: Samples) -> None:
        self._given += block.shape[1]
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
                await self.told.tell_partial(partial)
            if are_over:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(self._text.rest_s):
                    await self._stirred.wait()

    async def _read_rest(self) -> None:
        try:
            await self._decoder.finish()
        finally:
            await self._decoder.aclose()
            await self._blocks.put(None)
            await self._spreading
            for channel in self._channels:
                channel.finish()
            finals = await asyncio.gather(*(channel.final for channel in self._channels))
            await self._merging
        for fault in (self._crash, *(final.error for final in finals)):
            if fault is not None:
                raise fault

    async def _stop_reading(self) -> None:
        tasks = (self._spreading, self._merging)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(channel.aclose() for channel in self._channels))
