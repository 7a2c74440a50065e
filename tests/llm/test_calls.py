"""What all language models have in common, tried with both real SDKs against local stand-ins."""

from contextlib import aclosing

import pytest

from echostream.domain import Tokens
from echostream.insights.wire import WireSummary
from echostream.llm.base import InsightsError, Prompt, TooLong, Usage
from llm.sdks import GEMINI, OPENAI, Sdk, both_sdks
from llm.standins import Reply, events_of, gemini_error, openai_error, openai_stream, standing_in

PROMPT = Prompt("You sum up.", "<transcript>\n[0] Hello.\n</transcript>")
SUMMARY = {"title": "Hello", "summary": "Somebody says hello.", "topics": []}


@both_sdks
async def test_text(sdk: Sdk) -> None:
    usage = Usage()
    with standing_in(sdk.reply("Somebody says hello.")) as server:
        async with sdk.model_at(server.url) as model:
            assert await model.complete(PROMPT, usage) == "Somebody says hello."
    (request,) = server.requests
    assert (sdk.system(request), sdk.data(request)) == (PROMPT.system, PROMPT.data)
    assert "response_format" not in request.body
    assert "responseJsonSchema" not in request.body.get("generationConfig", {})


@both_sdks
async def test_an_unusable_answer_is_repaired_once(sdk: Sdk) -> None:
    with standing_in(sdk.reply("Sure!"), sdk.reply(SUMMARY)) as server:
        async with sdk.model_at(server.url) as model:
            answer = await model.answer(PROMPT, WireSummary, Usage())
    assert answer.title == "Hello"
    assistant = "model" if sdk is GEMINI else "assistant"
    assert sdk.roles(server.requests[1]) == ["system", "user", assistant, "user"]


@both_sdks
async def test_a_stream_comes_in_pieces_and_counts_its_tokens(sdk: Sdk) -> None:
    usage = Usage()
    with standing_in(sdk.stream("Some", "body says", " hello.")) as server:
        async with sdk.model_at(server.url) as model:
            pieces = [piece async for piece in model.stream(PROMPT, usage)]
    assert pieces == ["Some", "body says", " hello."]
    assert usage.tokens == Tokens(900, 9)
    assert sdk.roles(server.requests[0]) == ["system", "user"]


@pytest.mark.parametrize(
    ("sdk", "fault"),
    [(GEMINI, gemini_error(503)), (OPENAI, openai_error(503))],
    ids=["gemini", "openai"],
)
async def test_a_stream_that_has_not_begun_is_tried_again(sdk: Sdk, fault: Reply) -> None:
    with standing_in(fault, fault, sdk.stream("Hello.")) as server:
        async with sdk.model_at(server.url) as model:
            assert [piece async for piece in model.stream(PROMPT, Usage())] == ["Hello."]
    assert len(server.requests) == 3


@both_sdks
async def test_a_stream_that_breaks_off_is_not_tried_again(sdk: Sdk) -> None:
    whole = sdk.stream("Some", "body")
    longer = {"content-length": str(len(whole.body) + 100)}
    broken = Reply(body=whole.body[: len(whole.body) // 3], headers=whole.headers | longer)
    with standing_in(broken) as server:
        async with sdk.model_at(server.url, timeout_s=1.0) as model:
            with pytest.raises(InsightsError):
                assert [piece async for piece in model.stream(PROMPT, Usage())]
    assert len(server.requests) == 1


@pytest.mark.parametrize(("sdk", "finish"), [(GEMINI, "MAX_TOKENS"), (OPENAI, "length")])
async def test_a_stream_that_is_cut_off_says_so(sdk: Sdk, finish: str) -> None:
    with standing_in(sdk.stream("Somebody says", finish=finish)) as server:
        async with sdk.model_at(server.url) as model:
            with pytest.raises(TooLong, match="cut off"):
                assert [piece async for piece in model.stream(PROMPT, Usage())]


@both_sdks
async def test_a_stream_has_a_time_limit(sdk: Sdk) -> None:
    with standing_in(Reply(never=True)) as server:
        async with sdk.model_at(server.url, timeout_s=0.2) as model:
            with pytest.raises(InsightsError, match=r"did not answer in 0\.2 s"):
                await anext(model.stream(PROMPT, Usage()))
    assert len(server.requests) == 1


@both_sdks
async def test_a_stream_can_be_left(sdk: Sdk) -> None:
    with standing_in(sdk.stream(*(f"piece {number} " for number in range(50)))) as server:
        async with sdk.model_at(server.url) as model:
            async with aclosing(model.stream(PROMPT, Usage())) as pieces:
                assert await anext(pieces) == "piece 0 "
            assert [piece async for piece in pieces] == []


async def test_an_error_amid_a_stream() -> None:
    events = events_of({"choices": [{"index": 0, "delta": {"content": "He"}}]}, {"error": {"a": 1}})
    with standing_in(events) as server:
        async with OPENAI.model_at(server.url) as model:
            with pytest.raises(InsightsError, match="could not be read"):
                assert [piece async for piece in model.stream(PROMPT, Usage())]


async def test_a_prompt_that_the_server_cut_is_noticed_in_a_stream() -> None:
    long = Prompt(PROMPT.system, "We talk about the budget at some length. " * 40)
    with standing_in(openai_stream("Money.", prompt_tokens=40)) as server:
        async with OPENAI.model_at(server.url) as model:
            with pytest.raises(TooLong, match="read only a part"):
                assert [piece async for piece in model.stream(long, Usage())]


@both_sdks
async def test_a_stream_without_text_ends(sdk: Sdk) -> None:
    with standing_in(sdk.stream()) as server:
        async with sdk.model_at(server.url) as model:
            assert [piece async for piece in model.stream(PROMPT, Usage())] == []


async def test_tokens_are_added_up() -> None:
    usage = Usage()
    with standing_in(OPENAI.reply("Sure!"), OPENAI.reply(SUMMARY)) as server:
        async with OPENAI.model_at(server.url) as model:
            await model.answer(PROMPT, WireSummary, usage)
    assert usage.tokens == Tokens(1800, 18)
    usage.add(None, None)
    assert usage.tokens == Tokens(1800, 18)


@pytest.mark.parametrize(
    ("pieces", "answer"),
    [
        (["<think>", "I ask [1]", "myself</thi", "nk>\n\nFri", "day."], "Friday."),
        (["\n<thi", "nk>hm</think>Friday."], "Friday."),
        (["<thin", " air>"], "<thin air>"),
        (["<"], "<"),
        (["Friday, I think", "</think>."], "Friday, I think</think>."),
        (["<think>", "forever"], ""),
    ],
)
@both_sdks
async def test_reasoning_is_not_part_of_an_answer(sdk: Sdk, pieces: list[str], answer: str) -> None:
    with standing_in(sdk.stream(*pieces), sdk.reply("".join(pieces))) as server:
        async with sdk.model_at(server.url) as model:
            streamed = [piece async for piece in model.stream(PROMPT, Usage())]
            assert "".join(streamed) == await model.complete(PROMPT, Usage()) == answer
