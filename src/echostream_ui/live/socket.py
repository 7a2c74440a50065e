"""The WebSocket between the recorder in a page and its live recording on this server.

From the browser: first `{"ticket", "ext"}` for a new recording, or `{"secret"}` to reconnect to it;
then each piece of the container stream as a binary message, and `{"stop": true}` after the last.
Pieces are not numbered: they come in order, and every message to the browser says how many are on
the disk, so that a browser that reconnects continues after that many.

To the browser: `{"secret", "id", "text", "tentative", "lagMs", "received", "notice"}` at once, then
the same without the first two whenever something changes. The browser appends `text`; the first one
after reconnecting is the whole text. The last message also has `ended`. The socket then closes with
1000. It closes with 4401 if the ticket or the secret is not valid, 4400 if the first message makes
no sense, 4409 if another connection took the recording over, 4500 if the recording cannot start.
"""

import asyncio
import logging
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from echostream.given_json import parse
from echostream_ui.library.store import Json, StoreError
from echostream_ui.live.session import LiveSession, Wanted
from echostream_ui.live.sessions import LiveSessions
from echostream_ui.tickets import Tickets

log = logging.getLogger(__name__)

_HELLO_S = 10.0
_SUFFIXES = {"webm": ".webm", "ogg": ".ogg", "mp4": ".m4a"}
_LEFT = (1000, 1001)
"""Close codes if the browser itself ends the connection, for example on closing its window."""

_Refusal = tuple[int, str]


class LiveSockets:
    """Serves all the sockets. Each recording has one connection, the newest."""

    def __init__(self, sessions: LiveSessions, tickets: Tickets[Wanted]) -> None:
        self._sessions = sessions
        self._tickets = tickets
        self._holders: dict[str, WebSocket] = {}

    async def serve(self, websocket: WebSocket) -> None:
        """Serves one socket from its handshake until it closes."""
        await websocket.accept()
        try:
            async with asyncio.timeout(_HELLO_S):
                hello = _object(await websocket.receive())
        except (WebSocketDisconnect, TimeoutError):
            await _close(websocket, 4400, "nothing was said")
            return
        admitted = await self._admit(hello)
        if isinstance(admitted, LiveSession):
            await self._hold(websocket, admitted)
        else:
            await _close(websocket, *admitted)

    async def _admit(self, hello: Json | None) -> LiveSession | _Refusal:
        if hello is None:
            return 4400, "a ticket or a secret was expected"
        if "secret" in hello:
            return self._sessions.find(str(hello["secret"])) or (4401, "no such recording")
        suffix = _SUFFIXES.get(str(hello.get("ext")))
        if suffix is None:
            return 4400, "no such kind of audio"
        wanted = self._tickets.redeem(str(hello.get("ticket")))
        if wanted is None:
            return 4401, "the ticket is not good"
        try:
            return await self._sessions.begin(wanted, suffix)
        except (OSError, StoreError) as error:
            log.warning("a live recording cannot begin: %s", error)
            return 4500, "the recording cannot be kept"

    async def _hold(self, websocket: WebSocket, session: LiveSession) -> None:
        before = self._holders.get(session.secret)
        self._holders[session.secret] = websocket
        session.stay()
        if before is not None:
            await _close(before, 4409, "taken over")
        await session.settled()
        telling = asyncio.create_task(_tell(websocket, session))
        hearing = asyncio.create_task(self._hear(websocket, session))
        try:
            await asyncio.wait({telling, hearing}, return_when=asyncio.FIRST_COMPLETED)
            if session.ended is None:
                await asyncio.wait({hearing})  # only it learns how the browser left
        finally:
            for task in (telling, hearing):
                task.cancel()
            _, code = await asyncio.gather(telling, hearing, return_exceptions=True)
            if self._holders.get(session.secret) is websocket:
                del self._holders[session.secret]
                if session.ended is None:
                    self._left(session, code)
        await _close(websocket, 1000, "")

    def _left(self, session: LiveSession, code: object) -> None:
        if code in _LEFT:
            session.stop()
        else:
            session.wait_for_return(self._sessions.grace_s)

    async def _hear(self, websocket: WebSocket, session: LiveSession) -> int | None:
        """Runs until the browser is gone or replaced. Returns its close code, None if replaced."""
        while self._holders.get(session.secret) is websocket:
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                return int(message.get("code") or 1006)
            if (piece := message.get("bytes")) is not None:
                await session.append(piece)
            elif (_object(message) or {}).get("stop"):
                session.stop()
        return None


async def _tell(websocket: WebSocket, session: LiveSession) -> None:
    """Sends every change until the recording has ended. A slow browser gets fewer messages."""
    told: int = 0
    first: Json = {"secret": session.secret, "id": session.media_id}
    with suppress(WebSocketDisconnect, RuntimeError):  # RuntimeError: it was closed meanwhile
        while True:
            changed = session.news
            text, ended = session.confirmed[told:], session.ended
            told += len(text)
            await websocket.send_json(
                first
                | {
                    "text": text,
                    "tentative": session.tentative,
                    "lagMs": session.lag_ms,
                    "received": session.pieces,
                    "notice": session.notice,
                }
                | ({"ended": ended.how} if ended else {})
            )
            first = {}
            if ended:
                return
            await changed.wait()


def _object(message: MutableMapping[str, Any]) -> Json | None:
    """Returns a message's JSON object, None for others. Raises WebSocketDisconnect."""
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code") or 1006)
    try:
        said = parse(message.get("text") or "null")
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


async def _close(websocket: WebSocket, code: int, reason: str) -> None:
    with suppress(RuntimeError, WebSocketDisconnect):  # it is closed already
        await websocket.close(code, reason)
