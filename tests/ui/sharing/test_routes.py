"""Links over HTTP: what they lead to, and what nobody learns from those that do not work."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import httpx2 as httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from echostream_ui.library.sqlite.store import SqliteStore
from echostream_ui.services import Services, services
from echostream_ui.sharing.public_name import NamesOfOurs
from echostream_ui.sharing.routes import SharedRecordings
from ui.recordings import MEETING, add_recording
from ui.standins import ANSWER

PUBLIC = "https://notes.example.com"
DAY = timedelta(days=1)


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[SqliteStore]:
    """The library of a frontend that may share. Nothing answers where its API should be."""
    monkeypatch.setenv("API_BASE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("LIBRARY_PATH", str(tmp_path / "library"))
    monkeypatch.setenv("PUBLIC_URL", PUBLIC)
    services.cache_clear()
    library = services().library
    assert library is not None
    yield library
    services().close()
    services.cache_clear()


@asynccontextmanager
async def browser(host: str = "notes.example.com") -> AsyncIterator[httpx.AsyncClient]:
    """Asks the routes as they lie in the frontend, beside a page of the library."""
    everything = Route("/{rest:path}", lambda _request: PlainTextResponse("the library"))
    names = Middleware(
        NamesOfOurs, allowed=(), public_name="notes.example.com", shared_path="/share/"
    )
    app = Starlette(routes=[SharedRecordings().mount(""), everything], middleware=[names])
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
        yield client


async def test_a_link_shows_the_recording_and_plays_it(library: SqliteStore) -> None:
    media_id = add_recording(library, ANSWER, title="Budget <talk>")
    secret = library.shares.add(media_id, DAY, has_sound=True)
    async with browser() as client:
        page = await client.get(f"/share/{secret}")
        assert page.status_code == 200
        assert "Budget &lt;talk&gt;" in page.text
        assert f'src="{secret}/audio"' in page.text
        whole = MEETING.read_bytes()
        sound = await client.get(f"/share/{secret}/audio", headers={"Range": "bytes=100-199"})
        assert (sound.status_code, sound.content) == (206, whole[100:200])
        assert sound.headers["content-type"] == "audio/wav"
        assert sound.headers["content-range"] == f"bytes 100-199/{len(whole)}"
        for answer in (page, sound):
            assert answer.headers["content-security-policy"].startswith("default-src 'none';")
            assert answer.headers["x-robots-tag"].startswith("noindex")
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "no-store" in answer.headers["cache-control"]


async def test_a_recording_in_the_bin_is_not_shared_until_it_is_out_again(
    library: SqliteStore,
) -> None:
    media_id = add_recording(library, ANSWER)
    secret = library.shares.add(media_id, DAY, has_sound=True)
    paths = [f"/share/{secret}", f"/share/{secret}/audio"]
    library.to_bin([media_id])
    async with browser() as client:
        dead = await client.get("/share/never")
        for path in paths:
            answer = await client.get(path)
            assert (answer.status_code, answer.text) == (404, dead.text)
            assert answer.headers == dead.headers
        library.restore([media_id])
        assert [(await client.get(path)).status_code for path in paths] == [200, 200]


async def test_links_that_do_not_work_all_look_the_same(library: SqliteStore) -> None:
    media_id = add_recording(library, ANSWER)
    ended, silent = (library.shares.add(media_id, DAY, has_sound=False) for _ in range(2))
    [_, share] = library.shares.of(media_id)
    library.shares.end(share.id)
    gone_id = add_recording(library, ANSWER)
    gone = library.shares.add(gone_id, DAY, has_sound=True)
    library.delete([gone_id])
    failed = add_recording(library, None, state="failed")
    paths = [
        "never",
        ended,
        f"{ended}/audio",
        library.shares.add(media_id, timedelta(0), has_sound=False),
        gone,
        f"{gone}/audio",
        library.shares.add(failed, DAY, has_sound=True),
        f"{silent}/audio",  # the link works, but the sound is not shared
        f"{silent}/audio/more",
        "",
        f"%2e%2e/audio/{media_id}",
        "a%0Ab",
        "a%0Ab/%0a/c",
        f"{silent}%0A",
    ]
    async with browser() as client:
        answers = [await client.get(f"/share/{path}") for path in paths]
        assert {answer.status_code for answer in answers} == {404}
        assert len({answer.text for answer in answers}) == 1
        headers = {tuple(sorted(answer.headers.items())) for answer in answers}
        assert len(headers) == 1
        assert (await client.get(f"/share/{silent}")).status_code == 200


async def test_whoever_guesses_has_to_wait(library: SqliteStore) -> None:
    media_id = add_recording(library, ANSWER)
    secret = library.shares.add(media_id, DAY, has_sound=False)
    async with browser() as client:
        for _ in range(40):  # one that works may be opened as often as one likes
            assert (await client.get(f"/share/{secret}")).status_code == 200
        codes = [(await client.get(f"/share/wrong-{n}")).status_code for n in range(40)]
        assert codes == [404] * 30 + [429] * 10
        refused = await client.get(f"/share/{secret}")
        assert refused.status_code == 429
        assert 1 <= int(refused.headers["retry-after"]) <= 61


async def test_without_a_public_address_nothing_is_shared(app_services: Services) -> None:
    library = app_services.library
    assert library is not None
    secret = library.shares.add(add_recording(library, ANSWER), DAY, has_sound=False)
    async with browser("localhost") as client:
        assert (await client.get(f"/share/{secret}")).status_code == 404


async def test_the_public_name_leads_to_links_alone(library: SqliteStore) -> None:
    secret = library.shares.add(add_recording(library, ANSWER), DAY, has_sound=False)
    async with browser() as client:
        assert (await client.get(f"/share/{secret}")).status_code == 200
        for path in ("/", "/share", "/audio/1", "/library.zip", "/_stcore/stream"):
            assert (await client.get(path)).status_code == 403, path
    async with browser("other.example.com") as client:
        assert (await client.get(f"/share/{secret}")).status_code == 403
    async with browser("localhost") as client:
        assert (await client.get("/")).text == "the library"
        assert (await client.get(f"/share/{secret}")).status_code == 200
