"""One ffmpeg process that decodes a live stream."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import cast

import structlog

from echostream.engine import Samples
from echostream.errors import InvalidAudio
from echostream.media import LiveSamples, ffmpeg_command, start_ffmpeg

log = structlog.get_logger(__name__)

Sink = Callable[[Samples], Awaitable[None]]
"""Takes samples: `(samples,)`, or `(channels, samples)` if channels are kept apart. It may wait
until there is room for them, which slows the client down."""
OnFault = Callable[[InvalidAudio], None]
"""Called when some audio could not be decoded; later audio may still be decodable."""

_CHUNK_BYTES = 32 * 1024
_EXIT_S = 5.0
# Starts at once: by default ffmpeg first collects seconds of audio to analyse. `-fflags nobuffer`
# is not used, because it loses the first packet of a WAV file.
_LIVE = ("-probesize", "32", "-analyzeduration", "0", "-formatprobesize", "16384")


class Child:
    """One ffmpeg process, from its first byte to the last sample."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        stream: LiveSamples,
        sink: Sink,
        on_fault: OnFault,
    ) -> None:
        self._process = process
        self._stdin = cast(asyncio.StreamWriter, process.stdin)
        self._on_fault = on_fault
        self._samples = 0
        self._is_closing = False
        self._complained = False
        self._pumping = asyncio.create_task(self._pump(stream, sink))
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def start(
        cls,
        sink: Sink,
        on_fault: OnFault,
        *,
        container: str | None = None,
        apart: int | None = None,
    ) -> "Child":
        """The stream is in `container`, or in any. `apart` is explained at `LiveSamples`."""
        known = ("-f", container) if container else ()
        process = await start_ffmpeg(
            *ffmpeg_command("pipe:0", "pipe", options=(*_LIVE, *known)),
            stdin=asyncio.subprocess.PIPE,
        )
        return cls(process, LiveSamples(apart), sink, on_fault)

    @property
    def has_ended(self) -> bool:
        return self._pumping.done()

    async def has_room(self) -> None:
        """Waits until ffmpeg has accepted what was written before."""
        with suppress(ConnectionError):  # it has ended, which is reported when it is replaced
            await self._stdin.drain()

    def write(self, data: bytes) -> None:
        if not self._stdin.is_closing():
            self._stdin.write(data)

    async def finish(self) -> None:
        """Waits until all samples are in the sink and the process has ended."""
        self._is_closing = True
        self._stdin.close()
        await asyncio.shield(self._pumping)
        await self._reap()
        if self._samples == 0 and not self._complained:
            self._complain()

    async def kill(self) -> None:
        self._is_closing = True
        self._stdin.close()
        self._pumping.cancel()
        await self._reap()

    async def _pump(self, stream: LiveSamples, sink: Sink) -> None:
        stdout = cast(asyncio.StreamReader, self._process.stdout)
        try:
            while chunk := await stdout.read(_CHUNK_BYTES):
                await self._bring(stream.feed(chunk), sink)
            await self._bring(stream.finish(), sink)
        except InvalidAudio as fault:
            self._complain(fault)
            while await stdout.read(_CHUNK_BYTES):
                pass  # the rest of the same stream is no better

    async def _bring(self, samples: Samples, sink: Sink) -> None:
        if count := samples.shape[-1]:
            self._samples += count
            await sink(samples)

    async def _listen(self) -> None:
        """Reports once if ffmpeg cannot read something. A stream may end in the middle."""
        stderr = cast(asyncio.StreamReader, self._process.stderr)
        while chunk := await stderr.read(_CHUNK_BYTES):
            log.debug("live_decoder", says=chunk.decode(errors="replace")[:500])
            if not self._is_closing and not self._complained:
                self._complain()

    def _complain(self, fault: InvalidAudio | None = None) -> None:
        self._complained = True
        self._on_fault(fault or InvalidAudio("part of the audio could not be decoded"))

    async def _reap(self) -> None:
        """Ends the process if necessary, and reads its pipes to their end so that asyncio closes
        them."""
        if self._process.returncode is None and not self._pumping.done():
            with suppress(ProcessLookupError):
                self._process.kill()
        stdout = cast(asyncio.StreamReader, self._process.stdout)
        await asyncio.gather(self._pumping, return_exceptions=True)
        while await stdout.read(_CHUNK_BYTES):
            pass
        try:
            async with asyncio.timeout(_EXIT_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
        await asyncio.gather(self._listening, self._process.wait(), return_exceptions=True)
        with suppress(ConnectionError):
            await self._stdin.wait_closed()
