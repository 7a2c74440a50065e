"""The one path from source to result: order, progress, cancel, slots, faults."""

import asyncio
import http.server
import threading
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import asynccontextmanager
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from conftest import (
    SAMPLE,
    TINY_EN,
    TINY_WHISPER,
    sample_pcm,
    sample_text,
    word_error_rate,
    write_wav,
)
from echostream.building import local_pipeline
from echostream.cache import MemoryCache
from echostream.domain import (
    SAMPLE_RATE_HZ,
    InsightsOptions,
    Segment,
    Step,
    Template,
    TranscribeOptions,
    Transcript,
)
from echostream.engine import LocalEngine, Registry, Report
from echostream.engine.local import Slots
from echostream.engine_run import EngineRun
from echostream.errors import (
    EngineError,
    InvalidAudio,
    InvalidRequest,
    ModelUnavailable,
    ServerBusy,
    UrlNotAllowed,
)
from echostream.pipeline import Pipeline
from echostream.settings import Settings
from echostream.sources import Url
from echostream.templates import BUILT_IN
from fakes import FakeInsights, FakeTranscriber, fake_pipeline
from processes import children

OPTIONS = TranscribeOptions()


@asynccontextmanager
async def pipeline_of(
    transcriber: FakeTranscriber | None = None, settings: Settings | None = None
) -> AsyncIterator[Pipeline]:
    pipeline = fake_pipeline(transcriber)(settings or Settings())
    yield pipeline
    await pipeline.aclose()


async def until(condition: Callable[[], object]) -> None:
    """For state that has no event of its own; gives the loop its turn between looks."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0)


async def in_thread(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, 10)


async def test_a_file_becomes_transcript_and_insights(tone):
    async with pipeline_of() as pipeline:
        result = await pipeline.run(tone, OPTIONS)
    assert result.transcript.text == "we will ship on friday sarah will call the client"
    assert result.transcript.duration_s == pytest.approx(1.0)
    assert (result.transcript.engine, result.transcript.model) == ("fake", "fake-1")
    assert result.insights is not None
    assert result.insights.summary == result.transcript.text
    assert result.transcribe_s > 0


async def test_the_sample_through_the_real_parts():
    """With no key and no network."""
    pipeline = local_pipeline(Settings(asr_engine="whisper", whisper_model=str(TINY_EN)))
    result = await pipeline.run(SAMPLE, OPTIONS)
    await pipeline.aclose()
    assert word_error_rate(sample_text(), result.transcript.text) <= 0.10
    assert result.insights is not None
    assert result.insights.details.meta.provider == "extractive"
    assert not children()


async def test_a_recording_is_read_with_the_model_asked_for(tmp_path):
    """By two real models; what one has read is not taken for what the other would."""
    piece = write_wav(tmp_path / "piece.wav", sample_pcm()[: 4 * SAMPLE_RATE_HZ])
    settings = Settings(whisper_model=str(TINY_WHISPER), whisper_models=(str(TINY_EN),))
    pipeline = local_pipeline(settings)
    results = {}
    for name in (None, TINY_EN.name, TINY_WHISPER.name, TINY_EN.name):
        results.setdefault(name, []).append(
            await pipeline.run(piece, TranscribeOptions(model=name), insights=False)
        )
    await pipeline.aclose()
    [default], [by_its_name] = results[None], results[TINY_WHISPER.name]
    other, again = results[TINY_EN.name]
    assert (default.transcript.model, default.cached) == (TINY_WHISPER.name, False)
    assert (other.transcript.model, other.cached) == (TINY_EN.name, False)
    assert by_its_name.cached
    assert again.cached
    assert by_its_name.transcript == default.transcript
    assert again.transcript == other.transcript
    assert other.transcript.text.startswith("Thank you for joining")


async def test_a_model_that_is_not_offered_is_refused_before_any_work(tone):
    fake = FakeTranscriber()
    async with pipeline_of(fake) as pipeline:
        with pytest.raises(InvalidRequest, match="'huge' may not be asked for"):
            await pipeline.run(Url("https://example.com/a.mp3"), TranscribeOptions(model="huge"))
        await pipeline.engine.load()
        result = await pipeline.run(tone, TranscribeOptions(model="fake-1"))
    assert result.transcript.model == "fake-1"


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("/nowhere/mine",), "the folder 'mine' holds no Whisper model"),
        (("org/small", "/srv/x/base"), "two models have the name 'base'"),
    ],
)
def test_models_that_cannot_be_offered_are_told_at_the_start(names, said):
    with pytest.raises(InvalidRequest, match=f"WHISPER_MODELS: {said}"):
        local_pipeline(Settings(whisper_models=names))


async def test_progress_goes_through_the_stages_and_never_back(tone):
    seen: list[tuple[str, float]] = []
    async with pipeline_of() as pipeline:
        await pipeline.run(
            tone, OPTIONS, progress=lambda step: seen.append((step.stage, step.share))
        )
    stages = [stage for stage, _share in seen]
    assert list(dict.fromkeys(stages)) == ["decoding", "transcribing", "analysing", "done"]
    shares = [share for stage, share in seen if stage == "transcribing"]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)


async def test_the_text_so_far_begins_with_the_one_that_was_given(tone):
    steps: list[Step] = []
    async with pipeline_of() as pipeline:
        result = await pipeline.finalize("We met.", tone, OPTIONS, progress=steps.append)
    texts = [step.text for step in steps if step.stage == "transcribing"]
    assert texts[0] == "We met."
    assert texts[-1] == result.transcript.text
    assert texts[-1].startswith("We met. we will ship")
    assert [step.stage for step in steps][-2:] == ["analysing", "done"]


class BatchTranscriber(FakeTranscriber):
    """Gives nothing before `hold` is set, and then all at once."""

    def _segments(self, count: int, report: Report) -> Generator[Segment]:
        report.begin(count / SAMPLE_RATE_HZ)
        assert self.hold is not None
        self.hold.wait(30)
        report.end()
        yield Segment(0, 0.0, count / SAMPLE_RATE_HZ, self.texts[0])


async def test_progress_grows_within_a_batch_and_does_not_reach_its_end(tone):
    engine = BatchTranscriber(hold=threading.Event())
    within: list[Step] = []
    after: list[Step] = []

    def note(step: Step) -> None:
        if step.stage == "transcribing":
            (after if engine.hold.is_set() else within).append(step)
        if len(within) == 4:  # the first of them told that it begins
            engine.hold.set()

    async with pipeline_of(engine) as pipeline:
        await pipeline.run(tone, OPTIONS, insights=False, progress=note)
    shares = [step.share for step in within]
    assert shares == sorted(set(shares))
    assert shares[0] == 0.0
    assert shares[-1] < 1.0
    assert {step.text for step in within} == {""}
    assert (after[-1].share, after[-1].text) == (1.0, engine.texts[0])


async def test_channels_are_told_as_one_work_that_never_goes_back(tone):
    """Whenever it is asked."""
    told: list[Step] = []
    samples = np.zeros(SAMPLE_RATE_HZ, np.int16)
    engine = LocalEngine(Settings(), Registry.only(FakeTranscriber))
    async with engine.take() as place:
        state = await place.load(OPTIONS)
        run = EngineRun(place, state, [samples] * 3, OPTIONS, None, told.append)

        async def look() -> None:
            while True:
                run.tell()
                await asyncio.sleep(0)

        looking = asyncio.create_task(look())
        await run.transcript()
        looking.cancel()
    await engine.aclose()
    run.tell()
    shares = [step.share for step in told]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert all(len(step.text) <= len(told[-1].text) for step in told)


async def test_segments_are_told_as_they_come(tone):
    transcriber = FakeTranscriber(hold=threading.Event())
    first = asyncio.Event()
    async with pipeline_of(transcriber) as pipeline:
        task = asyncio.create_task(
            pipeline.run(tone, OPTIONS, on_segment=lambda _segment: first.set())
        )
        await asyncio.wait_for(first.wait(), 10)
        assert not task.done()
        transcriber.hold.set()
        await task


async def test_without_insights(tone):
    async with pipeline_of() as pipeline:
        assert (await pipeline.run(tone, OPTIONS, insights=False)).insights is None


async def test_cancelling_stops_the_engine_before_its_slot_is_given_on(tone):
    transcriber = FakeTranscriber(texts=("one", "two", "three"), hold=threading.Event())
    async with pipeline_of(transcriber, Settings(worker_concurrency=1)) as pipeline:
        task = asyncio.create_task(pipeline.run(tone, OPTIONS))
        await in_thread(transcriber.started)
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()  # still holds its slot while the engine is in a segment
        transcriber.hold.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert transcriber.stopped.is_set()
        transcriber.hold = None
        assert (await pipeline.run(tone, OPTIONS)).transcript.text == "one two three"


async def test_cancelling_in_the_queue_frees_the_place(tone):
    transcriber = FakeTranscriber(hold=threading.Event())
    settings = Settings(worker_concurrency=1, max_waiting=1)
    async with pipeline_of(transcriber, settings) as pipeline:
        running = asyncio.create_task(pipeline.run(tone, OPTIONS))
        await in_thread(transcriber.started)
        waiting = asyncio.create_task(pipeline.run(tone, OPTIONS))
        await until(lambda: pipeline.engine.state.waiting)
        with pytest.raises(ServerBusy) as refused:
            await pipeline.run(tone, OPTIONS)
        assert refused.value.retry_after_s
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert pipeline.engine.state.waiting == 0
        transcriber.hold.set()
        await running
        assert (await pipeline.run(tone, OPTIONS)).transcript.segments


async def test_slots_serve_in_order_of_arrival():
    slots = Slots(running=1, waiting=3, wait_s=60)
    order: list[int] = []

    async def work(number: int) -> None:
        async with slots.take():
            order.append(number)
            await asyncio.sleep(0)

    await asyncio.gather(*(work(number) for number in range(4)))
    assert order == [0, 1, 2, 3]
    assert slots.waiting == 0


async def test_a_request_does_not_wait_for_ever():
    slots = Slots(running=1, waiting=3, wait_s=0.05)
    async with slots.take():
        with pytest.raises(ServerBusy) as refused:
            async with slots.take():
                pass
        assert refused.value.retry_after_s == 30
        assert slots.waiting == 0
    async with slots.take():
        pass


@pytest.mark.parametrize("error", [EngineError("broken"), ValueError("a bug")])
async def test_an_engine_s_fault_frees_the_slot(tone, error):
    transcriber = FakeTranscriber(error=error)
    async with pipeline_of(transcriber, Settings(worker_concurrency=1)) as pipeline:
        with pytest.raises(type(error)):
            await pipeline.run(tone, OPTIONS)
        transcriber.error = None
        assert (await pipeline.run(tone, OPTIONS)).transcript.segments


async def test_what_cannot_be_decoded_never_reaches_the_engine(tmp_path: Path):
    junk = tmp_path / "junk.wav"
    junk.write_text("not audio")
    transcriber = FakeTranscriber()
    async with pipeline_of(transcriber) as pipeline:
        with pytest.raises(InvalidAudio):
            await pipeline.run(junk, OPTIONS)
    assert transcriber.calls == []


async def test_a_url(tone):
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(tone.parent))
    handler.log_message = lambda *_: None  # type: ignore[attr-defined]
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = Url(f"http://127.0.0.1:{server.server_port}/tone.wav")
        async with pipeline_of(settings=Settings(allow_private_urls=True)) as pipeline:
            result = await pipeline.run(url, OPTIONS)
        async with pipeline_of() as pipeline:
            with pytest.raises(UrlNotAllowed):
                await pipeline.run(url, OPTIONS)
        server.shutdown()
        thread.join()
    assert result.transcript.duration_s == pytest.approx(1.0)


async def test_warming_up_loads_once_and_keeps_the_reason_of_a_failure():
    attempts: list[int] = []
    done = asyncio.Event()
    loop = asyncio.get_running_loop()

    def load() -> FakeTranscriber:
        attempts.append(1)
        loop.call_soon_threadsafe(done.set)
        if len(attempts) == 1:
            raise ModelUnavailable("no model yet")
        return FakeTranscriber()

    pipeline = Pipeline(Settings(), LocalEngine(Settings(), Registry.only(load)), FakeInsights())
    pipeline.engine.warm_up()
    pipeline.engine.warm_up()
    await done.wait()
    await until(lambda: pipeline.engine.state.error)
    assert isinstance(pipeline.engine.state.error, ModelUnavailable)
    await pipeline.engine.load()
    await pipeline.engine.load()
    assert len(attempts) == 2
    assert pipeline.engine.state.error is None
    await pipeline.aclose()


async def test_closing_closes_the_provider():
    insights = FakeInsights()
    await fake_pipeline(insights=insights)(Settings()).aclose()
    assert insights.closed


async def test_insights_are_cached_by_template_and_language():
    insights, transcriber = FakeInsights(), FakeTranscriber()
    settings = Settings(insights_template="podcast")
    models = Registry.only(lambda: transcriber, transcriber.model)
    pipeline = Pipeline(settings, LocalEngine(settings, models), insights, MemoryCache(60))
    transcript = Transcript((Segment(0, 0.0, 1.0, "hello"),), "en", 1.0, "fake", "fake-1")
    mine = Template("podcast", "Mine")
    for options in (
        InsightsOptions(),
        InsightsOptions(BUILT_IN["podcast"]),  # the default
        InsightsOptions(mine),
        InsightsOptions(mine, "de"),
        InsightsOptions(mine, "de"),
    ):
        found = await pipeline.analyse(transcript, options)
        assert found.details.meta.template == "podcast"
    await pipeline.aclose()
    assert insights.calls == [
        InsightsOptions(BUILT_IN["podcast"]),
        InsightsOptions(mine),
        InsightsOptions(mine, "de"),
    ]


async def test_due_dates_are_counted_from_each_request_s_day_and_not_cached():
    insights, transcriber = FakeInsights(due="Friday"), FakeTranscriber()
    models = Registry.only(lambda: transcriber, transcriber.model)
    pipeline = Pipeline(Settings(), LocalEngine(Settings(), models), insights, MemoryCache(60))
    transcript = Transcript((Segment(0, 0.0, 1.0, "hello"),), "en", 1.0, "fake", "fake-1")
    found = []
    for day in (date(2026, 11, 26), date(2026, 12, 1), None):
        insights_of = await pipeline.analyse(transcript, InsightsOptions(recorded_on=day))
        found += [item.due_date for item in insights_of.details.action_items]
    await pipeline.aclose()
    assert found == [date(2026, 11, 27), date(2026, 12, 4), None]
    assert len(insights.calls) == 1
