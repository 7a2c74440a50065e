"""A client for a server's live transcription. It sends audio, and survives broken connections.

Like any other client, it only uses the server's public Socket.IO events.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import socketio
from numpy.typing import NDArray

from echostream.domain import SAMPLE_RATE_HZ
from echostream.errors import EchoStreamError
from echostream.media import decode, decode_channels

_PIECE_S = 0.1
_READ_BYTES = 16 * 1024
_ACK_S = 30.0
_FINAL_S = 60.0
_PAUSE_S = 0.5

Message = dict[str, Any]


class LiveFailed(EchoStreamError):
    """The server cannot be reached (code `unreachable`), or it refused the session, with its own
    message and code."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


async def samples_of_file(
    path: Path, *, max_audio_s: float, timeout_s: float, apart: bool
) -> NDArray[np.int16]:
    """The audio of a file at 16 kHz, shape `(channels, samples)`; one channel unless they are to be
    kept `apart`. Raises AudioError."""
    if apart:
        return await decode_channels(path, max_audio_s=max_audio_s, timeout_s=timeout_s)
    return np.stack([await decode(path, max_audio_s=max_audio_s, timeout_s=timeout_s)])


async def pieces_of(samples: NDArray[np.int16], *, speed: float) -> AsyncIterator[bytes]:
    """Samples as interleaved PCM16, in real time multiplied by `speed`; 0 means without delays."""
    step = int(_PIECE_S * SAMPLE_RATE_HZ)
    clock = asyncio.get_running_loop().time
    started = clock()
    for start in range(0, samples.shape[1], step):
        yield samples[:, start : start + step].T.astype("<i2", copy=False).tobytes()
        if speed:
            await asyncio.sleep(started + (start + step) / SAMPLE_RATE_HZ / speed - clock())


async def pieces_of_stdin() -> AsyncIterator[bytes]:
    """The bytes of standard input, for instance from a microphone, as they arrive."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    try:
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer
        )
    except ValueError:  # a file, which asyncio cannot wait for
        while piece := os.read(sys.stdin.fileno(), _READ_BYTES):
            yield piece
        return
    try:
        while piece := await reader.read(_READ_BYTES):
            yield piece
    finally:
        transport.close()


class LiveClient:
    """One live session. `on_partial` gets each `partial_transcript` once, `on_fault` the server's
    message about audio that it could not read, `on_progress` each `audio_progress`, and
    `on_insights` each `insights_update`. Once the session has started, `on_link` gets each change
    of the connection.

    With `touch_s`, the session is told that its client is still there whenever there was no audio
    for so many seconds: a recording that pauses is not over."""

    def __init__(
        self,
        url: str,
        token: str | None,
        start: Message,
        *,
        on_partial: Callable[[Message], None],
        on_fault: Callable[[str], None],
        on_progress: Callable[[Message], None] = lambda _message: None,
        on_insights: Callable[[Message], None] = lambda _message: None,
        on_link: Callable[[bool], None] = lambda _is_up: None,
        touch_s: float | None = None,
    ) -> None:
        """`start` has the fields of `start_audio`."""
        self._url = url
        self._auth = {"token": token} if token else None
        self._start = start
        self._on_partial = on_partial
        self._on_fault = on_fault
        self._on_progress = on_progress
        self._on_insights = on_insights
        self._touch_s = touch_s
        self._on_link = on_link
        self.is_cut = False
        """Whether the server ended the session before its audio did: it stopped, or nothing came
        for too long. Then `audio_final` has the text so far."""
        self._is_full = False
        self._last_seq = 0
        self._refusal: str | None = None
        self._started = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._final: asyncio.Future[Message] = loop.create_future()
        # `run` may have ended in another way, and then nobody reads why the session failed.
        self._final.add_done_callback(_read_outcome)
        self._socket: socketio.AsyncClient

    def _connect_with(self, http: aiohttp.ClientSession) -> None:
        # By default it handles Ctrl-C by cancelling all tasks of the program.
        self._socket = socketio.AsyncClient(handle_sigint=False, http_session=http)
        for event, handler in (
            ("connect", self._begin),
            ("connect_error", self._refused),
            ("disconnect", self._broken),
            ("partial_transcript", self._partial),
            ("insights_update", self._insights),
            ("audio_progress", self._progress),
            ("audio_final", self._end),
            ("audio_error", self._fault),
        ):
            self._socket.on(event, handler)

    async def run(self, pieces: AsyncIterator[bytes]) -> Message:
        """Sends all pieces; returns `audio_final`. Raises LiveFailed, and what `pieces` raises."""
        piece = await anext(pieces, None)  # if this raises, there is no session yet
        # If it cannot connect, the library would leave its own HTTP session open.
        async with aiohttp.ClientSession() as http:
            self._connect_with(http)
            try:
                await self._socket.connect(self._url, auth=self._auth)
            except socketio.exceptions.ConnectionError as error:
                code = "unauthorized" if self._refusal == "unauthorized" else "unreachable"
                reason = self._refusal or error
                raise LiveFailed(f"cannot connect to {self._url}: {reason}", code) from error
            except BaseException:  # cancelled meanwhile; else it would go on, and connect again
                self._socket.reconnection = False
                await self._socket.eio.disconnect()
                raise
            return await self._send(piece, pieces)

    async def _send(self, piece: bytes | None, pieces: AsyncIterator[bytes]) -> Message:
        try:
            seq = 0
            while piece is not None and not self._final.done():
                await self._until_done("audio_chunk", {"buffer": piece, "seq": seq})
                piece, seq = await self._next(pieces, seq), seq + 1
            self.is_cut = self._final.done() and not self._is_full
            await self._until_done("end_audio", {})
            return await self._final
        finally:
            if not self._final.done():
                with suppress(socketio.exceptions.SocketIOError):
                    await self._socket.emit(
                        "end_audio", {}
                    )  # otherwise the server would wait for us
            self._socket.reconnection = False
            # The first one only waits for a connection that is being made anew.
            for _twice in range(2):
                await self._socket.shutdown()

    async def _next(self, pieces: AsyncIterator[bytes], seq: int) -> bytes | None:
        """Returns the next piece, None after the last. `seq` is that of the last one sent."""
        following = asyncio.ensure_future(anext(pieces, None))
        either: set[asyncio.Future[Any]] = {following, self._final}
        try:
            while not (following.done() or self._final.done()):
                done, _ = await asyncio.wait(
                    either, timeout=self._touch_s, return_when=asyncio.FIRST_COMPLETED
                )
                if not done:
                    # The server ignores a piece that it has had, but knows now that we are there.
                    await self._until_done("audio_chunk", {"buffer": b"", "seq": seq})
            return following.result() if following.done() else None
        finally:
            if not following.done():
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)

    async def _until_done(self, event: str, data: Message) -> None:
        """Sends one event until the server has it, if necessary over several connections."""
        while not self._final.done():
            await self._started.wait()
            try:
                answer = await self._socket.call(event, data, timeout=_ACK_S)
            except socketio.exceptions.SocketIOError:
                await asyncio.sleep(_PAUSE_S)  # disconnected; the library reconnects
                continue
            if answer["ok"]:
                return
            if answer["error"] == "audio_too_long":
                self._is_full = True
                self._on_fault(answer["message"])
                await asyncio.wait({self._final})  # the server ends the session
                return
            if answer["error"] == "invalid_request":
                # The server has ended the session. Its text is still to come.
                await asyncio.wait({self._final}, timeout=_FINAL_S)
                if self._final.done():
                    return
            if answer["error"] != "too_fast":
                raise LiveFailed(answer["message"], answer["error"])
            await asyncio.sleep(_PAUSE_S)

    async def _begin(self) -> None:
        asked = self._start | {"lastSeq": self._last_seq}
        try:
            answer = await self._socket.call("start_audio", asked)
        except socketio.exceptions.SocketIOError:
            return  # disconnected; the library reconnects
        if answer["ok"]:
            self._start |= {name: answer[name] for name in ("audioId", "resumeSecret")}
            self._started.set()
            self._on_link(True)
        else:
            self._fail(LiveFailed(answer["message"], answer["error"]))

    async def _refused(self, reason: object) -> None:
        self._refusal = str(reason.get("message") if isinstance(reason, dict) else reason)

    async def _broken(self) -> None:
        if self._started.is_set():
            self._started.clear()
            self._on_link(False)

    async def _partial(self, message: Message) -> None:
        if message["text"]:
            self._last_seq = message["seq"]
        try:
            self._on_partial(message)
        except Exception as error:  # for instance a closed pipe
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        if not self._final.done():
            self._final.set_exception(error)
        self._started.set()

    async def _insights(self, message: Message) -> None:
        self._on_insights(message)

    async def _progress(self, message: Message) -> None:
        self._on_progress(message)

    async def _end(self, message: Message) -> None:
        if not self._final.done():
            self._final.set_result(message)

    async def _fault(self, message: Message) -> None:
        if message["error"] == "invalid_audio":  # other errors also come as acknowledgements
            self._on_fault(message["message"])


def _read_outcome(final: asyncio.Future[Message]) -> None:
    """Keeps asyncio from reporting an error that nobody awaits any more."""
    if not final.cancelled():
        final.exception()


async def stopped_by(stop: asyncio.Event, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yields the pieces until `stop` is set."""
    stopping = asyncio.create_task(stop.wait())
    try:
        while True:
            following = asyncio.ensure_future(anext(pieces))
            await asyncio.wait({following, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not following.done():
                following.cancel()
                return
            with suppress(StopAsyncIteration):
                yield following.result()
                continue
            return
    finally:
        stopping.cancel()
