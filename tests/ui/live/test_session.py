"""Live recordings on the frontend's server, mostly while no API answers: nothing may be lost."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from conftest import SAMPLE, sample_pcm
from echostream.domain import SAMPLE_RATE_HZ
from echostream.live_client import LiveClient
from echostream_ui.api_client import ApiClient, Options
from echostream_ui.intake import Intake
from echostream_ui.intake.remux import make_seekable
from echostream_ui.intake.staging import Staging
from echostream_ui.library.analysis import Bookmark
from echostream_ui.library.sqlite.store import SqliteStore
from echostream_ui.library.store import StoreError
from echostream_ui.live.bookmarks import LiveBookmarks
from echostream_ui.live.session import LiveSession, Target, Wanted
from echostream_ui.live.sessions import LiveSessions
from echostream_ui.tickets import Tickets
from ui.conftest import whisper_api
from web.process import ServerProcess

_NOBODY = "http://127.0.0.1:1"
_IDLE_S = 3.0
_PIECE_S = 2.0


@dataclass(frozen=True)
class Bench:
    store: SqliteStore
    intake: Intake
    sessions: LiveSessions

    @property
    def wanted(self) -> Wanted:
        return Wanted(self.store, "Live, today", None, Options().as_json())


@asynccontextmanager
async def bench(folder: Path, url: str = _NOBODY) -> AsyncIterator[Bench]:
    """One run of the frontend."""
    api = ApiClient(url, None)
    intake = Intake(api, Staging(folder / "staging"), at_once=1)
    sessions = LiveSessions(Target(url, None, intake), grace_s=0.01)
    with closing(SqliteStore(folder)) as store:
        yield Bench(store, intake, sessions)
        await sessions.aclose()
        await intake.aclose()
        await api.aclose()


async def end_of(session: LiveSession) -> str:
    while session.ended is None:
        await session.news.wait()
    return session.ended.how


async def test_pieces_are_on_the_disk_one_after_the_other(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        session = await here.sessions.begin(here.wanted, ".webm")
        for piece in (b"one ", b"two ", b"three"):
            await session.append(piece)
        assert session.pieces == 3
        audio = here.intake.staging.audio(session.media_id)
        assert audio is not None
        assert audio.suffix == ".webm"
        assert audio.read_bytes() == b"one two three"


async def test_a_browser_that_does_not_come_back(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        session = await here.sessions.begin(here.wanted, ".webm")
        await session.append(b"sound")
        session.wait_for_return(here.sessions.grace_s)
        assert await end_of(session) == "later"
        assert here.intake.progress(session.media_id) is not None
        media = here.store.media(session.media_id)
        assert media is not None
        assert media.size_bytes == 5
        await session.append(b"too late")
        assert session.pieces == 1


async def test_the_final_pass_is_told(tmp_path: Path, api: ServerProcess) -> None:
    async with bench(tmp_path, api.url) as here:
        session = await here.sessions.begin(here.wanted, ".wav")
        await session.append(SAMPLE.read_bytes())
        session.stop()
        stages = set()
        while session.ended is None:
            await session.news.wait()
            if (told := session.said.final_pass) is not None:
                stages.add(told["stage"])
                assert 0 <= told["progress"] <= 100
        assert session.ended.how == "saved"
        assert "transcribing" in stages


async def test_insights_while_somebody_speaks_are_asked_for(
    tmp_path: Path, api: ServerProcess
) -> None:
    async with bench(tmp_path, api.url) as here:
        session = await here.sessions.begin(replace(here.wanted, live_insights=True), ".wav")
        await session.append(SAMPLE.read_bytes())
        session.stop()
        assert await end_of(session) == "saved"
        insights = session.said.insights
        assert insights is not None
        assert insights["actionItems"]
        assert all(item["at"] is not None for item in insights["actionItems"])
        analysis = here.store.analysis(session.media_id)
        assert analysis is not None
        assert "liveInsights" not in analysis.request  # files know no such option


async def test_a_recording_goes_on_when_the_api_is_stopped(tmp_path: Path) -> None:
    with whisper_api() as api:
        async with bench(tmp_path, api.url) as here:
            session = await here.sessions.begin(here.wanted, ".wav")
            await session.append(SAMPLE.read_bytes())
            while not session.said.pieces:
                await session.news.wait()
            api.signal(signal.SIGTERM)
            assert await asyncio.to_thread(api.exit_status) == 0
            while not session.notice:
                await session.news.wait()
            assert session.notice.startswith("The API was stopped. There is no live text, but the")
            assert session.ended is None
            await session.append(b"more")
            session.stop()
            assert await end_of(session) == "later"
            media = here.store.media(session.media_id)
            assert media is not None
            assert media.size_bytes == SAMPLE.stat().st_size + 4


async def test_a_recording_that_pauses_is_not_over(tmp_path: Path) -> None:
    with whisper_api(LIVE_IDLE_S=str(_IDLE_S)) as api:
        final = await _with_a_pause(api.url, touch_s=_IDLE_S / 10)
        given_up = await _with_a_pause(api.url, touch_s=None)
    assert final["duration"] == pytest.approx(2 * _PIECE_S, abs=0.1)
    assert given_up["duration"] == pytest.approx(_PIECE_S, abs=0.1)


async def _with_a_pause(url: str, touch_s: float | None) -> dict[str, Any]:
    piece = sample_pcm()[: int(_PIECE_S * SAMPLE_RATE_HZ)].tobytes()

    async def pieces() -> AsyncIterator[bytes]:
        yield piece
        await asyncio.sleep(2 * _IDLE_S)  # nothing else tells that a server has lost patience
        yield piece

    start = {"ext": "pcm", "finalPass": False, "insights": False}
    client = LiveClient(
        url, None, start, on_partial=lambda _: None, on_fault=lambda _: None, touch_s=touch_s
    )
    return await client.run(pieces())


async def test_bookmarks_are_in_the_library_at_once_and_after_the_end(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        session = await here.sessions.begin(here.wanted, ".webm")
        await session.append(b"sound")
        for key, at_s in (("b", 2.5), ("a", 1.0), ("c", 3.0)):
            session.bookmarks.put(key, Bookmark(at_s))
        session.bookmarks.put("a", Bookmark(1.0, "budget"))
        session.bookmarks.remove("c")
        await session.bookmarks.kept()
        assert kept_bookmarks(here, session) == (Bookmark(1.0, "budget"), Bookmark(2.5))
        session.bookmarks.put("b", Bookmark(2.5, "later"))
        session.stop()
        assert await end_of(session) == "later"
        assert kept_bookmarks(here, session) == (Bookmark(1.0, "budget"), Bookmark(2.5, "later"))


def kept_bookmarks(here: Bench, session: LiveSession) -> tuple[Bookmark, ...]:
    analysis = here.store.analysis(session.media_id)
    assert analysis is not None
    return analysis.bookmarks


async def test_bookmarks_that_the_library_refuses_are_kept_later() -> None:
    kept: list[tuple[Bookmark, ...]] = []
    refusals = [StoreError("The disk is full.")]

    def keep(bookmarks: tuple[Bookmark, ...]) -> None:
        if refusals:
            raise refusals.pop()
        kept.append(bookmarks)

    bookmarks = LiveBookmarks(keep)
    bookmarks.put("a", Bookmark(1.0))
    await bookmarks.kept()
    assert kept == [(Bookmark(1.0),)]
    await bookmarks.kept()
    assert len(kept) == 1


async def test_a_recording_without_a_sound(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        session = await here.sessions.begin(here.wanted, ".webm")
        session.stop()
        assert await end_of(session) == "nothing"
        assert here.store.media(session.media_id) is None
        assert here.intake.staging.audio(session.media_id) is None


async def test_work_is_gone_on_with_by_the_next_run_and_not_by_this_one(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        session = await here.sessions.begin(here.wanted, ".webm")
        await session.append(b"sound")
        here.intake.resume(here.store)
        assert here.intake.progress(session.media_id) is None
    async with bench(tmp_path) as later:
        later.intake.resume(later.store)
        assert later.intake.progress(session.media_id) is not None


async def test_a_disk_that_is_full(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        target = Target(_NOBODY, None, here.intake)
        session = LiveSession("1", here.wanted, Path("/dev/full"), target)
        await session.append(b"sound")
        assert session.pieces == 0
        assert session.notice is not None
        assert "No space left" in session.notice
        await session.run()
        assert session.ended is not None


def test_what_is_no_audio_stays_as_it_is(tmp_path: Path) -> None:
    audio = tmp_path / "audio.webm"
    audio.write_bytes(b"no audio at all")
    asyncio.run(make_seekable(audio))
    assert audio.read_bytes() == b"no audio at all"
    assert list(tmp_path.iterdir()) == [audio]


async def test_a_ticket_is_good_once_and_not_for_long(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        tickets = Tickets()
        ticket = tickets.issue(here.wanted)
        assert tickets.redeem("another") is None
        assert tickets.redeem(ticket) == here.wanted
        assert tickets.redeem(ticket) is None
        old = Tickets(valid_s=0)
        assert old.redeem(old.issue(here.wanted)) is None
