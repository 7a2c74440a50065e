"""Live with OpenAI's tiny.en: the text has no gaps, repetitions or cuts, whatever a reading has."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from conftest import TINY_EN, sample_pcm, sample_turns, word_error_rate, write_wav
from echostream.building import local_pipeline
from echostream.domain import SAMPLE_RATE_HZ, SpeakerOptions, TranscribeOptions, Transcript
from echostream.engine import LiveEngine, Registry, Samples, Transcription, Turns, VadState
from echostream.engine.vad import FRAME_SAMPLES, detect_speech
from echostream.engine.whisper import WhisperTranscriber, load_whisper
from echostream.engine_run import EngineRun
from echostream.pipeline import ignore_progress
from echostream.settings import Settings
from echostream.streaming import Limits, LiveSessions
from echostream.streaming.final_pass import FinalPass
from echostream.streaming.forms import PCM
from echostream.streaming.kept import KeptAudio
from echostream.streaming.session import LiveSession
from engine.decoders import EarlyDecoder
from fakes import no_diarizer

_PIECE = int(1.5 * SAMPLE_RATE_HZ)


@pytest.fixture(scope="module")
def tiny_en() -> Iterator[WhisperTranscriber]:
    transcriber = load_whisper(TINY_EN, "tiny.en", Settings())
    yield transcriber
    transcriber.close()


async def heard(transcriber: object, turns: Turns, samples: Samples) -> Transcript:
    """What a session makes of audio that comes in pieces, each read before the next."""
    models = Registry.only(lambda: transcriber)  # type: ignore[arg-type,return-value]
    models.start_loading(None).result()
    session = LiveSession(
        LiveEngine(models, turns, no_diarizer()),
        None,
        options=TranscribeOptions(),
        max_audio_s=600,
        form=PCM,
    )
    for start in range(0, len(samples), _PIECE):
        await session.feed(samples[start : start + _PIECE].tobytes())
        await session.caught_up()
    session.finish()
    async with asyncio.timeout(120):
        return (await session.final).transcript


async def test_every_sentence_is_heard(tiny_en: WhisperTranscriber, turns: Turns) -> None:
    found = await heard(tiny_en, turns, up_to(4))
    for facts in sample_turns()[:4]:
        said = " ".join(
            word.text
            for word in found.words
            if facts["start_s"] - 0.3 <= word.start_s <= facts["end_s"] + 0.3
        )
        assert word_error_rate(facts["text"], said) <= 0.4, facts["text"]


async def test_readings_that_end_early_lose_nothing(
    tiny_en: WhisperTranscriber, turns: Turns
) -> None:
    early = WhisperTranscriber(
        EarlyDecoder(tiny_en._decoder.seat(live=False)), "early", batch_size=2
    )
    found = await heard(early, turns, up_to(3))
    expected = " ".join(facts["text"] for facts in sample_turns()[:3])
    assert word_error_rate(expected, found.text) <= 0.20


async def test_the_final_pass_is_the_text_of_the_file(tmp_path: Path) -> None:
    samples = up_to(4)
    settings = Settings(whisper_model=str(TINY_EN), insights_provider="none", cache_ttl_s=0)
    pipeline = local_pipeline(settings)
    sessions = LiveSessions(
        pipeline.engine,
        pipeline.analyse,
        pipeline.speakers,
        Limits(sessions=1, audio_s=600, resume_s=60, idle_s=60),
    )
    live = await sessions.start(
        None,
        None,
        TranscribeOptions(),
        speakers=SpeakerOptions(),
        insights=False,
        form=PCM,
        final_pass=True,
    )
    for start in range(0, len(samples), _PIECE):
        await live.session.feed(samples[start : start + _PIECE].tobytes())
    live.session.finish()
    async with asyncio.timeout(120):
        final = await live.session.final
    as_file = await pipeline.run(
        write_wav(tmp_path / "said.wav", samples),
        TranscribeOptions(),
        speakers=SpeakerOptions(),
        insights=False,
    )
    await sessions.aclose()
    await pipeline.aclose()
    assert final.transcript == as_file.transcript
    assert final.transcript.speakers
    assert final.live_text


async def test_read_ahead_it_still_is_the_text_of_the_file() -> None:
    """With Whisper, whose text depends on what it reads at once."""
    samples = sample_pcm()[: 45 * SAMPLE_RATE_HZ]
    settings = Settings(whisper_model=str(TINY_EN), insights_provider="none", cache_ttl_s=0)
    pipeline = local_pipeline(settings)
    kept = KeptAudio(600)
    final_pass = FinalPass(pipeline.engine, kept, TranscribeOptions())
    kept.append(samples)
    whole = samples[: len(samples) // FRAME_SAMPLES * FRAME_SAMPLES]
    final_pass.look(detect_speech(whole, VadState()).chances)
    rest: list[float] = []
    async with asyncio.timeout(120):
        while final_pass._stretches.finished:  # noqa: ASYNC110 - it is told to nobody
            await asyncio.sleep(0.05)
        async with pipeline.engine.take() as place:
            found = await final_pass.read_rest(place, lambda step: rest.append(step.share))
            as_file = EngineRun(
                place,
                await place.load(TranscribeOptions()),
                [samples],
                TranscribeOptions(),
                None,
                ignore_progress,
            )
            expected = await as_file.transcript()
    await final_pass.aclose()
    kept.close()
    await pipeline.aclose()
    assert rest[0] > 0.5
    assert found.text == expected.text
    assert [each.text for each in found.segments] == [each.text for each in expected.segments]
    for mine, other in zip(found.words, expected.words, strict=True):
        assert mine.start_s == pytest.approx(other.start_s, abs=0.05)


def up_to(turn: int) -> Samples:
    """The sample's first turns."""
    return sample_pcm()[: int((sample_turns()[turn - 1]["end_s"] + 0.4) * SAMPLE_RATE_HZ)]


async def test_a_prompt_has_nothing_that_is_still_in_the_audio(
    tiny_en: WhisperTranscriber, turns: Turns
) -> None:
    """Whisper leaves out what its prompt has. Somebody who speaks for long without a pause is read
    with the beginning of the sentence as prompt, once its audio is gone."""
    long_turns = [each for each in sample_turns() if each["end_s"] - each["start_s"] > 4][:4]
    breath = np.random.default_rng(0).normal(0, 4, SAMPLE_RATE_HZ // 10).astype(np.int16)
    pieces = [
        sample_pcm()[int(each["start_s"] * SAMPLE_RATE_HZ) : int(each["end_s"] * SAMPLE_RATE_HZ)]
        for each in long_turns
    ]
    samples = np.concatenate([part for piece in pieces for part in (piece, breath)])
    spy = Spy(tiny_en)
    found = await heard(spy, turns, samples)
    expected = " ".join(each["text"] for each in long_turns)
    assert word_error_rate(expected, found.text) <= 0.15
    for text, prompt in spy.calls:
        words = text.split()
        assert not prompt or words[:3] != prompt.split()[-len(words) :][:3]


class Spy:
    """Passes everything on and keeps what was read with which prompt."""

    engine = "whisper"
    model = "tiny.en"

    def __init__(self, transcriber: WhisperTranscriber) -> None:
        self._transcriber = transcriber
        self.capabilities = transcriber.capabilities
        self.calls: list[tuple[str, str]] = []

    def transcribe(
        self, samples: Samples, options: TranscribeOptions, *, live: bool = False, **_: object
    ) -> Transcription:
        found = self._transcriber.transcribe(samples, options)
        segments = list(found.segments)
        self.calls.append((" ".join(one.text for one in segments), options.prompt or ""))
        return Transcription((one for one in segments), found.report)
