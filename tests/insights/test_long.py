"""Transcripts longer than a model's window: split, read in part, merged, and honest about it."""

import re
from collections.abc import AsyncGenerator, Callable

import pytest

from echostream.domain import Insights, Transcript
from echostream.insights.parts import ModelInsights
from echostream.insights.wire import WireInsights
from echostream.llm.base import InsightsError, Prompt, ProviderUnavailable, Shape, TooLong, Usage
from echostream.llm.tokens import most_tokens
from insights.meeting import answer, transcript

WINDOW = 1_000
Fault = Callable[[list[int], str], InsightsError | None]


def no_fault(_ids: list[int], _data: str) -> InsightsError | None:
    return None


class Reader:
    """A model that reports what it was shown; `fault` may make a part fail."""

    name = "reader"
    model = "reader-1"

    def __init__(self, fault: Fault = no_fault, merge_fault: InsightsError | None = None) -> None:
        self.fault = fault
        self.merge_fault = merge_fault
        self.parts: list[list[int]] = []
        self.merges: list[str] = []
        self.longest_tokens = 0

    async def answer(self, prompt: Prompt, shape: type[Shape], usage: Usage) -> Shape:
        usage.add(1000, 10)
        ids = [int(number) for number in re.findall(r"^\[(\d+)\]", prompt.data, re.M)]
        self.longest_tokens = max(self.longest_tokens, most_tokens(prompt.data))
        if shape is not WireInsights:
            self.merges.append(prompt.data)
            if self.merge_fault is not None:
                raise self.merge_fault
            whole = {"title": "Whole", "summary": "All of it.", "topics": ["merged"]}
            return shape.model_validate(whole)
        self.parts.append(ids)
        if error := self.fault(ids, prompt.data):
            raise error
        first = ids[0]
        point = {"text": f"point {first}", "evidence": [first, 100_000]}
        read = answer(
            title=f"Part {first}",
            summary=f"Summary {first}.",
            topics=["shared", f"topic {first}"],
            sentiment={"label": "negative" if first == 0 else "positive", "score": 0.8},
            key_points=[point],
            decisions=[point],
            questions=[point],
            action_items=[point],
            sentiment_timeline=[{"segment": first, "label": "positive", "score": 0.9}],
        )
        return shape.model_validate(read)

    async def complete(self, prompt: Prompt, usage: Usage) -> str:
        raise NotImplementedError

    def stream(self, prompt: Prompt, usage: Usage) -> AsyncGenerator[str]:
        raise NotImplementedError

    async def aclose(self) -> None:
        pass


def long(count: int = 150) -> Transcript:
    return transcript(*(f"Number {i}: we talk about the budget at length." for i in range(count)))


async def read(model: Reader, spoken: Transcript | None = None) -> Insights:
    return await ModelInsights(model, WINDOW).analyse(spoken or long())


async def test_what_fits_takes_one_call() -> None:
    model = Reader()
    insights = await read(model, long(10))
    assert model.parts == [list(range(10))]
    assert model.merges == []
    assert insights.details.meta.coverage == 1.0


async def test_parts_cover_everything_once_and_fit() -> None:
    model = Reader()
    insights = await read(model)
    assert [number for part in sorted(model.parts) for number in part] == list(range(150))
    assert len(model.parts) > 2
    assert model.longest_tokens <= WINDOW + 20
    assert insights.summary == "All of it."
    assert insights.topics == ("merged",)
    details = insights.details
    starts = sorted(part[0] for part in model.parts)
    assert details.title == "Whole"
    for points in (details.key_points, details.decisions, details.questions, details.action_items):
        assert [point.evidence for point in points] == [(start,) for start in starts]
    assert [at.segment_id for at in details.sentiment_timeline] == list(range(150))
    assert insights.sentiment.label == "positive"
    assert 0.4 < insights.sentiment.score < 0.8
    meta = details.meta
    assert (meta.provider, meta.model) == ("reader", "reader-1")
    assert (meta.coverage, meta.degraded, meta.degraded_reason) == (1.0, False, None)


async def test_a_part_that_fails_lowers_the_coverage() -> None:
    spoken = long()
    model = Reader(lambda ids, _: InsightsError("blocked") if 0 in ids else None)
    insights = await read(model, spoken)
    lost = model.parts[0]
    assert 0 in lost
    chars = [len(segment.text) for segment in spoken.segments]
    meta = insights.details.meta
    assert meta.coverage == pytest.approx(1 - sum(chars[i] for i in lost) / sum(chars))
    assert meta.degraded
    assert meta.degraded_reason == f"1 of {len(model.parts)} parts could not be read: blocked"
    assert not {at.segment_id for at in insights.details.sentiment_timeline} & set(lost)


async def test_all_parts_failing_is_an_error() -> None:
    with pytest.raises(InsightsError, match="blocked"):
        await read(Reader(lambda _ids, _data: InsightsError("blocked")))


async def test_a_provider_that_is_gone_is_asked_no_more() -> None:
    model = Reader(lambda _ids, _data: ProviderUnavailable("quota spent"))
    with pytest.raises(InsightsError, match="quota spent"):
        await read(model, long(600))
    assert len(model.parts) <= 4


async def test_what_was_too_long_is_halved() -> None:
    model = Reader(lambda ids, _: TooLong("cut off") if len(ids) > 20 else None)
    insights = await read(model, long(40))
    assert [len(part) for part in model.parts] == [40, 20, 20]
    assert insights.details.meta.coverage == 1.0
    assert not insights.details.meta.degraded
    assert [at.segment_id for at in insights.details.sentiment_timeline] == list(range(40))


async def test_halving_ends() -> None:
    model = Reader(lambda _ids, _data: TooLong("cut off"))
    with pytest.raises(InsightsError, match="cut off"):
        await read(model)
    assert len(model.parts) < 40


async def test_merge_that_fails_leaves_the_parts_joined() -> None:
    model = Reader(merge_fault=InsightsError("overloaded"))
    insights = await read(model)
    assert insights.summary.startswith("Summary 0. Summary ")
    assert insights.topics[0] == "shared"
    assert insights.topics.count("shared") == 1
    assert insights.details.title == "Part 0"
    meta = insights.details.meta
    assert (meta.coverage, meta.degraded) == (1.0, True)
    assert meta.degraded_reason == "the parts' summaries could not be merged: overloaded"


async def test_one_segment_longer_than_the_window() -> None:
    words = " ".join(f"word{i}" for i in range(1_500))
    model = Reader()
    insights = await read(model, transcript(words))
    assert len(model.parts) > 2
    assert insights.details.meta.coverage == 1.0
    assert [at.segment_id for at in insights.details.sentiment_timeline] == [0]
    assert {point.evidence for point in insights.details.key_points} == {(0,)}


async def test_summaries_that_do_not_fit_are_merged_in_rounds() -> None:
    model = Reader()
    insights = await read(model, long(3_000))
    assert len(model.merges) > 1
    assert model.longest_tokens <= WINDOW + 20
    assert insights.summary == "All of it."
