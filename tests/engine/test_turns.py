"""One engine for many: who waits for whom."""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from conftest import SAMPLE
from echostream.domain import Segment, TranscribeOptions
from echostream.engine import Turns
from echostream.settings import Settings
from fakes import FakeTranscriber, fake_pipeline


@pytest.fixture
def turns() -> Iterator[Turns]:
    shared = Turns(at_once=1)
    yield shared
    shared.close()


async def test_live_work_is_done_in_the_order_it_came(turns: Turns) -> None:
    done: list[int] = []
    gate = threading.Event()
    first = asyncio.ensure_future(turns.live(lambda: gate.wait(30)))
    others = [
        asyncio.ensure_future(turns.live(lambda number=number: done.append(number)))
        for number in range(5)
    ]
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(first, *others)
    assert done == [0, 1, 2, 3, 4]


async def test_one_turn_at_a_time(turns: Turns) -> None:
    at_work = 0
    most = 0

    def work() -> None:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        at_work -= 1

    await asyncio.gather(*(turns.live(work) for _ in range(20)))
    assert most == 1


async def test_a_fault_is_that_of_its_turn_alone(turns: Turns) -> None:
    def broken() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await turns.live(broken)
    assert await turns.live(lambda: "next") == "next"
    turns.give_way(longest_s=0)  # nobody is waited for


async def test_it_is_quiet_some_time_after_live_work(turns: Turns) -> None:
    """The longer a turn takes, the longer: somebody who speaks wants the next one soon."""
    assert turns.are_quiet
    gate = threading.Event()
    live = asyncio.ensure_future(turns.live(lambda: gate.wait(30)))
    waiting = asyncio.ensure_future(turns.live(lambda: time.sleep(0.3)))
    await asyncio.sleep(0)
    assert not turns.are_quiet
    gate.set()
    await live
    assert not turns.are_quiet
    await waiting
    ended_s = time.monotonic()
    assert not turns.are_quiet
    async with asyncio.timeout(30):
        while not turns.are_quiet:  # noqa: ASYNC110 - that time passes is no event
            await asyncio.sleep(0.02)
    assert time.monotonic() - ended_s > 0.4


async def test_a_short_turn_among_long_ones_is_no_rest(turns: Turns) -> None:
    """The next one comes as usual."""
    for turn_s in (0.3, 0.3, 0.0):
        await turns.live(lambda turn_s=turn_s: time.sleep(turn_s))
    ended_s = time.monotonic()
    async with asyncio.timeout(30):
        while not turns.are_quiet:  # noqa: ASYNC110 - that time passes is no event
            await asyncio.sleep(0.02)
    assert time.monotonic() - ended_s > 0.4


async def test_a_file_waits_while_there_is_live_work(turns: Turns) -> None:
    gate, passed = threading.Event(), threading.Event()
    live = asyncio.ensure_future(turns.live(lambda: gate.wait(30)))
    await asyncio.sleep(0)

    def file() -> None:
        turns.give_way(longest_s=30)
        passed.set()

    thread = threading.Thread(target=file)
    thread.start()
    assert not passed.wait(0.2)
    gate.set()
    await live
    assert await asyncio.to_thread(passed.wait, 30)
    thread.join()


async def test_a_file_does_not_wait_for_ever(turns: Turns) -> None:
    gate = threading.Event()
    live = asyncio.ensure_future(turns.live(lambda: gate.wait(30)))
    await asyncio.sleep(0)
    await asyncio.to_thread(turns.give_way, 0.1)
    gate.set()
    await live


async def test_a_file_in_the_pipeline_gives_way_between_two_segments() -> None:
    transcriber = FakeTranscriber(texts=("one", "two", "three"))
    pipeline = fake_pipeline(transcriber)(Settings())
    gate, first = threading.Event(), asyncio.Event()
    live = asyncio.ensure_future(pipeline.engine.turns.live(lambda: gate.wait(30)))
    await asyncio.sleep(0)
    seen: list[Segment] = []

    def note(segment: Segment) -> None:
        seen.append(segment)
        first.set()

    options = TranscribeOptions()
    file = asyncio.ensure_future(pipeline.run(SAMPLE, options, insights=False, on_segment=note))
    await asyncio.wait_for(first.wait(), 30)
    await asyncio.sleep(0.2)  # in which a file that did not wait would have ended
    assert len(seen) == 1
    gate.set()
    await asyncio.gather(live, file)
    assert len(seen) == 3
    await pipeline.aclose()
