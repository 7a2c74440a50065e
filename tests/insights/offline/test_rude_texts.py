"""Offline insights of texts that are meant to take long: linear, stopped, bounded."""

import asyncio
import threading
import time

import pytest

from echostream.domain import Transcript
from echostream.insights.offline.extractive import ExtractiveInsights, _analyse
from echostream.insights.offline.stopping import StoppableThreads, Stopped, stoppable
from echostream.merging import text_segments
from insights.offline.rude_texts import TEXTS, long
from web.support import WAIT_S


def said(name: str, chars: int) -> Transcript:
    return Transcript(text_segments(long(name, chars)), "en", 0.0, "none", "none")


def analysing() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name.startswith("insights")]


def seconds_for(name: str, chars: int) -> float:
    spoken = said(name, chars)
    started = time.thread_time()
    _analyse(spoken)
    return time.thread_time() - started


@pytest.mark.parametrize("name", ["short words", "lower titles", "abbreviations", "was", "emojis"])
def test_the_time_grows_with_the_text(name: str) -> None:
    seconds_for(name, 1_000)  # loads what is loaded once
    assert seconds_for(name, 64_000) < 16 * max(seconds_for(name, 8_000), 0.1)


@pytest.mark.parametrize("name", TEXTS)
def test_what_is_found_is_bounded(name: str) -> None:
    found = _analyse(said(name, 8_000))
    assert len(found.summary) < 20_000
    assert all(len(item.evidence) <= 50 for item in found.details.action_items)


def test_short_sentences_of_a_long_text_share_segments() -> None:
    text = ". " * 50_000
    segments = text_segments(text)
    assert len(segments) <= 10_000
    assert "".join(each.text for each in segments).count(".") == 50_000


async def test_an_analysis_stops_when_nobody_waits() -> None:
    insights = ExtractiveInsights()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(insights.analyse(said("dots", 1_000_000)), 0.3)
    await insights.aclose()
    for thread in analysing():
        await asyncio.to_thread(thread.join, WAIT_S)
        assert not thread.is_alive()


async def test_an_analysis_that_takes_too_long_says_so() -> None:
    insights = ExtractiveInsights(within_s=0.05)
    found = await insights.analyse(said("dots", 1_000_000))
    assert found.details.meta.degraded
    assert (
        found.details.meta.degraded_reason == "the offline provider did not come to an end in time"
    )
    assert found.details.meta.coverage == 0.0
    await insights.aclose()


async def test_others_have_their_threads() -> None:
    """However many analyses there are, the pool that storage and downloads use is free."""
    insights = ExtractiveInsights()
    asked = [asyncio.create_task(insights.analyse(said("dots", 200_000))) for _ in range(20)]
    async with asyncio.timeout(WAIT_S):
        await asyncio.to_thread(lambda: None)
    assert len(analysing()) <= 2
    for each in asked:
        each.cancel()
    await asyncio.gather(*asked, return_exceptions=True)
    await insights.aclose()


async def test_work_is_stopped_between_two_items() -> None:
    threads = StoppableThreads(1)
    ended: list[type[BaseException]] = []

    def endless() -> None:
        try:
            for _ in stoppable(iter(int, 1)):
                pass
        except Stopped as error:
            ended.append(type(error))
            raise

    with pytest.raises(TimeoutError):
        await threads.run(endless, within_s=0.01)
    assert await threads.run(lambda: "free again", within_s=WAIT_S) == "free again"
    assert ended == [Stopped]
    threads.close()
