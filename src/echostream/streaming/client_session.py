"""What every live session has for its client, however the audio is read: pieces, patience, and the
end."""

import asyncio
import contextvars
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine

import structlog

from echostream.domain import SAMPLE_RATE_HZ, Transcript
from echostream.engine import Samples
from echostream.errors import AudioTooLong, EchoStreamError, LiveError, TooFast
from echostream.streaming.decoder import StreamDecoder
from echostream.streaming.ending import Ending
from echostream.streaming.events import Event, Final
from echostream.streaming.forms import AudioForm
from echostream.streaming.insights import Analyse, LiveInsights, attempt
from echostream.streaming.told import Told

log = structlog.get_logger(__name__)

PATIENCE_S = 5.0


class ClientSession(ABC):
    """Create it in a running event loop, feed it, and `finish` it; then `said` and `final` are
    set."""

    def __init__(
        self,
        analyse: Analyse | None,
        *,
        max_audio_s: float,
        form: AudioForm,
        ending: Ending | None,
        live_insights: LiveInsights | None,
        patience_s: float,
        observe: Callable[[Event], None],
    ) -> None:
        """`ending` makes the final transcript; without it, that is the live one. `live_insights`
        tells what was found so far. `patience_s` is how long a piece waits for room. `observe` gets
        all events, whether or not a client listens."""
        self._analyse = analyse
        self._ending = ending
        self._live_insights = live_insights
        self._patience_s = patience_s
        self._max_samples = int(max_audio_s * SAMPLE_RATE_HZ)
        self.told = Told(observe)
        self._decoder = StreamDecoder(self._take, self.told.tell_soon, form)
        self._finishing: asyncio.Task[None] | None = None
        self._context = contextvars.copy_context()
        """Its trace and its logs are ours, whoever asks for the end."""
        self._beside: list[asyncio.Task[None]] = []
        if live_insights is not None:
            self._do_beside(live_insights.tell(self.told, self.transcript))
        self.received_bytes = 0
        self.received_seq: int | None = None
        self.last_heard = time.monotonic()
        loop = asyncio.get_running_loop()
        self.said: asyncio.Future[Transcript] = loop.create_future()
        """The live text, complete. From then on no place in the engine is needed."""
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
        """Ends the input. Returns at once; `said` is set when everything has been read, `final`
        when everything else is done."""
        if self._finishing is None:
            self._finishing = asyncio.create_task(self._finish(), context=self._context)

    def hurry(self) -> None:
        """Gives up the final pass, so that `final` is set sooner."""
        if self._ending is not None:
            self._ending.hurry()

    async def aclose(self) -> None:
        """Stops at once. For sessions that are no longer needed."""
        await self._stop_reading()
        tasks = [*self._beside, *([self._finishing] if self._finishing else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.told.aclose()
        await self._decoder.aclose()
        if self._ending is not None:
            await self._ending.aclose()
        self.said.cancel()
        self.final.cancel()

    @abstractmethod
    def transcript(self) -> Transcript:
        """What was said so far, in whole segments."""

    @property
    @abstractmethod
    def _heard(self) -> int:
        """How many samples have been taken."""

    @abstractmethod
    async def _take(self, samples: Samples) -> None:
        """The decoder's sink, which waits while there is no room."""

    @abstractmethod
    async def _read_rest(self) -> None:
        """Ends the decoder and reads everything. Raises what went wrong, if anything did."""

    @abstractmethod
    async def _stop_reading(self) -> None:
        """Stops at once. From then on nothing calls `finish`."""

    def _do_beside(self, work: Coroutine[None, None, None]) -> None:
        """Until the live text is complete."""
        self._beside.append(asyncio.create_task(work))

    async def _finish(self) -> None:
        error = await self._fault_of_reading()
        for task in self._beside:  # the end has all speakers and insights
            task.cancel()
        await asyncio.gather(*self._beside, return_exceptions=True)
        transcript = self.transcript()
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
            await self.told.tell(self._live_insights.with_ids(insights, transcript))
        self.final.set_result(final := Final(transcript, insights, error, self.told.text))
        await self.told.tell(final)

    async def _fault_of_reading(self) -> EchoStreamError | None:
        """Reads the rest; returns what went wrong, if anything did."""
        try:
            await self._read_rest()
        except EchoStreamError as fault:
            return fault
        except Exception as fault:
            log.error("live_session_crashed", exc_info=fault)
            return EchoStreamError("the audio could not be processed")
        return None
