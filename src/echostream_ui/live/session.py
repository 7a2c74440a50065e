"""One live recording.

The audio is first written to disk, then read from there and sent to the API. So memory does not
grow however far the API is behind. And if the browser, the API or this process fails, the audio
still ends in the library: with the live text, or else transcribed like any other file.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from echostream.live_client import LiveClient, LiveFailed
from echostream.options import LiveOptions
from echostream.private_files import open_private
from echostream_ui.intake import Intake
from echostream_ui.library.store import Store, StoreError
from echostream_ui.library.values import Json
from echostream_ui.live.bookmarks import LiveBookmarks
from echostream_ui.live.said import Said

log = logging.getLogger(__name__)

_READ_BYTES = 64 * 1024
_AWAY_S = 3.0
"""How long a stopped recording waits for the API if the connection to it broke."""
_TOUCH_S = 30.0
"""How often a paused recording tells the API that it goes on. After `LIVE_IDLE_S` without a sound
the API would end it."""

_ANSWERED = (
    *("transcript", "insights", "language", "duration", "segments", "speakers", "warnings"),
    *("engine", "model"),
)

_NO_TEXT = {
    "unreachable": "The API cannot be reached.",
    "server_busy": "Every place for live text is taken just now.",
    "unauthorized": "The API refuses the frontend, which needs its `API_BEARER_TOKEN`.",
    "resume_failed": "The API was started anew, and knows nothing of this recording.",
}
_GOES_ON = (
    "There is no live text, but the recording goes on: it is transcribed once you have stopped it."
)
_CUT = "The API was stopped."
_LINK_BROKE = (
    "The connection to the API broke. The recording goes on, and the text when the API is back."
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request for a live recording: the library it goes to, its name, and the options of its
    transcription. `title` is the user's; if it is None, the insights give one. With `live_insights`
    there are insights while somebody speaks."""

    store: Store
    name: str
    title: str | None
    request: Json
    live_insights: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """The API, and the intake for finished recordings."""

    url: str
    token: str | None
    intake: Intake


@dataclass(frozen=True, slots=True)
class Ended:
    """How a recording ended. `saved`: with the live text. `later`: it is transcribed as a file.
    `nothing`: there was no audio, so there is no recording."""

    how: Literal["saved", "later", "nothing"]


class LiveSession:
    """One recording. Create it in a running event loop, which does all its work."""

    def __init__(self, media_id: str, wanted: Wanted, audio: Path, target: Target) -> None:
        """`audio` is the file to write. Raises OSError if it cannot be written."""
        self.media_id = media_id
        self.secret = secrets.token_urlsafe()
        self.said = Said()
        self.bookmarks = LiveBookmarks(
            lambda all_: wanted.store.update_analysis(media_id, bookmarks=all_)
        )
        self.pieces = 0
        """The number of pieces on the disk."""
        self.notice: str | None = None
        """A problem that the user should know about; None if there is none now."""
        self.ended: Ended | None = None
        self._wanted = wanted
        self._target = target
        self._file = open_private(audio, "wb", buffering=0)
        self._reader = audio.open("rb")
        self._size = 0
        self._writing = asyncio.Lock()
        self._stopped = asyncio.Event()
        self._changed = asyncio.Event()
        self._is_linked = False
        self._grace: asyncio.TimerHandle | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._listening: asyncio.Task[Json | None] | None = None

    # Called by the browser's connection

    @property
    def news(self) -> asyncio.Event:
        """Is set when anything that is sent to the browser changes next."""
        return self._changed

    async def append(self, piece: bytes) -> None:
        """Writes the next piece of the container stream to the disk before it returns."""
        async with self._writing:
            if self._stopped.is_set():
                return
            try:
                await asyncio.to_thread(self._write, piece)
            except OSError as error:
                self.stop()
                reason = error.strerror or error
                self._note(
                    f"The recording ends here, because it can no longer be written: {reason}."
                )
                return
            self._size += len(piece)
            self.pieces += 1
        self._tell()

    async def settled(self) -> int:
        """Waits until no piece is being written, then returns how many are on the disk."""
        async with self._writing:
            return self.pieces

    def stop(self) -> None:
        """Ends the audio. What was recorded so far is transcribed and saved."""
        self.stay()
        self._stopped.set()
        self._limit_patience()
        self._tell()

    def wait_for_return(self, grace_s: float) -> None:
        """The browser's connection broke: stops unless it is back within `grace_s`."""
        self.stay()
        self._grace = asyncio.get_running_loop().call_later(grace_s, self.stop)

    def stay(self) -> None:
        """The browser is connected: cancels the pending stop."""
        if self._grace is not None:
            self._grace.cancel()
            self._grace = None

    # From begin to end

    async def run(self) -> None:
        """Runs until the library has the recording. If this is cancelled, the next run of the
        frontend continues with what is on the disk."""
        self._listening = asyncio.create_task(self._listen())
        try:
            await asyncio.wait({self._listening})
            answer = None if self._listening.cancelled() else self._listening.result()
            if answer is None:
                await self._stopped.wait()
            self.stop()
            async with self._writing:
                self._file.close()
            self.end(await self._hand_over(answer))
        finally:
            self._listening.cancel()
            try:
                await asyncio.gather(self._listening, return_exceptions=True)
            finally:
                self._close()

    def _close(self) -> None:
        self.stay()
        if self._patience is not None:
            self._patience.cancel()
        self._file.close()
        self._reader.close()

    async def _listen(self) -> Json | None:
        """Returns the API's answer, or None if there is no live text; `notice` then says why."""
        client = LiveClient(
            self._target.url,
            self._target.token,
            _asked(self._wanted),
            on_partial=self._showing(self.said.take_partial),
            on_fault=self._note,
            on_progress=self._showing(self.said.take_progress),
            on_insights=self._showing(self.said.take_insights),
            on_link=self._take_link,
            touch_s=_TOUCH_S,
        )
        try:
            async with aclosing(self._read()) as pieces:
                final = await client.run(pieces)
        except LiveFailed as error:
            reason = _NO_TEXT.get(error.code, f"The API says: {error}.")
            self._note(f"{reason} {_GOES_ON}")
            return None
        except Exception:
            log.exception("live text failed")
            self._note(_GOES_ON)
            return None
        finally:
            self._is_linked = False
        if "error" in final:
            return None  # the whole file may succeed; if not, its error says why
        if client.is_cut:
            self._note(f"{_CUT} {_GOES_ON}")
            return None
        self.said.settle(final)
        return {"success": True, "cached": False} | {name: final.get(name) for name in _ANSWERED}

    async def _read(self) -> AsyncGenerator[bytes, None]:
        """Yields the file as it grows, until it ends."""
        sent = 0
        while True:
            while sent < self._size:
                piece = await asyncio.to_thread(self._reader.read, _READ_BYTES)
                sent += len(piece)
                yield piece
            if self._stopped.is_set():
                return
            await self._changed.wait()

    async def _hand_over(self, answer: Json | None) -> Ended:
        store, intake = self._wanted.store, self._target.intake
        if not self._size:
            await asyncio.to_thread(intake.delete, store, [self.media_id])
            return Ended("nothing")
        await asyncio.to_thread(self._keep_size, store)
        await self.bookmarks.kept()
        if answer is None:
            await asyncio.to_thread(intake.reprocess, store, self.media_id)
            return Ended("later")
        await asyncio.to_thread(intake.save, store, self.media_id, answer)
        return Ended("saved")

    def _keep_size(self, store: Store) -> None:
        try:
            store.update_media(self.media_id, size_bytes=self._size)
        except StoreError as error:
            log.warning("the size of a live recording is not kept: %s", error)

    def _write(self, piece: bytes) -> None:
        rest = memoryview(piece)
        while rest:
            rest = rest[self._file.write(rest) :]

    def end(self, ended: Ended) -> None:
        self.ended = ended
        self._tell()

    # Called for what the API sends

    def _showing(self, take: Callable[[Json], None]) -> Callable[[Json], None]:
        def taken(message: Json) -> None:
            take(message)
            self._tell()

        return taken

    def _take_link(self, is_up: bool) -> None:
        self._is_linked = is_up
        self._limit_patience()
        self._note(None if is_up else _LINK_BROKE)

    def _limit_patience(self) -> None:
        """Without a link to the API, waits while the user speaks, but only `_AWAY_S` after that."""
        if self._patience is not None:
            self._patience.cancel()
        if self._stopped.is_set() and not self._is_linked and self._listening is not None:
            loop = asyncio.get_running_loop()
            self._patience = loop.call_later(_AWAY_S, self._listening.cancel)

    def _note(self, notice: str | None) -> None:
        self.notice = notice
        self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def _asked(wanted: Wanted) -> Json:
    """Returns the data of `start_audio`: those options of a recording that it accepts too."""
    options = LiveOptions.model_validate(wanted.request)
    names = set(LiveOptions.model_fields)
    asked = options.model_dump(mode="json", by_alias=True, include=names, exclude_defaults=True)
    return {"audioName": wanted.name, **asked, "liveInsights": wanted.live_insights}
