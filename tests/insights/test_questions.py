"""Questions about recordings, with both real SDKs against local stand-ins."""

import json

import pytest

from echostream.domain import Segment, Tokens
from echostream.errors import AnswerFailed
from echostream.insights.passages import Recording
from echostream.insights.questions import Question, Questions, Reply, Source, Turn
from insights.meeting import meeting
from llm.sdks import GEMINI, OPENAI, Sdk, both_sdks
from llm.standins import Reply as Answered
from llm.standins import gemini_error, openai_error, standing_in

MEETING = Recording(meeting().segments)
ASKED = Question("When is the release?", (MEETING,))


def said(*texts: str, recording_id: str, title: str | None = None) -> Recording:
    segments = (
        Segment(10 + number, number, number + 1.0, text, speaker="Ann")
        for number, text in enumerate(texts)
    )
    return Recording(tuple(segments), recording_id, title)


async def streamed(questions: Questions, question: Question) -> tuple[list[str], Reply]:
    *texts, last = [part async for part in questions.stream(question)]
    assert isinstance(last, Reply)
    return [str(text) for text in texts], last


@both_sdks
async def test_an_answer_with_its_evidence(sdk: Sdk) -> None:
    with standing_in(sdk.reply("It moves to March [3]. It costs [1][42].")) as server:
        async with sdk.model_at(server.url) as model:
            reply = await Questions(model, 10_000).answer(ASKED)
    assert reply.text == "It moves to March [1]. It costs [2]."
    assert reply.evidence == (Source(2), Source(0))
    meta = reply.meta
    assert (meta.provider, meta.model, meta.coverage) == (sdk.name, model.model, 1.0)
    assert meta.seconds > 0
    (request,) = server.requests
    assert sdk.roles(request) == ["system", "user"]
    assert sdk.data(request) == (
        "<recordings>\n"
        "Recording: without a title\n"
        "[1] The budget is too high.\n"
        "[2] Sarah will send the report to the client by Friday.\n"
        "[3] We agreed to move the release to March.\n"
        "</recordings>\n"
        "<question>\nWhen is the release?\n</question>"
    )
    assert "Sarah" not in sdk.system(request)


@both_sdks
async def test_a_streamed_answer(sdk: Sdk) -> None:
    with standing_in(
        sdk.stream(" It moves", " to March", " [", "3", "]. It costs [42].")
    ) as server:
        async with sdk.model_at(server.url) as model:
            texts, reply = await streamed(Questions(model, 10_000), ASKED)
    assert texts == ["It moves", " to March", " [1]. It costs."]
    assert reply.text == "".join(texts)
    assert reply.evidence == (Source(2),)
    assert reply.meta.tokens == Tokens(900, 9)


@both_sdks
async def test_the_recordings_do_not_hold_the_answer(sdk: Sdk) -> None:
    with standing_in(sdk.reply("The recording does not say who will pay.")) as server:
        async with sdk.model_at(server.url) as model:
            reply = await Questions(model, 10_000).answer(ASKED)
    assert reply.text == "The recording does not say who will pay."
    assert reply.evidence == ()


async def test_several_recordings_with_titles_and_speakers() -> None:
    recordings = (
        said("The roof leaks.", recording_id="a", title="Monday"),
        said("The roof is new.", "", recording_id="b", title="Friday"),
    )
    with standing_in(OPENAI.reply("First it leaks [1], then it is new [2].")) as server:
        async with OPENAI.model_at(server.url) as model:
            reply = await Questions(model, 10_000).answer(Question("The roof?", recordings))
    assert reply.evidence == (Source(10, "a"), Source(10, "b"))
    assert OPENAI.data(server.requests[0]).splitlines()[1:5] == [
        "Recording: Monday",
        "[1] Ann: The roof leaks.",
        "Recording: Friday",
        "[2] Ann: The roof is new.",
    ]


async def test_the_conversation_goes_along_without_its_marks() -> None:
    turn = Turn("Who sends the report?", "Sarah does [1].")
    question = Question("By when?", (MEETING,), (turn,))
    with standing_in(OPENAI.reply("By Friday [2].")) as server:
        async with OPENAI.model_at(server.url) as model:
            await Questions(model, 10_000).answer(question)
    told = "<history>\nQ: Who sends the report?\nA: Sarah does.\n</history>\n"
    assert told in OPENAI.data(server.requests[0])


async def test_of_a_long_conversation_the_last_turns_go_along() -> None:
    turns = tuple(Turn(f"Question {number}?", "So it is. " * 100) for number in range(20))
    with standing_in(OPENAI.reply("By Friday [2].")) as server:
        async with OPENAI.model_at(server.url) as model:
            await Questions(model, 5_000).answer(Question("By when?", (MEETING,), turns))
    data = OPENAI.data(server.requests[0])
    assert "Question 18?" in data
    assert data.index("Question 18?") < data.index("Question 19?")
    assert "Question 17?" not in data


async def test_a_long_recording_is_read_where_it_matters() -> None:
    texts = [f"Item {number} of the agenda takes its usual course." for number in range(2_000)]
    texts[1_500] = "The warehouse needs a new roof."
    recording = said(*texts, recording_id="a")
    with standing_in(OPENAI.reply("A roof [99999], say [1].")) as server:
        async with OPENAI.model_at(server.url) as model:
            question = Question("What does the warehouse need?", (recording,))
            reply = await Questions(model, 1_000).answer(question)
    data = OPENAI.data(server.requests[0])
    assert "Ann: The warehouse needs a new roof." in data
    assert "\n…\n" in data
    assert len(data) < 3_000
    assert 0 < reply.meta.coverage < 0.1
    assert len(reply.evidence) == 1


@pytest.mark.parametrize("text", ["", "  ", "[99]"])
@both_sdks
async def test_no_answer_is_an_error(sdk: Sdk, text: str) -> None:
    with standing_in(sdk.reply(text)) as server:
        async with sdk.model_at(server.url) as model:
            with pytest.raises(AnswerFailed, match="gave no answer"):
                await Questions(model, 10_000).answer(ASKED)


@pytest.mark.parametrize(
    ("sdk", "fault"),
    [(GEMINI, gemini_error(401)), (OPENAI, openai_error(401))],
    ids=["gemini", "openai"],
)
async def test_a_model_that_fails(sdk: Sdk, fault: Answered) -> None:
    with standing_in(fault) as server:
        async with sdk.model_at(server.url) as model:
            questions = Questions(model, 10_000)
            with pytest.raises(AnswerFailed, match=r"API key \(401\)"):
                await questions.answer(ASKED)
            with pytest.raises(AnswerFailed, match=r"API key \(401\)"):
                await anext(questions.stream(ASKED))
    assert "Sarah" in json.dumps(server.requests[0].body)
