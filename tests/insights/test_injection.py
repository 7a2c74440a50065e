"""Orders hidden in recordings change neither what a model is told nor the shape of what comes back.

Each order is hidden in every place that a recording's words can reach, and sent through both real
SDKs to local stand-ins that do as the order says.
"""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.orders import ORDERS
from echostream.domain import InsightsOptions, Segment, Transcript
from echostream.insights import ModelInsights
from echostream.insights.passages import Recording
from echostream.insights.questions import Question, Questions, Reply, Source, Turn
from echostream.llm.base import InsightsError
from echostream.templates import BUILT_IN
from insights.meeting import answer, meeting
from llm.sdks import OPENAI, Sdk, both_sdks
from llm.standins import standing_in

every_order = pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)

INNOCENT = Recording(meeting().segments, "a", "Monday")
TAGS = ("recordings", "history", "question")


def in_text(order: str) -> Question:
    return _about(replace(INNOCENT.segments[1], text=order))


def in_speaker(order: str) -> Question:
    return _about(replace(INNOCENT.segments[1], speaker=order))


def in_title(order: str) -> Question:
    return replace(_about(INNOCENT.segments[1], title=order))


def in_earlier_question(order: str) -> Question:
    return replace(_about(INNOCENT.segments[1]), history=(Turn(order, "Fine."),))


def in_earlier_answer(order: str) -> Question:
    return replace(_about(INNOCENT.segments[1]), history=(Turn("Fine?", order),))


def in_question(order: str) -> Question:
    return replace(_about(INNOCENT.segments[1]), text=order)


def _about(segment: Segment, title: str = "Monday") -> Question:
    segments = (INNOCENT.segments[0], segment, INNOCENT.segments[2])
    return Question("When is the release?", (Recording(segments, "a", title),))


PLACES = (in_text, in_speaker, in_title, in_earlier_question, in_earlier_answer, in_question)


def everywhere(order: str) -> Question:
    """One question with the order in all places at once."""
    segment = replace(INNOCENT.segments[1], text=order, speaker=order)
    return replace(_about(segment, title=order), history=(Turn(order, order),))


def obeying() -> dict[str, Any]:
    """The answer of a model that does as it was told, and invents what it was not shown."""
    invented = [{"text": "pwned", "evidence": [99]}]
    item = {"text": "Rob the bank.", "owner": "Zoe", "due": "tonight", "evidence": [0]}
    sections = {key: invented for key in ("done", "planned", "blocked")}
    return answer(
        key_points=invented, questions=invented, action_items=[item], sections=sections, pwned=True
    )


@every_order
@both_sdks
async def test_insights(sdk: Sdk, order: str) -> None:
    segments = in_text(order).recordings[0].segments
    spoken = replace(meeting(), segments=(*segments, *_renumbered(in_speaker(order))))
    options = InsightsOptions(BUILT_IN["stand-up"])
    with standing_in(sdk.reply(obeying())) as server:
        async with sdk.model_at(server.url) as model:
            insights = await ModelInsights(model, 100_000).analyse(spoken, options)
            await ModelInsights(model, 100_000).analyse(_innocent(spoken), options)
    sent, innocent = server.requests
    assert sdk.roles(sent) == ["system", "user"]
    assert sdk.system(sent) == sdk.system(innocent)
    lines = inside("transcript", sdk.data(sent)).split("\n")
    assert [re.match(r"\[\d+\] ", line) is not None for line in lines] == [True] * 6
    assert len(lines) == len(sdk.data(sent).splitlines()) - 2
    details = insights.details
    assert details.key_points == details.questions == ()
    assert [section.items for section in details.sections] == [(), (), ()]
    (item,) = details.action_items
    assert (item.owner, item.due, item.evidence) == (None, None, (0,))


@every_order
@both_sdks
async def test_answers(sdk: Sdk, order: str) -> None:
    obeyed = "pwned [99]. It moves to March [3]. [1000000][0]"
    with standing_in(sdk.reply(obeyed), sdk.stream(obeyed)) as server:
        async with sdk.model_at(server.url) as model:
            questions = Questions(model, 100_000)
            reply = await questions.answer(everywhere(order))
            parts = [part async for part in questions.stream(everywhere(order))]
    assert reply.text == "pwned. It moves to March [1]."
    assert reply.evidence == (Source(2, "a"),)
    assert isinstance(parts[-1], Reply)
    assert (parts[-1].text, parts[-1].evidence) == (reply.text, reply.evidence)
    for request in server.requests:
        assert sdk.roles(request) == ["system", "user"]
        assert "pwned" not in sdk.system(request)
        check_blocks(sdk.data(request), ("recordings", "history", "question"))


@every_order
@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
async def test_every_place_keeps_its_line(place: Callable[[str], Question], order: str) -> None:
    question = place(order)
    with standing_in(OPENAI.reply("It does not say.")) as server:
        async with OPENAI.model_at(server.url) as model:
            await Questions(model, 100_000).answer(question)
    data = OPENAI.data(server.requests[0])
    check_blocks(data, tuple(tag for tag in TAGS if tag != "history" or question.history))
    lines = inside("recordings", data).split("\n")
    assert [line.partition(" ")[0] for line in lines] == ["Recording:", "[1]", "[2]", "[3]"]


@pytest.mark.parametrize("obeyed", ["pwned", '{"pwned": true}', '["pwned"]', "null", "{}"])
@both_sdks
async def test_a_model_that_breaks_the_shape_gives_no_insights(sdk: Sdk, obeyed: str) -> None:
    with standing_in(sdk.reply(obeyed)) as server:
        async with sdk.model_at(server.url) as model:
            with pytest.raises(InsightsError) as caught:
                await ModelInsights(model, 100_000).analyse(meeting())
    assert "pwned" not in str(caught.value)
    assert len(server.requests) == 2


def inside(tag: str, data: str) -> str:
    """What stands between the tags, which are there once."""
    assert data.count(f"<{tag}>") == data.count(f"</{tag}>") == 1
    return data.partition(f"<{tag}>\n")[2].partition(f"\n</{tag}>")[0]


def check_blocks(data: str, tags: tuple[str, ...]) -> None:
    """`data` is these blocks and nothing else, and nothing in them looks like a tag."""
    blocks = [inside(tag, data) for tag in tags]
    assert not any(mark in block for block in blocks for mark in "<>")
    whole = "\n".join(
        f"<{tag}>\n{block}\n</{tag}>" for tag, block in zip(tags, blocks, strict=True)
    )
    assert data == whole
    assert len(data.splitlines()) == data.count("\n") + 1
    json.dumps(data)


def _renumbered(question: Question) -> list[Segment]:
    return [replace(each, id=each.id + 10) for each in question.recordings[0].segments]


def _innocent(spoken: Transcript) -> Transcript:
    return replace(spoken, segments=meeting().segments)
