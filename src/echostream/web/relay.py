"""Relays the events of a client whose live session is in another process of this host.

After a broken connection the client may come back to any process, but the session cannot move: its
audio is being decoded. So the process with the connection becomes a client of the process with the
session, over its private Unix socket.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import socketio

from echostream.errors import ResumeFailed
from echostream.web.peers import Peers

_ANSWER_S = 30.0
_EVENTS = (
    *("audio_started", "partial_transcript", "insights_update", "audio_progress"),
    *("audio_final", "audio_error"),
)

Message = dict[str, Any]
Tell = Callable[[str, Message], Awaitable[None]]


class Relay:
    """One client's connection to the process that has its session."""

    def __init__(self, tell: Tell) -> None:
        """`tell` is called with each event for the client."""
        self._tell = tell
        self._closing = False

    async def open(self, peers: Peers, owner: int, token: str | None) -> None:
        """Connects to process `owner`. Raises ResumeFailed if it is gone."""
        connector = aiohttp.UnixConnector(str(peers.socket_path(owner)))
        self._http = aiohttp.ClientSession(connector=connector)
        self._socket = socketio.AsyncClient(
            reconnection=False, handle_sigint=False, http_session=self._http
        )
        for event in _EVENTS:
            self._socket.on(event, self._passing_on(event))
        self._socket.on("disconnect", self._broken)
        try:
            await self._socket.connect(
                "http://localhost", auth={"token": token}, transports=["websocket"]
            )
        except socketio.exceptions.ConnectionError as error:
            await self.aclose()
            raise ResumeFailed("the process that had this session is gone") from error

    async def call(self, event: str, data: Message) -> Message:
        """Returns the owner's answer. Raises ResumeFailed if it is gone or does not answer."""
        try:
            answer: Message = await self._socket.call(event, data, timeout=_ANSWER_S)
        except socketio.exceptions.SocketIOError as error:
            raise ResumeFailed("the process that had this session is gone") from error
        return answer

    async def aclose(self) -> None:
        self._closing = True
        await self._socket.disconnect()
        await self._http.close()

    def _passing_on(self, event: str) -> Callable[[Message], Awaitable[None]]:
        async def pass_on(message: Message) -> None:
            await self._tell(event, message)

        return pass_on  # the library must recognise it as a coroutine function

    async def _broken(self, _reason: str) -> None:
        if not self._closing:
            fault = {"error": ResumeFailed.code, "message": "the process of this session is gone"}
            await self._tell("audio_error", {"audioId": None, **fault})
