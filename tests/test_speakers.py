"""Who speaks, from the options to the transcript, around fakes that keep to the protocols."""

import asyncio
import base64
import json
import struct
import threading
import wave
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from echostream.cache import MemoryCache
from echostream.domain import (
    AudioOptions,
    KnownVoice,
    Segment,
    Speaker,
    SpeakerOptions,
    Step,
    TranscribeOptions,
    Transcript,
    Voice,
)
from echostream.engine import LocalEngine, Registry
from echostream.errors import EngineError, EngineRestarted, InvalidRequest, ModelUnavailable
from echostream.options import FinalizeOptions, JobData, LiveOptions, UploadOptions, validated
from echostream.pipeline import Pipeline, Result
from echostream.schema import TranscriptionShape
from echostream.settings import Settings
from echostream.speakers import SpeakerFinder
from fakes import FakeDiarizer, FakeTranscriber, fake_pipeline, voice_of
from web.support import settings_of

ASKED = SpeakerOptions()
PLAIN = TranscribeOptions()
TEXTS = FakeTranscriber.texts

counts = st.none() | st.integers(-1, 22)


@given(counts, counts, counts)
def test_counts_are_kept_or_refused_by_name(
    exact: int | None, least: int | None, most: int | None
) -> None:
    given_counts = {"numSpeakers": exact, "minSpeakers": least, "maxSpeakers": most}
    fields = {name: value for name, value in given_counts.items() if value is not None}
    bounds = (least or 1, most or 20)
    fine = all(1 <= value <= 20 for value in fields.values()) and bounds[0] <= bounds[1]
    fine = fine and bounds[0] <= (exact or bounds[0]) <= bounds[1]
    if fine:
        asked = validated(UploadOptions, fields).speaker_options(by_default=False)
        assert asked == (SpeakerOptions(exact, least, most) if fields else None)
        return
    with pytest.raises(InvalidRequest) as refused:
        validated(UploadOptions, fields)
    assert refused.value.param in fields
    assert str(refused.value).startswith(f"{refused.value.param}: ")


@given(st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=300), st.text(min_size=1))
def test_a_voice_comes_back_from_its_text(numbers: list[float], model: str) -> None:
    length = sum(number * number for number in numbers) ** 0.5
    if length < 1e-3:
        return
    text = Voice(model, tuple(number / length for number in numbers)).dump()
    voice = Voice.load(text)
    assert voice.model == model
    assert voice.embedding == pytest.approx([number / length for number in numbers], abs=1e-6)
    assert voice.dump() == text
    model, _, encoded = text.rpartition(":")
    packed = base64.b64decode(encoded)
    assert struct.unpack(f"<{len(numbers)}f", packed) == voice.embedding


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ("[{", "knownSpeakers: must be a JSON list"),
        ("[" * 100_000, "knownSpeakers: must be a JSON list"),
        ([{"name": "Ann"}], "knownSpeakers.0.voice: "),
        ([{"name": " ", "voice": voice_of("A").dump()}], "knownSpeakers.0.name: "),
        ([{"name": "Ann", "voice": "fake:AAAA"}], "knownSpeakers.0.voice: must be a `voice`"),
        ([{"name": "Ann", "voice": "fake:!"}], "knownSpeakers.0.voice: must be a `voice`"),
        ([{"name": "Ann", "voice": "AACAPw=="}], "knownSpeakers.0.voice: must be a `voice`"),
        ([{"name": "Ann", "voice": "fake:AADAfw=="}], "knownSpeakers.0.voice: "),  # nan
        ([{"name": "Ann", "voice": "x" * 20_001}], "knownSpeakers.0.voice: "),
        ([{"name": "A", "voice": voice_of("A").dump()}] * 2, "knownSpeakers: two speakers have"),
        ([{"name": "A", "voice": voice_of("A").dump()}] * 21, "knownSpeakers: "),
    ],
)
def test_malformed_voices_are_refused_by_name(known: Any, message: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        validated(LiveOptions, {"diarize": True, "knownSpeakers": known})
    assert str(refused.value).startswith(message)


def test_known_speakers_as_a_forms_text() -> None:
    known = [{"name": "Ann", "voice": voice_of("A").dump(), "seconds": 3.0}]
    asked = validated(FinalizeOptions, {"knownSpeakers": json.dumps(known)})
    wanted = SpeakerOptions(known=(KnownVoice("Ann", voice_of("A")),))
    assert asked.speaker_options(by_default=False) == wanted
    job = json.loads(json.dumps(JobData.of(asked).model_dump(by_alias=True, exclude_none=True)))
    assert validated(JobData, job).speaker_options(by_default=False) == wanted


@pytest.mark.parametrize(
    ("fields", "by_default", "asked"),
    [
        ({}, False, None),
        ({}, True, ASKED),
        ({"diarize": "false"}, True, None),
        ({"diarize": "true"}, False, ASKED),
        ({"diarize": False, "numSpeakers": 2}, True, None),
        ({"channels": "separate", "diarize": True}, False, ASKED),
    ],
)
def test_whether_speakers_are_wanted(
    fields: dict[str, Any], by_default: bool, asked: SpeakerOptions | None
) -> None:
    assert validated(UploadOptions, fields).speaker_options(by_default=by_default) == asked


def test_separate_channels_leave_nothing_to_count() -> None:
    with pytest.raises(InvalidRequest, match=r"channels: .* leave out numSpeakers"):
        validated(UploadOptions, {"channels": "separate", "numSpeakers": 2})


def pipeline_of(
    diarizer: FakeDiarizer, transcriber: FakeTranscriber | None = None, **settings: Any
) -> Pipeline:
    return fake_pipeline(transcriber, None, diarizer, MemoryCache(60))(settings_of(**settings))


async def run(pipeline: Pipeline, source: Path, **asked: Any) -> Result:
    return await pipeline.run(source, PLAIN, insights=False, **asked)


async def test_segments_words_and_speakers(tone: Path) -> None:
    pipeline = pipeline_of(FakeDiarizer())
    steps: list[Step] = []
    result = await run(pipeline, tone, speakers=ASKED, progress=steps.append)
    shape = TranscriptionShape.of(result.transcript, None)
    assert [segment.speaker for segment in shape.segments] == ["A", "B"]
    assert [word.speaker for segment in shape.segments for word in segment.words] == ["A", "B"]
    assert [(each.id, each.name, each.seconds) for each in shape.speakers] == [
        ("A", None, 0.5),
        ("B", None, 0.5),
    ]
    assert [each.voice for each in shape.speakers] == [voice_of("A").dump(), voice_of("B").dump()]
    told = [step.share for step in steps if step.stage == "diarizing"]
    assert told[0] == 0.0
    assert told[-1] == 1.0
    assert result.diarize_s is not None
    await pipeline.aclose()


async def test_nobody_is_told_apart_unasked(tone: Path) -> None:
    diarizer = FakeDiarizer()
    pipeline = pipeline_of(diarizer)
    result = await run(pipeline, tone)
    assert result.transcript.speakers == ()
    assert [segment.speaker for segment in result.transcript.segments] == [None, None]
    assert (diarizer.calls, result.diarize_s) == ([], None)
    await pipeline.aclose()


async def test_speakers_and_text_are_remembered_apart(tone: Path) -> None:
    diarizer, transcriber = FakeDiarizer(), FakeTranscriber()
    pipeline = pipeline_of(diarizer, transcriber)
    plain = await run(pipeline, tone)
    asked = await run(pipeline, tone, speakers=ASKED)
    again = await run(pipeline, tone, speakers=ASKED)
    assert (len(transcriber.calls), len(diarizer.calls)) == (1, 1)
    assert (plain.cached, asked.cached, again.cached) == (False, True, True)
    assert again.transcript == asked.transcript
    two = await run(pipeline, tone, speakers=SpeakerOptions(count=2))
    other = await pipeline.run(tone, TranscribeOptions(language="en"), speakers=ASKED)
    assert (len(transcriber.calls), len(diarizer.calls)) == (2, 2)
    assert two.transcript.speakers == other.transcript.speakers
    await pipeline.aclose()


async def test_known_voices_give_their_names(tone: Path) -> None:
    diarizer = FakeDiarizer()
    pipeline = pipeline_of(diarizer)
    known = SpeakerOptions(known=(KnownVoice("Ann", voice_of("B")),))
    result = await run(pipeline, tone, speakers=known)
    told = [(each.id, each.name) for each in result.transcript.speakers]
    assert told == [("A", None), ("Ann", "Ann")]
    await pipeline.aclose()


async def test_voices_of_another_model_are_refused_before_the_work(tone: Path) -> None:
    transcriber = FakeTranscriber()
    pipeline = pipeline_of(FakeDiarizer(), transcriber)
    other = SpeakerOptions(known=(KnownVoice("Ann", Voice("other", (1.0,))),))
    with pytest.raises(InvalidRequest, match="'Ann' is of the model 'other'"):
        await run(pipeline, tone, speakers=other)
    assert transcriber.calls == []
    await pipeline.aclose()


@pytest.mark.parametrize(
    "error",
    [
        ModelUnavailable("there is no diarization model"),
        EngineRestarted("the speech engine stopped"),
        MemoryError(),
        RuntimeError("a bug"),
    ],
)
async def test_a_diarizer_that_fails_costs_no_transcript(tone: Path, error: Exception) -> None:
    pipeline = pipeline_of(FakeDiarizer(error=error))
    result = await run(pipeline, tone, speakers=ASKED)
    assert [segment.text for segment in result.transcript.segments] == list(TEXTS)
    assert result.transcript.speakers == ()
    [warning] = result.transcript.warnings
    assert warning.code == "diarization_failed"
    assert "a bug" not in warning.message
    await pipeline.aclose()


class Broken:
    """A place of the engine where everything raises or, without an error, hangs."""

    def __init__(self, error: Exception | None) -> None:
        self._error = error

    async def load_diarizer(self) -> str:
        return await self.voice(None)

    async def voice(self, _samples: object) -> Any:
        if self._error is None:
            await asyncio.Event().wait()
        raise self._error or AssertionError


SAID = Transcript(
    (Segment(0, 0.0, 1.0, "Hello.", channel=0),),
    "en",
    1.0,
    "none",
    "none",
    speakers=(Speaker("A", 1.0, channel=0),),
)
SILENCE = np.zeros(16_000, np.int16)


@pytest.mark.parametrize(
    ("error", "told", "event", "level"),
    [
        (EngineError("it is gone"), "it is gone", "diarization_failed", "warning"),
        (RuntimeError("a bug"), "the diarizer failed", "diarization_crashed", "error"),
    ],
)
async def test_whatever_happens_the_transcript_stays_and_the_log_says_why(
    error: Exception, told: str, event: str, level: str
) -> None:
    engine: Any = Broken(error)
    with capture_logs() as logs:
        found = await SpeakerFinder(MemoryCache(10), timeout_s=60).add(engine, SILENCE, SAID, ASKED)
    assert found.segments == SAID.segments
    assert [each.message for each in found.warnings] == [
        f"The speakers could not be told apart: {told}."
    ]
    [entry] = logs
    assert (entry["event"], entry["log_level"]) == (event, level)
    assert entry.get("reason") == str(error) or entry.get("exc_info") is error


async def test_what_was_asked_wrongly_is_no_warning() -> None:
    engine: Any = Broken(InvalidRequest("more speakers than there may be"))
    with pytest.raises(InvalidRequest):
        await SpeakerFinder(MemoryCache(10), timeout_s=60).add(engine, SILENCE, SAID, ASKED)


@pytest.mark.parametrize(
    ("error", "told"),
    [(EngineError("it is gone"), "it is gone"), (None, "their voices took longer than 0 s")],
)
async def test_without_voices_of_channels_the_transcript_stays(
    error: Exception | None, told: str
) -> None:
    engine: Any = Broken(error)
    finder = SpeakerFinder(MemoryCache(10), timeout_s=0.05)
    with capture_logs() as logs:
        found = await finder.add_voices(engine, [SILENCE], SAID)
    assert (found.segments, found.speakers) == (SAID.segments, SAID.speakers)
    assert [each.message for each in found.warnings] == [
        f"The speakers could not be told apart: {told}."
    ]
    assert [entry["reason"] for entry in logs] == ([str(error)] if error else [])


async def test_a_diarizer_that_tells_of_progress_for_ever_is_given_up() -> None:
    class Endless(Broken):
        async def load_diarizer(self) -> str:
            return "model"

        async def diarize(self, *_: object) -> AsyncIterator[float]:
            while True:
                yield 0.5
                await asyncio.sleep(0.01)

    engine: Any = Endless(None)
    async with asyncio.timeout(20):
        finder = SpeakerFinder(MemoryCache(10), timeout_s=0.1)
        found = await finder.add(engine, SILENCE[:160], SAID, ASKED)
    [warning] = found.warnings
    assert warning.message.endswith("it took longer than 0 s.")


async def test_a_voice_is_what_is_said_in_its_own_channel() -> None:
    """Half a minute of it, without the silence between."""
    heard = []

    class Listening(Broken):
        async def voice(self, samples: Any) -> Voice:
            heard.append(samples)
            return Voice("model", (float(len(heard)),))

    second = 16_000
    channels = [np.repeat(np.arange(60, dtype=np.int16), second) + place for place in (0, 100)]
    times = [(1.0, 2.0, 1), (2.0, 4.0, 0), (4.0, 30.0, 1), (30.0, 55.0, 0), (40.0, 55.0, 1)]
    said = replace(
        SAID,
        segments=tuple(
            Segment(number, start_s, end_s, "x", channel=channel)
            for number, (start_s, end_s, channel) in enumerate(times)
        ),
        speakers=tuple(Speaker(name, 1.0, channel=at) for name, at in (("A", 1), ("B", 0))),
    )
    engine: Any = Listening(None)
    found = await SpeakerFinder(MemoryCache(10), timeout_s=60).add_voices(engine, channels, said)
    assert [(each.id, each.voice) for each in found.speakers] == [
        ("A", Voice("model", (1.0,))),
        ("B", Voice("model", (2.0,))),
    ]
    expected = [[1, *range(4, 30), 40, 41, 42], [2, 3, *range(30, 55)]]
    assert [each[::second].tolist() for each in heard] == [
        [at + 100 for at in expected[0]],
        expected[1],
    ]
    assert [len(each) for each in heard] == [30 * second, 27 * second]


async def test_a_failure_is_not_remembered(tone: Path) -> None:
    diarizer = FakeDiarizer(error=EngineError("once"))
    pipeline = pipeline_of(diarizer)
    await run(pipeline, tone, speakers=ASKED)
    diarizer.error = None
    result = await run(pipeline, tone, speakers=ASKED)
    assert (result.cached, len(result.transcript.speakers)) == (True, 2)
    assert result.transcript.warnings == ()
    await pipeline.aclose()


async def test_models_that_cannot_be_loaded(tone: Path) -> None:
    tried = []

    def load(_settings: Settings) -> FakeDiarizer:
        tried.append(1)
        raise ModelUnavailable("DIARIZATION_MODEL names a folder without models")

    settings = settings_of()
    engine = LocalEngine(settings, Registry.only(FakeTranscriber), load)
    pipeline = Pipeline(settings, engine, None)
    known = SpeakerOptions(known=(KnownVoice("Ann", voice_of("B")),))
    result = await run(pipeline, tone, speakers=known)
    [warning] = result.transcript.warnings
    assert warning.message.endswith("DIARIZATION_MODEL names a folder without models.")
    assert len(tried) == 2, "for the known voices, and once more"
    await pipeline.aclose()


async def test_a_diarizer_that_hangs_is_given_up(tone: Path) -> None:
    hold = threading.Event()
    pipeline = pipeline_of(FakeDiarizer(hold=hold), diarization_timeout_s=0.05)
    results = [await run(pipeline, tone, speakers=ASKED) for _ in range(3)]
    for result in results:
        [warning] = result.transcript.warnings
        assert warning.message.endswith("it took longer than 1 s.")
    hold.set()
    assert (await run(pipeline, tone, speakers=ASKED)).transcript.speakers
    await pipeline.aclose()


async def test_cancelling_stops_the_diarizer(tone: Path) -> None:
    hold, at_work = threading.Event(), asyncio.Event()
    diarizer = FakeDiarizer(("A", "B", "C"), hold=hold)
    pipeline = pipeline_of(diarizer)
    work = asyncio.create_task(
        run(
            pipeline,
            tone,
            speakers=ASKED,
            progress=lambda step: step.stage == "diarizing" and at_work.set(),
        )
    )
    await at_work.wait()
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    hold.set()
    await pipeline.aclose()


async def test_speakers_of_a_finalize(tone: Path) -> None:
    pipeline = pipeline_of(FakeDiarizer())
    result = await pipeline.finalize("Said before.", tone, PLAIN, speakers=ASKED)
    assert [segment.speaker for segment in result.transcript.segments] == [None, "A", "B"]
    assert [each.id for each in result.transcript.speakers] == ["A", "B"]
    await pipeline.aclose()


async def test_one_channel_alone_is_diarized(tone: Path) -> None:
    pipeline = pipeline_of(FakeDiarizer())
    apart = AudioOptions(channels="separate")
    result = await run(pipeline, tone, audio=apart, speakers=ASKED)
    assert [each.id for each in result.transcript.speakers] == ["A", "B"]
    await pipeline.aclose()


@pytest.fixture
def stereo(tmp_path: Path) -> Path:
    """A second of two tones, one in each channel."""
    t = np.arange(16_000) / 16_000
    both = np.stack([np.sin(2 * np.pi * hz * t) * 8000 for hz in (440, 660)], axis=1)
    with wave.open(str(tmp_path / "stereo.wav"), "wb") as file:
        file.setparams((2, 2, 16_000, 0, "NONE", ""))
        file.writeframes(both.astype("<i2").tobytes())
    return tmp_path / "stereo.wav"


async def test_speakers_of_separate_channels_have_voices(stereo: Path) -> None:
    pipeline = pipeline_of(FakeDiarizer())
    apart = AudioOptions(channels="separate")
    result = await run(pipeline, stereo, audio=apart, speakers=ASKED)
    assert [(each.channel, each.voice) for each in result.transcript.speakers] == [
        (0, voice_of("A")),
        (1, voice_of("A")),
    ]
    unasked = await run(pipeline, stereo, audio=apart)
    assert [each.voice for each in unasked.transcript.speakers] == [None, None]
    await pipeline.aclose()


async def test_voices_of_channels_that_fail_are_a_warning(stereo: Path) -> None:
    pipeline = pipeline_of(FakeDiarizer(error=EngineError("no memory")))
    apart = AudioOptions(channels="separate")
    result = await run(pipeline, stereo, audio=apart, speakers=ASKED)
    assert [each.channel for each in result.transcript.speakers] == [0, 1]
    assert [each.code for each in result.transcript.warnings] == ["diarization_failed"]
    await pipeline.aclose()
