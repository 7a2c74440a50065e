"""Questions about recordings of the library, on a real API whose language model is scripted."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, closing
from itertools import pairwise
from pathlib import Path

import pytest

from conftest import MakePipeline, running
from echostream.llm.base import InsightsError
from echostream.settings import Settings
from echostream_ui.api_client import ApiClient, ApiError
from echostream_ui.asking import Answer, Stopped, Writing, answers
from echostream_ui.library.sqlite.store import SqliteStore
from echostream_ui.library.store import StoreError
from fakes import FakeTranscriber
from sites import Site, answer
from ui.recordings import add_recording
from ui.standins import ANSWER
from web.support import around as without_model
from web.test_ask import ScriptedModel, around

SPOKEN = ANSWER | {
    "segments": [
        {"id": 3, "start": 0.0, "end": 4.0, "text": "I send the plan.", "speaker": "A"},
        {"id": 4, "start": 4.0, "end": 8.0, "text": "The budget is too high.", "speaker": "B"},
    ]
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(tmp_path / "library")) as store:
        yield store


@asynccontextmanager
async def api_of(make_pipeline: MakePipeline) -> AsyncIterator[ApiClient]:
    with running(Settings(), make_pipeline) as url:
        client = ApiClient(url, None)
        yield client
        await client.aclose()


async def all_of(found: AsyncGenerator[Answer]) -> list[Answer]:
    return [each async for each in found]


async def test_an_answer_grows_and_ends_with_its_passages(store: SqliteStore) -> None:
    first = add_recording(store, SPOKEN, audio=None, title="Monday")
    second = add_recording(store, ANSWER, audio=None, title="Tuesday")
    silent = add_recording(store, ANSWER | {"segments": []}, audio=None)
    store.update_analysis(first, speakers={"A": "Ann"}, edits={3: "I will send the plan."})
    model = ScriptedModel(("Ann does [1],", " as was said\u2028later [", "3", "][9]."))
    before = [
        Answer("Hello?", "Hello [1].", meta={}),
        Answer("And?", error=StoreError("It broke.")),
    ]
    async with api_of(around(model)) as api:
        found = await all_of(
            answers(api, store, [first, silent, second, "gone"], "Who sends it?", before)
        )
    texts = [each.text for each in found]
    assert texts[-1] == "Ann does [1], as was said\u2028later [2]."
    assert all(later.startswith(earlier) for earlier, later in pairwise(texts))
    assert [each.is_over for each in found] == [False] * (len(found) - 1) + [True]
    [one, other] = found[-1].passages
    assert (one.media_id, one.title, one.line_id, one.text) == (
        first,
        "Monday",
        3,
        "I will send the plan.",
    )
    assert (other.media_id, other.line_id, other.start_s) == (second, 0, 0.0)
    assert found[-1].meta is not None
    assert found[-1].meta["model"] == "scripted-1"


async def test_what_the_recordings_do_not_hold_has_no_passages(store: SqliteStore) -> None:
    media_id = add_recording(store, SPOKEN, audio=None)
    async with api_of(around(ScriptedModel(("They do not say.",)))) as api:
        found = await all_of(answers(api, store, [media_id], "Where are the zebras?"))
    assert (found[-1].text, found[-1].passages) == ("They do not say.", ())


@pytest.mark.parametrize(
    ("make_pipeline", "code", "words"),
    [
        (without_model(FakeTranscriber()), "no_language_model", "OPENAI_BASE_URL"),
        (around(ScriptedModel(error=InsightsError("no quota"))), "answer_failed", "no quota"),
        (around(ScriptedModel(("Ann",), InsightsError("cut off"))), "answer_failed", "cut off"),
    ],
    ids=["no-model", "at-once", "midway"],
)
async def test_why_there_is_no_answer(
    store: SqliteStore, make_pipeline: MakePipeline, code: str, words: str
) -> None:
    media_id = add_recording(store, SPOKEN, audio=None)
    async with api_of(make_pipeline) as api:
        with pytest.raises(ApiError) as caught:
            await all_of(answers(api, store, [media_id], "Who sends it?"))
    assert caught.value.code == code
    assert words in caught.value.words


async def test_without_an_api_or_a_text_it_says_so(store: SqliteStore) -> None:
    media_id = add_recording(store, SPOKEN, audio=None)
    api = ApiClient("http://127.0.0.1:1", None)
    with pytest.raises(ApiError, match="cannot be reached"):
        await all_of(answers(api, store, [media_id], "Who?"))
    with pytest.raises(StoreError, match="no text"):
        await all_of(answers(api, store, ["gone"], "Who?"))
    await api.aclose()


async def noticing(begun: asyncio.Event, found: AsyncGenerator[Answer]) -> AsyncGenerator[Answer]:
    """The same, and says when there is some text."""
    async with aclosing(found):
        async for each in found:
            begun.set()
            yield each


def leave(_writing: Writing) -> None:
    """Nobody looks any more."""


@pytest.mark.parametrize("end", [leave, Writing.stop])
async def test_leaving_stops_the_language_model(
    store: SqliteStore, end: Callable[[Writing], None]
) -> None:
    media_id = add_recording(store, SPOKEN, audio=None)
    model = ScriptedModel(("Ann",), hang=True)
    async with api_of(around(model)) as api:
        writing = Writing("Who?", away_s=1.0)
        begun = asyncio.Event()
        found = noticing(begun, answers(api, store, [media_id], "Who?"))
        following = asyncio.create_task(writing.follow(found))
        await asyncio.wait_for(begun.wait(), 20)
        assert not model.stopped.is_set()
        end(writing)
        await following
        assert await asyncio.to_thread(model.stopped.wait, 20)
    assert writing.look().is_over
    assert isinstance(writing.look().error, Stopped)


async def test_an_error_ends_an_answer_and_keeps_its_text() -> None:
    async def breaking() -> AsyncGenerator[Answer]:
        yield Answer("Who?", "Ann")
        raise ApiError("answer_failed", "The answer broke off.")

    writing = Writing("Who?")
    await writing.follow(breaking())
    assert (writing.look().text, writing.look().is_over) == ("Ann", True)
    assert isinstance(writing.look().error, ApiError)


@pytest.mark.parametrize(
    ("kind", "words"),
    [("text/event-stream", "broke off"), ("text/html", "is not EchoStream's API")],
)
async def test_a_stream_that_is_none_or_not_whole(kind: str, words: str) -> None:
    async with Site() as site:
        piece = b'event: delta\ndata: {"text": "Ann"}\n\n'
        site.pages["/ask"] = answer(piece, f"Content-Type: {kind}")
        api = ApiClient(f"http://127.0.0.1:{site.port}", None)
        with pytest.raises(ApiError, match=words):
            async with aclosing(api.ask({})) as parts:
                assert [part async for part in parts] == ["Ann"]
        await api.aclose()
