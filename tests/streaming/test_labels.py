"""Provisional speakers of live text."""

import asyncio
from collections.abc import Callable

import numpy as np

from conftest import sample_text
from echostream.domain import SAMPLE_RATE_HZ, SpeakerOptions, TranscribeOptions, Voice
from echostream.engine import LiveEngine, Samples
from echostream.errors import EngineRestarted
from echostream.streaming.events import Label, Partial
from echostream.streaming.forms import PCM
from echostream.streaming.kept import KeptAudio
from echostream.streaming.labels import SpeakerLabels
from echostream.streaming.session import LiveSession
from fakes import voice_of


class Voices:
    """Hears speaker A where samples are below 0, B where they are above; short audio tells nothing.
    Keeps the length of what it was asked about. `go_on` is waited for."""

    def __init__(self) -> None:
        self.asked_s: list[float] = []
        self.errors: list[EngineRestarted] = []
        self.asked = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def __call__(self, samples: Samples) -> Voice | None:
        self.asked_s.append(round(len(samples) / SAMPLE_RATE_HZ, 3))
        self.asked.set()
        await self.go_on.wait()
        if self.errors:
            raise self.errors.pop()
        if len(samples) < 1.5 * SAMPLE_RATE_HZ:
            return None
        return voice_of("A" if samples.mean() < 0 else "B")


def partial(seq: int, start_s: float, end_s: float) -> Partial:
    return Partial("text", start_s, end_s, seq, "", 0)


def kept_of(*signs: int, each_s: float = 5.0, most_s: float = 60) -> KeptAudio:
    kept = KeptAudio(most_s)
    for sign in signs:
        kept.append(np.full(int(each_s * SAMPLE_RATE_HZ), sign, np.int16))
    return kept


class Told:
    """Collects labels until there are as many as are waited for."""

    def __init__(self, labels: SpeakerLabels) -> None:
        self.all: list[Label] = []
        self._labels = labels

    async def until(self, done: Callable[[list[Label]], bool]) -> list[Label]:
        async with asyncio.timeout(10):
            async for label in self._labels.found():
                self.all.append(label)
                if done(self.all):
                    break
        return self.all


async def labels_of(kept: KeptAudio, voices: Voices, *partials: Partial) -> list[Label]:
    labels = SpeakerLabels(kept, voices, SpeakerOptions())
    for each in partials:
        labels.note(each)
    found = await Told(labels).until(lambda all_: all_[-1].seq == partials[-1].seq)
    kept.close()
    return found


async def test_each_piece_is_told_by_its_audio() -> None:
    found = await labels_of(
        kept_of(-1, 1, -1), Voices(), partial(1, 0, 4), partial(2, 5, 9), partial(3, 10, 14)
    )
    assert found == [Label(1, "A"), Label(2, "B"), Label(3, "A")]


async def test_a_short_piece_is_heard_with_the_speech_before_it() -> None:
    voices = Voices()
    found = await labels_of(kept_of(-1), voices, partial(1, 0, 1.8), partial(2, 1.9, 2.3))
    assert found == [Label(1, "A"), Label(2, "A")]
    assert voices.asked_s == [1.8, 2.0]


async def test_one_after_a_pause_may_be_anybodys() -> None:
    found = await labels_of(
        kept_of(-1, 1), Voices(), partial(1, 0, 3), partial(2, 4, 4.6), partial(3, 5.5, 8)
    )
    assert found == [Label(1, "A"), Label(3, "B")]


async def test_a_long_piece_is_not_heard_to_its_end() -> None:
    voices = Voices()
    await labels_of(kept_of(-1, each_s=30), voices, partial(1, 0, 26))
    assert voices.asked_s == [10]


async def test_what_cannot_be_told_is_left_out() -> None:
    voices = Voices()
    voices.errors = [EngineRestarted("gone")]
    found = await labels_of(kept_of(-1, 1), voices, partial(1, 0, 4), partial(2, 5, 9))
    assert found == [Label(2, "A")], "the first that is heard is A"


async def test_pieces_that_wait_for_too_long_are_left_out() -> None:
    voices = Voices()
    voices.go_on.clear()
    kept = kept_of(-1, each_s=55)
    labels = SpeakerLabels(kept, voices, SpeakerOptions())
    told = Told(labels)
    labels.note(partial(1, 0, 4))
    waiting = asyncio.create_task(told.until(lambda all_: all_[-1].seq == 12))
    await voices.asked.wait()
    for seq in range(2, 13):
        labels.note(partial(seq, 4.0 * seq - 4, 4.0 * seq))
    voices.go_on.set()
    assert [label.seq for label in await waiting] == [1, 5, 6, 7, 8, 9, 10, 11, 12]
    kept.close()


async def test_the_text_never_waits_for_them(engine: LiveEngine, pcm: bytes) -> None:
    voices = Voices()
    voices.go_on.clear()
    kept = kept_of(-1, each_s=60)
    session = LiveSession(
        engine,
        None,
        options=TranscribeOptions(),
        max_audio_s=600,
        labels=SpeakerLabels(kept, voices, SpeakerOptions()),
        form=PCM,
    )
    for start in range(0, len(pcm), 2 * SAMPLE_RATE_HZ):
        await session.feed(pcm[start : start + 2 * SAMPLE_RATE_HZ])
    session.finish()
    async with asyncio.timeout(30):
        final = await session.final
    assert final.transcript.text.split() == sample_text().split()
    kept.close()


async def test_audio_that_is_no_longer_kept_tells_nothing() -> None:
    voices = Voices()
    kept = kept_of(-1, 1, most_s=6)
    labels = SpeakerLabels(kept, voices, SpeakerOptions())
    labels.note(partial(1, 0, 4))
    waiting = asyncio.create_task(Told(labels).until(bool))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()
    assert voices.asked_s == []
