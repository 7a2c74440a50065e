"""The WebSocket between the recorder in a page and its live recording here.

From the browser: first `{"ticket", "ext"}` for a new recording, or `{"secret"}` to come back to it;
then each piece of the container stream as a binary message, and `{"stop": true}` after the last.
Pieces are not numbered: they come in order, and every message from here says how many are on the
disk, so a browser that comes back goes on after that many.

To the browser: `{"secret", "id", "text", "tentative", "lagMs", "received", "notice"}` at once, then
the same without the first two whenever something has changed. `text` is to be appended; the first
one after coming back is the whole text. At last `{"ended"}`. It is closed with 1000 then, with 4401
when a ticket or a secret is not good, with 4400 for what makes no sense, 4409 when the recording
was taken over by another connection, 4500 when it cannot be begun.
"""

import asyncio
import json
import logging
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from echostream_ui.library.store import Json, StoreError
from echostream_ui.live.session import LiveSession, Wanted
from echostream_ui.live.sessions import LiveSessions
from echostream_ui.tickets import Tickets

log = logging.getLogger(__name__)

_HELLO_S = 10.0
_SUFFIXES = {"webm": ".webm", "ogg": ".ogg", "mp4": ".m4a"}
_LEFT = (1000, 1001)
"""How a browser closes a connection itself, as when its window is closed."""

_Refusal = tuple[int, str]


class LiveSockets:
    """Serves them all. One recording has one connection, the newest."""

    def __init__(self, sessions: LiveSessions, tickets: Tickets[Wanted]) -> None:
        self._sessions = sessions
        self._tickets = tickets
        self._holders: dict[str, WebSocket] = {}

    async def serve(self, websocket: WebSocket) -> None:
        """From its opening handshake to its end."""
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
                await asyncio.wait({hearing})  # only there is it seen how a browser went
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
        """Until the browser is gone: the code it closed with, if it did."""
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
    """All that changes, until the recording has ended; a slow browser is told less often."""
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
    """What a text message says, if it is a JSON object. Raises WebSocketDisconnect."""
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code") or 1006)
    try:
        said = json.loads(message.get("text") or "null")
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


async def _close(websocket: WebSocket, code: int, reason: str) -> None:
    with suppress(RuntimeError, WebSocketDisconnect):  # it is closed already
        await websocket.close(code, reason)
