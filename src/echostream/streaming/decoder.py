"""Decodes a live client's bytes to samples.

A client sends one continuous container stream, cut anywhere (MediaRecorder does this: only the
first piece has a header), or complete files one after the other. A piece that starts like a file
starts a new stream; every other piece continues the current one. An ffmpeg process runs as long as
the stream. It also reads Opus packets without a container, one in each piece, for which a container
is made. Raw audio, cut anywhere, needs no process.
"""

import asyncio
from copy import deepcopy

from echostream.errors import InvalidAudio, InvalidRequest
from echostream.media import OpusStream, RawChannels, RawMix
from echostream.streaming.decoder_process import Child, OnFault, Sink
from echostream.streaming.forms import IN_CONTAINERS, AudioForm

_MOST_HEAD_BYTES = 256 * 1024
_MOST_RAW_BYTES = 1024 * 1024
_MOST_RAW_S = 60
"""Speech is detected in raw audio as soon as it arrives, which takes long for a long piece."""
_BRIEF_BYTES = 32 * 1024
"""Longer pieces are decoded in a thread, as they would keep other clients waiting."""

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

    def __init__(self, sink: Sink, on_fault: OnFault, form: AudioForm = IN_CONTAINERS) -> None:
        self._sink = sink
        self._on_fault = on_fault
        self._form = form
        self._raw = _raw_decoder(form)
        self._opus = OpusStream(form.channels) if form.encoding == "opus" else None
        self._is_garbled = False
        self._head = Head()
        self._child: Child | None = None

    async def feed(self, piece: bytes) -> None:
        """Takes a piece; waits until ffmpeg has accepted the one before.

        A piece is taken completely, or not at all if this raises or is cancelled. Raises
        InvalidRequest for more than a minute or 1 MiB of raw audio at once.
        """
        if self._opus and self._child is None and begins_a_file(piece):
            self._opus = None  # such files have the same name
        if self._raw is not None:
            await self._feed_raw(piece, self._raw)
        elif self._opus is not None:
            await self._feed_packet(piece, self._opus)
        else:
            await self._feed_stream(piece)

    async def finish(self) -> None:
        """Sends everything that was fed to the sink. Nothing can be fed after this."""
        if isinstance(self._raw, RawMix):
            await self._sink(self._raw.finish())
        if self._child:
            await self._end(self._child)

    async def aclose(self) -> None:
        """Ends the ffmpeg process at once."""
        if self._child:
            await self._child.kill()
            self._child = None

    async def _feed_raw(self, piece: bytes, raw: RawMix | RawChannels) -> None:
        if len(piece) > _MOST_RAW_BYTES or len(piece) > _MOST_RAW_S * self._form.bytes_per_s:
            raise InvalidRequest("raw audio must come in pieces of at most 1 MiB and a minute")
        # A piece that is given up while it waits for room must leave no trace.
        after = deepcopy(raw)
        if len(piece) > _BRIEF_BYTES:
            samples = await asyncio.to_thread(after.feed, piece)
        else:
            samples = after.feed(piece)
        await self._sink(samples)
        self._raw = after

    async def _feed_packet(self, packet: bytes, opus: OpusStream) -> None:
        child = await self._ready_child()
        if child is None:
            child = await self._begin(opus.head(), container="ogg")
        await child.has_room()
        child.write(self._in_ogg(packet, opus))

    def _in_ogg(self, packet: bytes, opus: OpusStream) -> bytes:
        """The packet for ffmpeg; silence for one that was lost or is broken."""
        if not packet:
            return opus.silence()
        try:
            page = opus.packet(packet)
        except InvalidAudio as fault:
            if not self._is_garbled:  # told once for several in a row
                self._on_fault(fault)
            self._is_garbled = True
            return opus.silence()
        self._is_garbled = False
        return page

    async def _feed_stream(self, piece: bytes) -> None:
        begins = begins_a_file(piece)
        child = await self._ready_child(starts_anew=begins)
        if child is None:
            child = await self._begin(b"" if begins else self._head.of_the_stream)
        await child.has_room()
        if begins:
            self._head = Head()
        self._head.watch(piece)
        child.write(piece)

    async def _ready_child(self, *, starts_anew: bool = False) -> Child | None:
        """The process that reads on; None if there is none, or only one that had to end."""
        if self._child and (starts_anew or self._child.has_ended):
            await self._end(self._child)
        return self._child

    async def _begin(self, head: bytes, container: str | None = None) -> Child:
        apart = self._form.channels if self._form.apart else None
        self._child = child = await Child.start(
            self._sink, self._on_fault, container=container, apart=apart
        )
        child.write(head)
        return child

    async def _end(self, child: Child) -> None:
        await child.finish()
        self._child = None


def _raw_decoder(form: AudioForm) -> RawMix | RawChannels | None:
    if form.encoding is None or form.encoding == "opus":
        return None
    kind = RawChannels if form.apart else RawMix
    return kind(form.encoding, form.rate_hz, form.channels)


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
