"""Audio cut into items, with an engine that knows the sample by heart."""

import asyncio
import threading
from collections.abc import AsyncIterator

import numpy as np
import pytest

from conftest import sample_pcm, sample_text
from echostream.domain import TranscribeOptions
from echostream.engine import LiveEngine
from echostream.errors import AudioTooLong, EngineError, NothingToCommit
from echostream.streaming import (
    Committed,
    Completed,
    Delta,
    ItemEvent,
    Items,
    SpeechStarted,
    SpeechStopped,
    TurnDetection,
)
from streaming.oracle import OracleTranscriber

SECOND = 16_000
SPOKEN = sample_text().split()


class Listener:
    """Everything that was told."""

    def __init__(self, items: Items) -> None:
        self.events: list[ItemEvent] = []
        items.tell = self._hear

    async def _hear(self, event: ItemEvent) -> None:
        self.events.append(event)

    def of(self, kind: type) -> list[ItemEvent]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def texts(self) -> list[str]:
        """The text of each item, in the order of the items; their deltas say the same."""
        completed = {e.item_id: e.text for e in self.events if isinstance(e, Completed)}
        committed = [e for e in self.events if isinstance(e, Committed)]
        order = [each.item_id for each in committed]
        assert [each.previous_id for each in committed] == [None, *order][:-1]
        for item, text in completed.items():
            deltas = [e.text for e in self.events if isinstance(e, Delta) and e.item_id == item]
            assert "".join(deltas) == text
        return [completed[item] for item in order]


@pytest.fixture
async def items(engine: LiveEngine) -> AsyncIterator[Items]:
    found = Items(engine, max_audio_s=120)
    yield found
    await found.aclose()


@pytest.fixture
def listener(items: Items) -> Listener:
    return Listener(items)


async def speak(items: Items, samples: np.ndarray, step: int = 4_801) -> None:
    for start in range(0, len(samples), step):
        await items.hear(samples[start : start + step])


async def test_detected_turns_have_all_words(items: Items, listener: Listener) -> None:
    items.configure(TranscribeOptions(), TurnDetection(silence_duration_ms=300))
    await speak(items, sample_pcm())
    await items.finish()
    assert " ".join(listener.texts).split() == SPOKEN
    assert len(listener.texts) > 5
    starts = [event.audio_start_ms for event in listener.of(SpeechStarted)]
    ends = [event.audio_end_ms for event in listener.of(SpeechStopped)]
    assert all(start < end for start, end in zip(starts, ends, strict=False))
    assert all(end <= start for end, start in zip(ends, starts[1:], strict=False))


async def test_a_slow_reading_delays_no_turn(
    items: Items, listener: Listener, oracle: OracleTranscriber
) -> None:
    """Speech starts and stops although the engine still reads the turn before."""
    oracle.hold = threading.Event()
    items.configure(TranscribeOptions(), TurnDetection(silence_duration_ms=300))
    try:
        async with asyncio.timeout(30):
            await speak(items, sample_pcm()[: 10 * SECOND])
        assert oracle.asked.is_set()
        assert listener.of(SpeechStopped)
        assert len(listener.of(SpeechStarted)) > 1
        assert listener.of(Completed) == []
    finally:
        oracle.hold.set()


async def test_committed_turns_have_all_words(items: Items, listener: Listener) -> None:
    items.configure(TranscribeOptions(), None)
    await speak(items, sample_pcm())
    await items.commit()
    await items.finish()
    [text] = listener.texts
    assert text.split() == SPOKEN
    assert listener.of(SpeechStarted) == []


async def test_detection_may_change_at_any_time(items: Items, listener: Listener) -> None:
    """The turn that is open goes on."""
    samples = sample_pcm()
    for number, start in enumerate(range(0, len(samples), 5 * SECOND)):
        detection = TurnDetection(silence_duration_ms=400 + number) if number % 2 else None
        items.configure(TranscribeOptions(), detection)
        await speak(items, samples[start : start + 5 * SECOND])
    await items.finish()
    assert " ".join(listener.texts).split() == SPOKEN


async def test_cleared_audio_is_never_committed(items: Items, listener: Listener) -> None:
    items.configure(TranscribeOptions(), None)
    samples = sample_pcm()
    await speak(items, samples[: 4 * SECOND])
    await items.clear()
    with pytest.raises(NothingToCommit):
        await items.commit()
    await speak(items, samples[4 * SECOND : 10 * SECOND])
    await items.finish()
    [text] = listener.texts
    assert text.startswith("The budget")
    assert len({event.item_id for event in listener.of(Committed)}) == 1


async def test_cleared_while_the_engine_reads(
    items: Items, listener: Listener, oracle: OracleTranscriber
) -> None:
    """The engine's answer about the audio that was cleared is not taken for another one."""
    oracle.hold = threading.Event()
    items.configure(TranscribeOptions(), None)
    samples = sample_pcm()
    await speak(items, samples[: 2 * SECOND])  # not up to the pause, in which nothing is read
    assert await asyncio.to_thread(oracle.asked.wait, 20)
    await items.clear()
    oracle.hold.set()
    await speak(items, samples[4 * SECOND : 10 * SECOND])
    await items.finish()
    [text] = listener.texts
    assert text.startswith("The budget")


async def test_a_failed_item_costs_no_other(
    items: Items, listener: Listener, oracle: OracleTranscriber
) -> None:
    # Each reading is tried twice.
    oracle.errors = [EngineError("it failed"), EngineError("it failed")]
    items.configure(TranscribeOptions(), None)
    samples = sample_pcm()
    for start in (0, 4 * SECOND):
        await speak(items, samples[start : start + 6 * SECOND])
        await items.commit()
        await items.finish()
    first, second = listener.of(Completed)
    assert isinstance(first, Completed)
    assert isinstance(second, Completed)
    assert first.final.error is not None
    assert second.final.error is None
    assert second.text.startswith("The budget")


async def test_the_limit(items: Items, listener: Listener) -> None:
    """What came before it is transcribed."""
    items.configure(TranscribeOptions(), None)
    await speak(items, sample_pcm()[: 10 * SECOND])
    await speak(items, np.zeros(110 * SECOND, np.int16), SECOND)
    with pytest.raises(AudioTooLong):
        await items.hear(np.zeros(1, np.int16))
    await items.finish()
    [completed] = listener.of(Completed)
    assert isinstance(completed, Completed)
    assert completed.audio_s == 120
    assert completed.text.startswith("Thank you")


async def test_the_language_of_an_item_is_expected_of_the_next(
    items: Items, oracle: OracleTranscriber
) -> None:
    items.configure(TranscribeOptions(), None)
    for start in (0, 4 * SECOND):
        await speak(items, sample_pcm()[start : start + 4 * SECOND])
        await items.commit()
        await items.finish()
    assert oracle.calls[0].expected_language is None
    assert oracle.calls[-1].expected_language == "en"


async def test_closed_in_the_middle_nothing_goes_on(
    engine: LiveEngine, oracle: OracleTranscriber
) -> None:
    oracle.hold = threading.Event()
    items = Items(engine, max_audio_s=120)
    listener = Listener(items)
    items.configure(TranscribeOptions(), None)
    await speak(items, sample_pcm()[: 4 * SECOND])
    await items.commit()
    await speak(items, sample_pcm()[4 * SECOND : 8 * SECOND])
    assert await asyncio.to_thread(oracle.asked.wait, 20)
    before = asyncio.all_tasks()
    await items.aclose()
    assert asyncio.all_tasks() < before
    oracle.hold.set()
    assert listener.of(Completed) == []
    assert asyncio.all_tasks() == {asyncio.current_task()}
