"""A language model in a process of its own: what callers get, and what they survive."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from echostream.domain import Tokens
from echostream.insights import ExtractiveInsights, FallbackInsights, ModelInsights
from echostream.insights.wire import WireSummary
from echostream.llm.base import InsightsError, Prompt, ProviderUnavailable, TooLong, Usage
from echostream.llm.local.model import LocalModel
from echostream.llm.local.models import ModelFile
from echostream.llm.local.server import OwnServer
from insights.meeting import meeting
from processes import children

COMMAND = (sys.executable, str(Path(__file__).parent / "scripted_llm.py"))
FILE = ModelFile(Path("/models/secret/Tiny-Q4.gguf"), 4_096)


@pytest.fixture
def events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    monkeypatch.setenv("FOLDER", str(tmp_path))
    monkeypatch.setenv("IDLE_S", "600")
    file = tmp_path / "events"
    return lambda: file.read_text().split() if file.exists() else []


@pytest.fixture
async def model(events: Callable[[], list[str]]) -> AsyncIterator[LocalModel]:
    model = LocalModel(FILE, OwnServer(COMMAND), timeout_s=20)
    yield model
    await model.aclose()
    assert children() == []


def asking(text: str = "hello") -> Prompt:
    return Prompt("You sum up.", text)


async def until(condition: Callable[[], object], what: str) -> None:
    """For what another process does, which has no event here."""
    try:
        async with asyncio.timeout(20):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    except TimeoutError:
        pytest.fail(f"it never came to this: {what}")


async def test_an_answer_in_its_shape(model: LocalModel) -> None:
    usage = Usage()
    answer = await model.answer(asking(), WireSummary, usage)
    assert (answer.title, answer.summary) == ("Hello", "Somebody says hello.")
    assert usage.tokens == Tokens(900, 9)
    assert (model.name, model.model) == ("local", "Tiny-Q4")


async def test_a_stream_comes_in_pieces(model: LocalModel) -> None:
    usage = Usage()
    pieces = [piece async for piece in model.stream(asking("garbage in text"), usage)]
    assert pieces == ["Sure!"]
    assert len([piece async for piece in model.stream(asking(), usage)]) > 3
    assert usage.tokens == Tokens(1800, 18)


async def test_it_is_loaded_at_its_first_use_and_once(
    model: LocalModel, events: Callable[[], list[str]]
) -> None:
    assert children() == []
    await asyncio.gather(*(model.complete(asking(), Usage()) for _ in range(5)))
    assert events() == ["loaded"]


async def test_it_is_unloaded_when_nobody_uses_it(
    model: LocalModel, events: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDLE_S", "0.1")
    await model.complete(asking(), Usage())
    await until(lambda: events() == ["loaded", "unloaded"], "it is unloaded")
    await model.complete(asking(), Usage())
    await until(lambda: events()[2:] == ["loaded", "unloaded"], "and again")


@pytest.mark.parametrize("way", ["complete", "stream"])
async def test_a_cancelled_call_stops_the_model_within_a_second(
    model: LocalModel, events: Callable[[], list[str]], way: str
) -> None:
    loop = asyncio.get_running_loop()

    async def stream() -> None:
        async for _ in model.stream(asking("slow"), Usage()):
            pass

    call = model.complete(asking("slow"), Usage()) if way == "complete" else stream()
    run = asyncio.create_task(call)
    await until(lambda: "answering" in events(), "the model answers")
    cancelled_at = loop.time()
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    await until(lambda: "stopped" in events(), "the model stops")
    assert loop.time() - cancelled_at < 1
    assert await model.complete(asking(), Usage())
    assert events() == ["loaded", "answering", "stopped"]


async def test_a_call_that_is_cancelled_while_the_model_loads(
    model: LocalModel, events: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one takes the model that it has asked for."""
    monkeypatch.setenv("LOAD_S", "1")
    run = asyncio.create_task(model.complete(asking(), Usage()))
    await until(lambda: "loading" in events(), "the model loads")
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    assert await model.complete(asking(), Usage())
    assert events() == ["loading", "loaded"]


async def test_a_stream_can_be_left(model: LocalModel, events: Callable[[], list[str]]) -> None:
    async with aclosing(model.stream(asking("slow"), Usage())) as pieces:
        assert await anext(pieces) == "on and "
    await until(lambda: "stopped" in events(), "the model stops")


async def test_calls_wait_for_their_turn(model: LocalModel) -> None:
    async with aclosing(model.stream(asking("slow"), Usage())) as pieces:
        await anext(pieces)
        other = asyncio.create_task(model.complete(asking(), Usage()))
        await anext(pieces)
        assert not other.done()
    assert await other


async def test_the_time_limit_is_for_the_answer(events: Callable[[], list[str]]) -> None:
    model = LocalModel(FILE, OwnServer(COMMAND), timeout_s=2)
    with pytest.raises(InsightsError, match=r"did not answer in 2 s"):
        await model.complete(asking("slow"), Usage())
    await until(lambda: "stopped" in events(), "the model stops")
    await model.aclose()


async def test_nobody_waits_for_ever_for_a_busy_model(model: LocalModel) -> None:
    server = OwnServer(COMMAND)
    busy, impatient = LocalModel(FILE, server, timeout_s=30), LocalModel(FILE, server, timeout_s=1)
    async with aclosing(busy.stream(asking("slow"), Usage())) as pieces:
        await anext(pieces)
        with pytest.raises(InsightsError, match=r"was busy for 1 s"):
            await impatient.complete(asking(), Usage())
    await busy.aclose()


async def test_a_model_that_does_not_stop_is_ended_with_its_process(model: LocalModel) -> None:
    async with aclosing(model.stream(asking("stuck"), Usage())) as pieces:
        assert await anext(pieces) == "I "
        (stuck,) = children()
    await until(lambda: children() not in ([stuck], []), "another process takes over")
    assert await model.complete(asking(), Usage())


async def test_an_answer_that_is_cut_off_says_so(model: LocalModel) -> None:
    with pytest.raises(TooLong, match="cut off"):
        await model.answer(asking("cut"), WireSummary, Usage())


async def test_garbage_is_no_answer(model: LocalModel, events: Callable[[], list[str]]) -> None:
    with pytest.raises(InsightsError, match="no JSON object"):
        await model.answer(asking("garbage"), WireSummary, Usage())
    assert await model.complete(asking(), Usage())
    assert events() == ["loaded"]


async def test_a_bug_in_the_library_quotes_nothing(model: LocalModel) -> None:
    with pytest.raises(InsightsError, match="the language model failed") as caught:
        await model.complete(asking("crash"), Usage())
    assert "crash" not in str(caught.value)
    assert await model.complete(asking(), Usage())


async def test_a_crash_is_told_and_the_next_call_is_served(
    model: LocalModel, events: Callable[[], list[str]]
) -> None:
    with pytest.raises(ProviderUnavailable, match="ended unexpectedly"):
        await model.complete(asking("die"), Usage())
    assert await model.complete(asking(), Usage())
    assert events() == ["loaded", "loaded"]


async def test_a_call_that_waits_outlives_the_crash_of_another(
    model: LocalModel, events: Callable[[], list[str]]
) -> None:
    async with aclosing(model.stream(asking("slow"), Usage())) as pieces:
        await anext(pieces)
        waiting = asyncio.create_task(model.complete(asking(), Usage()))
        await anext(pieces)
        os.kill(children()[0], signal.SIGKILL)
        assert await waiting
    assert events() == ["loaded", "answering", "loaded"]


async def test_a_killed_process_gives_degraded_insights_and_comes_back(
    model: LocalModel, events: Callable[[], list[str]]
) -> None:
    provider = FallbackInsights(ModelInsights(model, 1_000), ExtractiveInsights())
    slow = replace(meeting().segments[0], text="That was slow.")
    run = asyncio.create_task(provider.analyse(replace(meeting(), segments=(slow,))))
    await until(lambda: "answering" in events(), "the model answers")
    os.kill(children()[0], signal.SIGKILL)
    degraded = (await run).details.meta
    assert (degraded.provider, degraded.degraded) == ("extractive", True)
    assert degraded.degraded_reason == "local: the language model's process ended unexpectedly"
    assert await model.complete(asking(), Usage())
