"""Decodes a live client's bytes to samples, with an ffmpeg process that runs as long as the stream.

A client sends one continuous container stream, cut anywhere (MediaRecorder does this: only the
first piece has a header), or complete files one after the other, or raw PCM16. A piece that starts
like a file starts a new stream; every other piece continues the current one.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import cast

import numpy as np
import structlog

from echostream.domain import SAMPLE_RATE_HZ
from echostream.engine import Samples
from echostream.errors import InvalidAudio, InvalidRequest
from echostream.media import LiveSamples, ffmpeg_command, start_ffmpeg

log = structlog.get_logger(__name__)

Sink = Callable[[Samples], Awaitable[None]]
"""Takes samples. It may wait until there is room for them, which slows the client down."""
OnFault = Callable[[InvalidAudio], None]
"""Called when some audio could not be decoded; later audio may still be decodable."""

_MIN_RATE_HZ, _MAX_RATE_HZ = 4_000, 384_000
_SAMPLE_BYTES = 2
_CHUNK_BYTES = 32 * 1024
_MOST_HEAD_BYTES = 256 * 1024
_MOST_RAW_BYTES = 1024 * 1024
"""Speech is detected in raw audio as soon as it arrives, which takes long for a long piece."""
_EXIT_S = 5.0
# Starts at once: by default ffmpeg first collects seconds of audio to analyse. `-fflags nobuffer`
# is not used, because it loses the first packet of a WAV file.
_LIVE = ("-probesize", "32", "-analyzeduration", "0", "-formatprobesize", "16384")

_EBML, _CLUSTER = b"\x1a\x45\xdf\xa3", b"\x1f\x43\xb6\x75"
_HEADERS = (_EBML, b"fLaC", b"ID3", b"#!AMR", b"caff", b"FORM", b".snd", b"\x30\x26\xb2\x75")


def begins_a_file(piece: bytes) -> bool:
    """Whether a piece starts with the header of a file."""
    if piece.startswith(b"OggS"):
        # Every page of an Ogg stream starts like this; the first page of a stream has a flag.
        return len(piece) > 5 and bool(piece[5] & 0x02)
    if piece.startswith((b"RIFF", b"RF64")):
        return piece[8:12] == b"WAVE"
    return piece.startswith(_HEADERS) or piece[4:8] == b"ftyp"


class StreamDecoder:
    """Decodes the pieces of one client, in order, into `sink`.

    The queue is bounded: at most one piece waits for ffmpeg, and ffmpeg waits for the sink. Only
    one task at a time may call it.
    """

    def __init__(self, sink: Sink, on_fault: OnFault, *, raw_rate_hz: int | None = None) -> None:
        """With `raw_rate_hz`, the pieces are PCM16, mono, little-endian, at that rate.

        Raises InvalidRequest if the rate is out of range.
        """
        if raw_rate_hz is not None and not _MIN_RATE_HZ <= raw_rate_hz <= _MAX_RATE_HZ:
            raise InvalidRequest(f"sampleRate must be {_MIN_RATE_HZ} to {_MAX_RATE_HZ}")
        self._sink = sink
        self._on_fault = on_fault
        self._raw_rate_hz = raw_rate_hz
        self._odd_byte = b""
        self._head = Head()
        self._child: _Child | None = None

    async def feed(self, piece: bytes) -> None:
        """Takes a piece; waits until ffmpeg has accepted the one before.

        A piece is taken completely, or not at all if this raises or is cancelled. Raises
        InvalidRequest for more than half a minute of raw audio at once.
        """
        if self._raw_rate_hz == SAMPLE_RATE_HZ:
            await self._feed_samples(piece)
            return
        begins = self._raw_rate_hz is None and begins_a_file(piece)
        if self._child and (begins or self._child.has_ended):
            await self._end_child()
        if self._child is None:
            await self._start_child(b"" if begins else self._head.of_the_stream)
        child = cast(_Child, self._child)
        await child.has_room()
        if begins:
            self._head = Head()
        self._head.watch(piece)
        child.write(piece)

    async def finish(self) -> None:
        """Sends everything that was fed to the sink. Nothing can be fed after this."""
        if self._child:
            await self._end_child()

    async def aclose(self) -> None:
        """Ends the ffmpeg process at once."""
        if self._child:
            await self._child.kill()
            self._child = None

    async def _feed_samples(self, piece: bytes) -> None:
        if len(piece) > _MOST_RAW_BYTES:
            raise InvalidRequest("raw audio must come in pieces of at most 1 MiB")
        pcm = self._odd_byte + piece
        whole = len(pcm) - len(pcm) % _SAMPLE_BYTES
        await self._sink(np.frombuffer(pcm[:whole], "<i2"))
        self._odd_byte = pcm[whole:]

    async def _start_child(self, head: bytes) -> None:
        self._child = await _Child.start(self._raw_rate_hz, self._sink, self._on_fault)
        self._child.write(head)

    async def _end_child(self) -> None:
        await cast(_Child, self._child).finish()
        self._child = None


class Head:
    """The header of a container stream, kept so that a new ffmpeg can continue in its middle."""

    def __init__(self) -> None:
        self._seen = b""
        self.of_the_stream = b""
        """All bytes before the first audio; empty if not yet known, and for other containers."""

    def watch(self, piece: bytes) -> None:
        """Reads the next piece of the stream, until the header is complete."""
        if self.of_the_stream or len(self._seen) > _MOST_HEAD_BYTES:
            return
        self._seen += piece
        if self._seen.startswith(_EBML):
            end = self._seen.find(_CLUSTER)
        elif self._seen[4:8] == b"ftyp":
            end = self._seen.find(b"moof") - 4
        else:
            end = -1
            self._seen = bytes(_MOST_HEAD_BYTES + 1)
        if end > 0:
            self.of_the_stream, self._seen = self._seen[:end], b""


class _Child:
    """One ffmpeg process, from its first byte to the last sample."""

    def __init__(self, process: asyncio.subprocess.Process, sink: Sink, on_fault: OnFault) -> None:
        self._process = process
        self._stdin = cast(asyncio.StreamWriter, process.stdin)
        self._on_fault = on_fault
        self._samples = 0
        self._is_closing = False
        self._complained = False
        self._pumping = asyncio.create_task(self._pump(sink))
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def start(cls, raw_rate_hz: int | None, sink: Sink, on_fault: OnFault) -> "_Child":
        raw = ("-f", "s16le", "-ac", "1", "-ar", str(raw_rate_hz)) if raw_rate_hz else ()
        process = await start_ffmpeg(
            *ffmpeg_command("pipe:0", "pipe", options=(*_LIVE, *raw), more_containers="s16le"),
            stdin=asyncio.subprocess.PIPE,
        )
        return cls(process, sink, on_fault)

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

    async def _pump(self, sink: Sink) -> None:
        stdout = cast(asyncio.StreamReader, self._process.stdout)
        stream = LiveSamples()
        while chunk := await stdout.read(_CHUNK_BYTES):
            await self._bring(stream.feed(chunk), sink)
        await self._bring(stream.finish(), sink)

    async def _bring(self, samples: Samples, sink: Sink) -> None:
        if len(samples):
            self._samples += len(samples)
            await sink(samples)

    async def _listen(self) -> None:
        """Reports once if ffmpeg cannot read something. A stream may end in the middle."""
        stderr = cast(asyncio.StreamReader, self._process.stderr)
        while chunk := await stderr.read(_CHUNK_BYTES):
            log.debug("live_decoder", says=chunk.decode(errors="replace")[:500])
            if not self._is_closing and not self._complained:
                self._complain()

    def _complain(self) -> None:
        self._complained = True
        self._on_fault(InvalidAudio("part of the audio could not be decoded"))

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
