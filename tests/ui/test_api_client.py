"""The API as its client sees it: answers, and every fault in words."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from conftest import running
from echostream.settings import Settings
from echostream_ui.api_client import ApiClient, ApiError, Options
from echostream_ui.library.values import Json
from fakes import FakeTranscriber
from sites import Site, answer
from web.support import around


def ignore(_told: object) -> None:
    """For what a test does not look at."""


@asynccontextmanager
async def client(url: str, token: str | None = None) -> AsyncIterator[ApiClient]:
    found = ApiClient(url, token)
    yield found
    await found.aclose()


@asynccontextmanager
async def saying(path: str, page: bytes) -> AsyncIterator[ApiClient]:
    """A client of a server that says just this."""
    async with Site() as site:
        site.pages[path] = page
        async with client(f"http://127.0.0.1:{site.port}") as found:
            yield found


async def test_a_file_and_how_much_of_it_is_sent(tone: Path) -> None:
    sent: list[float] = []
    told: list[Json] = []
    engine = FakeTranscriber()
    with running(Settings(), around(engine)) as url:
        async with client(url) as api:
            options = Options(language="de", prompt="Petrova", hotwords=("Anouk",), model="fake-1")
            found = await api.transcribe(tone, options.as_json(), sent.append, told.append)
    assert found["transcript"] == "we will ship on friday sarah will call the client"
    assert found["segments"][0]["words"]
    assert found["warnings"] == []
    assert engine.calls == [options.transcribe_options]
    assert engine.calls[0].model == "fake-1"
    assert sent == sorted(sent)
    assert sent[-1] == 1.0


async def test_the_progress_is_told_and_who_waits_is_told_so(tone: Path) -> None:
    hold = threading.Event()
    engine = FakeTranscriber(hold=hold)
    texts: asyncio.Queue[str] = asyncio.Queue()
    stages: asyncio.Queue[str] = asyncio.Queue()
    with running(Settings(worker_concurrency=1, max_waiting=1), around(engine)) as url:
        async with client(url) as api, asyncio.timeout(60):
            at_work = asyncio.create_task(
                api.transcribe(tone, {}, ignore, lambda news: texts.put_nowait(news["text"]))
            )
            assert await asyncio.to_thread(engine.started.wait, 20)
            in_line = asyncio.create_task(
                api.transcribe(
                    tone,
                    {"language": "de"},
                    ignore,
                    lambda news: stages.put_nowait(news["stage"]),
                )
            )
            assert await stages.get() == "waiting"
            while not await texts.get():
                pass
            hold.set()
            assert (await at_work)["transcript"] == (await in_line)["transcript"]
    assert engine.calls[1].language == "de"


async def test_an_api_that_dies_without_a_word_is_noticed(
    tone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("echostream_ui.api_client._SILENT_S", 0.1)  # an API says nothing for longer
    hold = threading.Event()
    with running(Settings(), around(FakeTranscriber(hold=hold))) as url:
        async with client(url) as api:
            with pytest.raises(ApiError, match="cannot be reached"):
                await api.transcribe(tone, {}, ignore, ignore)
            hold.set()


async def test_the_token_is_sent_and_a_wrong_one_named(tone: Path) -> None:
    settings = Settings(api_bearer_token="right-token-1")
    with running(settings, around(FakeTranscriber())) as url:
        async with client(url, "right-token-1") as api:
            assert (await api.status()).problems == ()
        async with client(url, "wrong") as api:
            with pytest.raises(ApiError, match=r".") as caught:
                await api.status()
    assert caught.value.code == "unauthorized"
    assert "API_BEARER_TOKEN" in caught.value.words


async def test_an_error_of_the_api_is_told_in_its_words(tmp_path: Path) -> None:
    nothing = tmp_path / "empty.wav"
    nothing.touch()
    with running(Settings(), around(FakeTranscriber())) as url:
        async with client(url) as api:
            with pytest.raises(ApiError) as caught:
                await api.transcribe(nothing, {}, ignore, ignore)
    assert caught.value.code == "invalid_audio"
    assert not caught.value.is_passing
    assert caught.value.words.endswith("in any usual audio or video format.")


async def test_a_busy_api_says_when_to_come_back(tone: Path) -> None:
    hold = threading.Event()
    engine = FakeTranscriber(hold=hold)
    settings = Settings(worker_concurrency=1, max_waiting=0)
    with running(settings, around(engine)) as url:
        async with client(url) as api, client(url) as other:
            first = asyncio.create_task(api.transcribe(tone, {}, ignore, ignore))
            assert await asyncio.to_thread(engine.started.wait, 20)
            with pytest.raises(ApiError) as caught:
                await other.transcribe(tone, {}, ignore, ignore)
            hold.set()
            await first
    assert (caught.value.code, caught.value.is_passing) == ("server_busy", True)
    assert caught.value.retry_after_s


async def test_an_api_that_is_not_there() -> None:
    async with client("http://127.0.0.1:1") as api:
        with pytest.raises(ApiError) as caught:
            await api.status()
    assert caught.value.words == (
        "The API at http://127.0.0.1:1 cannot be reached. Start it with `echostream serve`, or set"
        " `API_BASE_URL` to where it is."
    )


@pytest.mark.parametrize(
    ("page", "code"),
    [
        (answer(b"<h1>Bad gateway</h1>", status="502 Bad Gateway"), "unreachable"),
        (answer(b"<h1>Oops</h1>", status="500 Internal Server Error"), "process_failed"),
        (answer(b"<h1>Welcome to nginx</h1>"), "unreachable"),
        (answer(b"[1, 2]"), "unreachable"),
    ],
    ids=["proxy", "crash", "another-site", "other-json"],
)
async def test_what_is_not_the_api_is_not_taken_for_it(page: bytes, code: str) -> None:
    async with saying("/job/job_1", page) as api:
        with pytest.raises(ApiError) as caught:
            await api.job("job_1")
    assert caught.value.code == code
    assert "<h1>" not in caught.value.words


def _ready(**checks: object) -> bytes:
    body = {"status": "unavailable", "checks": checks}
    return answer(json.dumps(body).encode(), status="503 Service Unavailable")


async def test_a_loading_engine_is_no_problem_and_a_broken_one_is() -> None:
    queue = {"ok": True, "detail": "connected"}
    loading = _ready(engine={"ok": False, "detail": "loading"}, queue=queue)
    async with saying("/ready", loading) as api:
        status = await api.status()
        assert (status.is_loading, status.problems, status.has_queue) == (True, (), True)
    broken = _ready(engine={"ok": False, "detail": "no such model"}, queue=queue)
    async with saying("/ready", broken) as api:
        assert (await api.status()).problems == ("No such model.",)


async def test_cancelling_a_job_that_is_gone_is_well() -> None:
    gone = answer(b'{"error": "job_not_found", "message": "none"}', status="404 Not Found")
    async with saying("/job/job_1", gone) as api:
        await api.cancel("job_1")
