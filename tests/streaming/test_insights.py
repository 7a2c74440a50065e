"""Insights while somebody speaks."""

import asyncio

from echostream.domain import (
    SAMPLE_RATE_HZ,
    ActionItem,
    Details,
    Insights,
    InsightsMeta,
    Point,
    Segment,
    Sentiment,
    TranscribeOptions,
    Transcript,
)
from echostream.engine import LiveEngine
from echostream.streaming.events import Event, InsightsSoFar
from echostream.streaming.forms import PCM
from echostream.streaming.insights import LiveInsights, StableIds
from echostream.streaming.session import LiveSession


def action(text: str, *evidence: int) -> ActionItem:
    return ActionItem(text, None, None, evidence)


def insights_of(*actions: ActionItem, decisions: tuple[Point, ...] = ()) -> Insights:
    meta = InsightsMeta("fake", None, 1.0)
    details = Details("", (), decisions, (), actions, (), meta)
    return Insights("", (), Sentiment("neutral", 0.5), details)


def said(*sentences: str) -> Transcript:
    segments = tuple(Segment(number, 0, 1, text) for number, text in enumerate(sentences))
    return Transcript(segments, "en", 1.0, "fake", "fake-1")


class TestStableIds:
    def test_what_is_found_again_keeps_its_id(self) -> None:
        ids = StableIds()
        report, call = action("Send the report", 1), action("Call the client", 4)
        assert ids.of([report]) == (1,)
        assert ids.of([call, report]) == (2, 1)
        assert ids.of([call]) == (2,)
        assert ids.of([report, call]) == (1, 2)

    def test_also_in_other_words_about_the_same_segments(self) -> None:
        ids = StableIds()
        ids.of([action("Send the report to Anna", 1)])
        assert ids.of([action("Send the report to Anna on Friday", 1, 2)]) == (1,)

    def test_or_with_the_segments_of_the_final_pass(self) -> None:
        ids = StableIds()
        ids.of([action("Send the report", 7)])
        assert ids.of([action("send the report", 3)]) == (1,)

    def test_other_statements_about_the_same_segment_are_new(self) -> None:
        ids = StableIds()
        ids.of([action("Send the report", 1)])
        assert ids.of([action("Send the report", 1), action("Book a room", 1)]) == (1, 2)

    def test_no_two_have_the_same(self) -> None:
        assert StableIds().of([action("Send it", 1), action("Send it", 2)]) == (1, 2)


async def test_a_session_tells_them_while_somebody_speaks(engine: LiveEngine, pcm: bytes) -> None:
    async def analyse(transcript: Transcript) -> Insights:
        return insights_of(action(transcript.text, 0))

    told: asyncio.Queue[Event] = asyncio.Queue()
    session = LiveSession(
        engine,
        None,
        options=TranscribeOptions(),
        max_audio_s=600,
        live_insights=LiveInsights(analyse, every_s=0.01),
        form=PCM,
        observe=told.put_nowait,
    )
    await session.feed(pcm[: 24 * SAMPLE_RATE_HZ])
    async with asyncio.timeout(30):
        while not isinstance(event := await told.get(), InsightsSoFar):
            pass
    assert event.insights.action_items[0].startswith("Thank you")
    await session.aclose()


class TestUpdates:
    async def test_only_where_more_was_said(self) -> None:
        heard: list[str] = []
        texts = [said("One."), said("One."), said("One.", "Two.")]

        async def analyse(transcript: Transcript) -> Insights:
            heard.append(transcript.text)
            return insights_of(action(transcript.text, 0))

        live = LiveInsights(analyse, every_s=0.001)
        async with asyncio.timeout(10):
            async for found in live.updates(lambda: texts.pop(0)):
                assert found.action_item_ids == (1,)
                if not texts:
                    break
        assert heard == ["One.", "One. Two."]

    async def test_one_that_fails_is_left_out(self) -> None:
        errors = [RuntimeError("no quota")]
        texts = ["One.", "Two."]

        async def analyse(_transcript: Transcript) -> Insights:
            if errors:
                raise errors.pop()
            return insights_of(decisions=(Point("We ship", (0,)),))

        live = LiveInsights(analyse, every_s=0.001)
        async with asyncio.timeout(10):
            async for found in live.updates(lambda: said(texts.pop(0))):
                assert found.decision_ids == (1,)
                break
        assert texts == []
