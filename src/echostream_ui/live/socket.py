"""The WebSocket between the recorder in a page and its live recording on this server.

From the browser: first `{"ticket", "ext"}` for a new recording, or `{"secret"}` to reconnect to it;
then each piece of the container stream as a binary message, and `{"stop": true}` after the last.
Pieces are not numbered: they come in order, and every message to the browser says how many are on
the disk, so that a browser that reconnects continues after that many. A bookmark is `{"bookmark":
{"id", "at", "note"}}` with a time in seconds; the same id again changes it, and `{"id", "gone":
true}` removes it. All of them may be told again.

To the browser: `{"secret", "id", "said", "labels", "tentative", "lagMs", "received", "notice",
"finalPass"}` at once, then the same without the first two whenever something changes, and with
`insights` when there are newer ones. `said` is a list of `[seq, start, end, text]` with times in
milliseconds, `labels` one of `[seq, speaker]`; the browser appends both, and the first ones after
reconnecting are all of them. The last message also has `ended` and `revised`. The socket then
closes with 1000. It closes with 4401 if the ticket or the secret is not valid, 4400 if the first
message makes no sense, 4409 if another connection took the recording over, 4500 if the recording
cannot start.
"""

import asyncio
import logging
from collections.abc import MutableMapping
from contextlib import suppress
from math import inf
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from echostream.given_json import parse
from echostream_ui.library.analysis import Bookmark
from echostream_ui.library.store import StoreError
from echostream_ui.library.values import Json
from echostream_ui.live.session import LiveSession, Wanted
from echostream_ui.live.sessions import LiveSessions
from echostream_ui.tickets import Tickets

log = logging.getLogger(__name__)

_HELLO_S = 10.0
_LONGEST_NOTE = 1000
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
            elif said := _object(message):
                _obey(said, session)
        return None


def _obey(said: Json, session: LiveSession) -> None:
    """Does what the browser says. What makes no sense is passed over."""
    if said.get("stop"):
        session.stop()
    if not isinstance(told := said.get("bookmark"), dict):
        return
    key, at_s = str(told.get("id"))[:_LONGEST_NOTE], told.get("at")
    if told.get("gone"):
        session.bookmarks.remove(key)
    elif isinstance(at_s, int | float) and 0 <= at_s < inf:
        note = str(told.get("note") or "")[:_LONGEST_NOTE]
        session.bookmarks.put(key, Bookmark(float(at_s), " ".join(note.split())))


async def _tell(websocket: WebSocket, session: LiveSession) -> None:
    """Sends every change until the recording has ended. A slow browser gets fewer messages."""
    pieces = labels = 0
    insights: Json | None = None
    first: Json = {"secret": session.secret, "id": session.media_id}
    with suppress(WebSocketDisconnect, RuntimeError):  # RuntimeError: it was closed meanwhile
        while True:
            changed = session.news
            all_ = session.said
            said, names = all_.pieces[pieces:], all_.labels[labels:]
            pieces, labels = pieces + len(said), labels + len(names)
            news = first | {
                "said": [
                    (each.seq, round(1000 * each.start_s), round(1000 * each.end_s), each.text)
                    for each in said
                ],
                "labels": [(each.seq, each.speaker) for each in names],
                "tentative": all_.tentative,
                "lagMs": all_.lag_ms,
                "received": session.pieces,
                "notice": session.notice,
                "finalPass": all_.final_pass,
            }
            if all_.insights is not insights:
                news["insights"] = insights = all_.insights
            if ended := session.ended:
                news |= {"ended": ended.how, "revised": all_.is_revised}
            await websocket.send_json(news)
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
