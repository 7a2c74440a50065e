"""The engine of another process: what its users get, what it survives, and how it ends."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnxruntime.capi.onnxruntime_pybind11_state import RuntimeException

from collector import collector
from conftest import sample_pcm
from echostream import traces
from echostream.building import build_pipeline
from echostream.cache import MemoryCache, NoCache
from echostream.domain import (
    SAMPLE_RATE_HZ,
    InsightsOptions,
    SpeakerOptions,
    TranscribeOptions,
    Transcript,
    joined,
)
from echostream.engine import LocalEngine, Model, Place, Registry, Speakers, Transcriber
from echostream.engine.client import RemoteEngine
from echostream.engine.host import EngineHost
from echostream.engine.host_cache import HostCache
from echostream.engine.process import OwnEngine
from echostream.engine.vad import FRAME_SAMPLES, Region, VadState, detect_speech
from echostream.errors import (
    EngineError,
    EngineRestarted,
    InvalidRequest,
    ModelUnavailable,
    ServerBusy,
)
from echostream.pipeline import Pipeline
from echostream.settings import Settings
from echostream.speakers import SpeakerFinder
from echostream.streaming.forms import PCM
from echostream.streaming.sessions import Limits, LiveSessions
from fakes import FakeDiarizer, FakeTranscriber, voice_of
from processes import children
from web.support import EndlessTranscriber

OPTIONS = TranscribeOptions()
ANYBODY = SpeakerOptions()
SPEECH = [Region(0, SAMPLE_RATE_HZ), Region(2 * SAMPLE_RATE_HZ, 3 * SAMPLE_RATE_HZ)]
SECONDS = np.zeros(6 * SAMPLE_RATE_HZ, np.int16)
SCRIPT = Path(__file__).parent / "scripted_engine.py"
COMMAND = (sys.executable, str(SCRIPT))


async def until(condition: Callable[[], object], what: str) -> None:
    """For the state of another process, which has no event here."""
    try:
        async with asyncio.timeout(20):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    except TimeoutError:
        pytest.fail(f"it never came to this: {what}")


@asynccontextmanager
async def hosted(
    load: Callable[[], Transcriber] | Registry,
    tmp_path: Path,
    diarizer: FakeDiarizer | None = None,
    **values: float,
) -> AsyncIterator[RemoteEngine]:
    """A client of a host in this process."""
    ended = asyncio.Event()
    models = load if isinstance(load, Registry) else Registry.only(load)
    voices = diarizer or FakeDiarizer()
    local = LocalEngine(Settings(**values), models, lambda _settings: voices)
    host = EngineHost(local, MemoryCache(60))
    serving = asyncio.create_task(host.serve(tmp_path / "engine", ended))
    engine = RemoteEngine(tmp_path / "engine")
    await engine.start()
    yield engine
    await engine.aclose()
    ended.set()
    await serving
    await local.aclose()


async def read(
    engine: RemoteEngine, options: TranscribeOptions = OPTIONS, *, patient: bool = False
) -> str:
    async with engine.take(patient=patient) as place:
        return await text_of(place, options)


async def read_later(engine: RemoteEngine, options: TranscribeOptions = OPTIONS) -> str:
    async with engine.spare() as place:
        return await text_of(place, options)


async def text_of(place: Place, options: TranscribeOptions) -> str:
    found = place.transcribe(SECONDS, options)
    return joined([one async for heard in found for one in heard.segments])


async def test_says_what_the_engine_says(tmp_path: Path) -> None:
    fake = FakeTranscriber()
    async with hosted(lambda: fake, tmp_path) as engine, engine.take() as place:
        state = await place.load(OPTIONS)
        heard = [one async for one in place.transcribe(SECONDS, OPTIONS)]
        again = [one async for one in place.transcribe(SECONDS, OPTIONS, SPEECH)]
    assert fake.speech == [None, SPEECH]
    assert (state.engine, state.model) == ("fake", "fake-1")
    segments = [segment for one in heard for segment in one.segments]
    assert joined(segments) == " ".join(fake.texts)
    assert [word.text for word in segments[0].words] == [fake.texts[0]]
    assert heard[-1].report.languages == ("en",)
    assert heard[-1].report.read_s() == 6.0
    assert [one.segments for one in again if one.segments] == [(one,) for one in segments]


async def test_is_loaded_without_being_asked(tmp_path: Path) -> None:
    async with hosted(FakeTranscriber, tmp_path) as engine:
        await until(lambda: engine.state.default.is_loaded, "it is loaded")


async def test_how_far_it_is_within_a_batch(tmp_path: Path) -> None:
    hold = threading.Event()
    reports = []
    async with (
        hosted(lambda: FakeTranscriber(hold=hold), tmp_path) as engine,
        engine.take() as place,
    ):
        async for heard in place.transcribe(SECONDS, OPTIONS):
            reports.append(heard.report)
            if len(reports) == 4:  # with nothing new to be said
                hold.set()
    assert len(reports) > 4


@pytest.mark.parametrize("error", [InvalidRequest("not that language"), ModelUnavailable("none")])
async def test_faults_are_those_of_the_engine(error: Exception, tmp_path: Path) -> None:
    fake = FakeTranscriber(error=error)
    async with hosted(lambda: fake, tmp_path) as engine:
        with pytest.raises(type(error), match=str(error)):
            await read(engine)
        fake.error = None
        assert await read(engine)


async def test_a_model_that_cannot_be_had(tmp_path: Path) -> None:
    def load() -> Transcriber:
        raise ModelUnavailable("no such model")

    async with hosted(load, tmp_path) as engine:
        with pytest.raises(ModelUnavailable):
            await engine.load()
        await until(lambda: engine.state.error, "the reason is told")
        assert str(engine.state.error) == "no such model"


@pytest.fixture
def two() -> Registry:
    return Registry(
        Model("base", lambda: FakeTranscriber(model="base"), lambda: 0),
        [Model("small", lambda: FakeTranscriber(("hello",), model="small"), lambda: 0)],
    )


async def test_two_models_by_name(two: Registry, tmp_path: Path) -> None:
    small = TranscribeOptions(model="small")
    async with hosted(two, tmp_path) as engine:
        await until(lambda: engine.state.default.is_loaded, "the default is loaded")
        assert [(each.name, each.is_loaded) for each in engine.state.models] == [
            ("base", True),
            ("small", False),
        ]
        async with engine.take() as place:
            assert (await place.load(small)).model == "small"
            assert (await place.load(OPTIONS)).model == "base"
        assert await read(engine, small) == "hello"
        assert await read(engine) == " ".join(FakeTranscriber.texts)
        await until(lambda: all(each.is_loaded for each in engine.state.models), "it is told")
        with pytest.raises(InvalidRequest, match="'huge' may not be asked for here, but base, sm"):
            await read(engine, TranscribeOptions(model="huge"))


async def test_a_live_session_with_a_model_by_name(two: Registry, tmp_path: Path) -> None:
    small = TranscribeOptions(model="small")
    async with hosted(two, tmp_path) as engine:
        live = await engine.live(small)
        segments, _report = await live.read(SECONDS, small)
        assert joined(segments) == "hello"
        assert (live.used.engine, live.used.model) == ("fake", "small")
        with pytest.raises(InvalidRequest):
            await engine.live(TranscribeOptions(model="huge"))
        live.close()


async def test_places_are_those_of_the_host(tmp_path: Path) -> None:
    hold = threading.Event()
    fake = FakeTranscriber(hold=hold)
    async with hosted(lambda: fake, tmp_path, worker_concurrency=1, max_waiting=1) as engine:
        other = RemoteEngine(tmp_path / "engine")
        await other.start()
        first = asyncio.create_task(read(engine))
        assert await asyncio.to_thread(fake.started.wait, 20)
        second = asyncio.create_task(read(other))
        await until(lambda: other.state.is_full and engine.state.waiting == 1, "it is full")
        with pytest.raises(ServerBusy):
            engine.check()
        with pytest.raises(ServerBusy) as refused:
            await read(engine)
        assert refused.value.retry_after_s
        patient = asyncio.create_task(read(engine, patient=True))
        await until(lambda: engine.state.waiting == 2, "who is patient waits, too")
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        await until(lambda: engine.state.waiting == 1, "who waited has gone")
        hold.set()
        assert await first
        assert await patient
        assert await read(other)
        await other.aclose()


async def test_who_leaves_stops_the_work_and_frees_the_place(tmp_path: Path) -> None:
    endless = EndlessTranscriber()
    async with hosted(lambda: endless, tmp_path, worker_concurrency=1, max_waiting=0) as engine:
        work = asyncio.create_task(read(engine))
        assert await asyncio.to_thread(endless.started.wait, 20)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        assert await asyncio.to_thread(endless.stopped.wait, 20)
        await until(lambda: not engine.state.is_full, "the place is free")


async def test_live_places_are_those_of_the_host(tmp_path: Path) -> None:
    async with hosted(FakeTranscriber, tmp_path, max_live_sessions=2) as engine:
        other = RemoteEngine(tmp_path / "engine")
        first, second = await engine.live(OPTIONS), await other.live(OPTIONS)
        with pytest.raises(ServerBusy):
            await engine.live(OPTIONS)
        segments, report = await first.read(SECONDS, OPTIONS)
        assert joined(segments) == " ".join(FakeTranscriber.texts)
        assert report.language == "en"
        second.close()
        third = None
        async with asyncio.timeout(20):
            while third is None:  # it takes a moment until the host sees that the second is gone
                with suppress(ServerBusy):
                    third = await engine.live(OPTIONS)
        first.close()
        third.close()


async def test_a_live_session_has_a_place_in_the_engine_that_follows(tmp_path: Path) -> None:
    """Also if a new one was quicker to ask."""
    client = RemoteEngine(tmp_path / "engine")
    async with hosted(FakeTranscriber, tmp_path, max_live_sessions=1):
        old = await client.live(OPTIONS)
    async with hosted(FakeTranscriber, tmp_path, max_live_sessions=1) as engine:
        new = await engine.live(OPTIONS)
        segments, _report = await old.read(SECONDS, OPTIONS)
        assert segments
        with pytest.raises(ServerBusy):
            await engine.live(OPTIONS)
        new.close()
        old.close()


async def test_speech_is_found_by_the_host(tmp_path: Path) -> None:
    samples = sample_pcm()[: 100 * FRAME_SAMPLES]
    async with hosted(FakeTranscriber, tmp_path) as engine:
        live = await engine.live(OPTIONS)
        detected = await live.detect(samples, VadState())
        live.close()
    assert detected.chances == detect_speech(samples, VadState()).chances
    assert max(detected.chances) > 0.9


async def test_speech_is_found_while_the_host_reads(tmp_path: Path) -> None:
    samples, hold = sample_pcm()[: 100 * FRAME_SAMPLES], threading.Event()
    fake = FakeTranscriber(hold=hold)
    async with hosted(lambda: fake, tmp_path) as engine:
        live = await engine.live(OPTIONS)
        reading = asyncio.create_task(live.read(SECONDS, OPTIONS))
        assert await asyncio.to_thread(fake.started.wait, 20)
        async with asyncio.timeout(20):
            detected = await live.detect(samples, VadState())
        assert max(detected.chances) > 0.9
        assert not reading.done()
        hold.set()
        assert (await reading)[0]
        live.close()


async def test_work_that_can_wait_is_done_when_there_is_no_other(tmp_path: Path) -> None:
    hold = threading.Event()
    fake = FakeTranscriber(hold=hold)
    async with hosted(lambda: fake, tmp_path) as engine:
        file = asyncio.create_task(read(engine))
        assert await asyncio.to_thread(fake.started.wait, 20)
        later = asyncio.create_task(read_later(engine))
        done, _ = await asyncio.wait({later}, timeout=0.3)
        assert not done
        assert len(fake.calls) == 1
        hold.set()
        assert await file == await later == " ".join(fake.texts)
        assert len(fake.calls) == 2


async def test_who_no_longer_waits_for_rest_keeps_nobody_waiting(tmp_path: Path) -> None:
    hold = threading.Event()
    fake = FakeTranscriber(hold=hold)
    async with hosted(lambda: fake, tmp_path) as engine:
        file = asyncio.create_task(read(engine))
        assert await asyncio.to_thread(fake.started.wait, 20)
        waiting = asyncio.create_task(engine.spare().__aenter__())
        await asyncio.wait({waiting}, timeout=0.1)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        hold.set()
        await file
        async with asyncio.timeout(20), engine.spare() as place:
            assert (await place.load(OPTIONS)).is_loaded


async def test_the_cache_is_one_for_all(tmp_path: Path) -> None:
    here, there = HostCache(tmp_path / "engine"), HostCache(tmp_path / "engine")
    await here.put("a", b"no host yet")
    assert await here.get("a") is None
    async with hosted(FakeTranscriber, tmp_path) as engine:
        await engine.load()
        await here.put("a", b"1")
        assert await there.get("a") == b"1"
        assert await there.get("b") is None


async def test_a_recording_is_known_to_all_processes(tmp_path: Path, tone: Path) -> None:
    fake = FakeTranscriber()
    async with hosted(lambda: fake, tmp_path):
        results = []
        for _ in range(2):
            pipeline = build_pipeline(Settings(), RemoteEngine(tmp_path / "engine"))
            results.append(await pipeline.run(tone, OPTIONS))
            await pipeline.aclose()
    assert [result.cached for result in results] == [False, True]
    assert results[0].transcript == results[1].transcript
    assert len(fake.calls) == 1


@pytest.fixture
async def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[OwnEngine]:
    """An engine in a process of its own."""
    monkeypatch.setenv("POISONED", str(tmp_path / "poisoned"))
    monkeypatch.setenv("SEGMENT_S", "0.02")
    engine = OwnEngine(COMMAND)
    await engine.start()
    yield engine
    await engine.aclose()
    assert not children()


async def test_a_recording_that_ends_the_engine_is_tried_once_more(own: OwnEngine) -> None:
    heard: list[str] = []
    async with own.take() as place:
        found = place.transcribe(SECONDS, TranscribeOptions(prompt="once"))
        async for one in found:
            heard = [] if one.starts_over else heard
            heard += [segment.text for segment in one.segments]
    assert heard == [f"word{number}" for number in range(6)]


async def test_a_recording_that_ends_it_twice_is_given_up(own: OwnEngine) -> None:
    with pytest.raises(EngineRestarted) as given_up:
        await read(own, TranscribeOptions(prompt="poison"))
    assert given_up.value.retry_after_s
    assert (await read(own)).startswith("word0")


async def test_work_that_can_wait_is_not_tried_again(own: OwnEngine) -> None:
    with pytest.raises(EngineRestarted):
        await read_later(own, TranscribeOptions(prompt="once"))
    assert await read_later(own)


async def test_a_live_session_asks_again(own: OwnEngine) -> None:
    live = await own.live(OPTIONS)
    segments, _report = await live.read(SECONDS, TranscribeOptions(prompt="once"))
    assert len(segments) == 6
    live.close()


async def test_speech_is_looked_for_on_in_the_engine_that_follows(own: OwnEngine) -> None:
    samples = sample_pcm()[: 100 * FRAME_SAMPLES]
    whole = detect_speech(samples, VadState()).chances
    live = await own.live(OPTIONS)
    half = len(samples) // 2
    first = await live.detect(samples[:half], VadState())
    [pid] = children()
    os.kill(pid, signal.SIGKILL)
    second = await live.detect(samples[half:], first.state)
    assert first.chances + second.chances == pytest.approx(whole, abs=1e-6)
    live.close()


async def diarized(speakers: Speakers, options: SpeakerOptions = ANYBODY) -> list[Any]:
    """Everything that is told of the speakers; the last is the result."""
    return [one async for one in speakers.diarize(SECONDS, options)]


async def test_speakers_are_told_by_the_host(tmp_path: Path) -> None:
    diarizer = FakeDiarizer()
    async with hosted(FakeTranscriber, tmp_path, diarizer=diarizer) as engine:
        live = await engine.live(OPTIONS)
        async with engine.take() as place:
            assert await place.load_diarizer() == "fake-voices"
            for each in (place, live):
                *shares, found = await diarized(each)
                assert shares == [0.0, 0.5, 1.0]
                assert [turn.speaker for turn in found.turns] == ["A", "B"]
                assert found.voices == {"A": voice_of("A"), "B": voice_of("B")}
            assert await place.voice(SECONDS + 1) == voice_of("A")
            assert await place.voice(SECONDS) is None
        live.close()


async def test_voices_of_live_audio_need_no_place(tmp_path: Path) -> None:
    diarizer = FakeDiarizer()
    async with (
        hosted(FakeTranscriber, tmp_path, diarizer, worker_concurrency=1) as engine,
        engine.take(),
    ):
        assert await engine.voice(SECONDS + 1) == voice_of("A")
        assert await engine.voice(SECONDS) is None
        diarizer.error = RuntimeError("a bug")
        with pytest.raises(EngineError, match="diarizer failed"):
            await engine.voice(SECONDS + 1)


async def test_live_text_goes_before_voices() -> None:
    diarizer = FakeDiarizer()
    local = LocalEngine(Settings(), Registry.only(FakeTranscriber), lambda _settings: diarizer)
    reading, go_on = threading.Event(), threading.Event()

    def read_slowly() -> None:
        reading.set()
        go_on.wait(10)

    text = asyncio.create_task(local.turns.live(read_slowly))
    await asyncio.to_thread(reading.wait, 10)
    voice = asyncio.create_task(local.voice(SECONDS + 1))
    done, _ = await asyncio.wait({voice}, timeout=0.2)
    assert not done
    go_on.set()
    await text
    assert await voice == voice_of("A")
    await local.aclose()


async def test_a_place_outlives_a_diarizer_that_fails(tmp_path: Path) -> None:
    diarizer = FakeDiarizer(error=InvalidRequest("a voice of another model"))
    async with hosted(FakeTranscriber, tmp_path, diarizer=diarizer) as engine:
        live = await engine.live(OPTIONS)
        async with engine.take() as place:
            for each in (place, live):
                with pytest.raises(InvalidRequest, match="another model"):
                    await diarized(each)
            diarizer.error = None
            for each in (place, live):
                assert (await diarized(each))[-1].turns
        live.close()


async def test_who_leaves_stops_the_diarizer(tmp_path: Path) -> None:
    hold = threading.Event()
    diarizer = FakeDiarizer(("A", "B", "C"), hold=hold)
    async with (
        hosted(FakeTranscriber, tmp_path, diarizer=diarizer) as engine,
        engine.take() as place,
    ):
        async with aclosing(place.diarize(SECONDS, SpeakerOptions())) as found:
            assert await anext(found) == 0.0
        place.close()
        hold.set()
        async with engine.take() as other:
            assert (await diarized(other))[-1].turns


async def test_an_idle_diarizer_is_freed_and_loaded_again(tmp_path: Path) -> None:
    diarizer = FakeDiarizer()
    async with (
        hosted(FakeTranscriber, tmp_path, diarizer=diarizer, model_idle_s=0.05) as engine,
        engine.take() as place,
    ):
        assert await diarized(place)
        assert await asyncio.to_thread(diarizer.closed.wait, 20)
        assert await diarized(place)


async def test_diarization_that_ends_the_engine_is_tried_once_more(own: OwnEngine) -> None:
    async with own.take() as place:
        found = await diarized(place, SpeakerOptions(count=7))
        assert [turn.speaker for turn in found[-1].turns] == ["A", "B"]


async def test_diarization_that_ends_it_twice_costs_no_transcript(
    own: OwnEngine, tone: Path
) -> None:
    pipeline = Pipeline(Settings(), own, None, MemoryCache(60))
    results = [
        await pipeline.run(tone, OPTIONS, speakers=SpeakerOptions(count)) for count in (13, 2)
    ]
    assert [result.transcript.text for result in results] == ["word0", "word0"]
    assert [result.transcript.is_diarization_failed for result in results] == [True, False]
    assert results[1].cached


async def test_a_diarizer_out_of_memory_costs_no_transcript(own: OwnEngine, tone: Path) -> None:
    pipeline = Pipeline(Settings(), own, None, MemoryCache(60))
    results = [
        await pipeline.run(tone, OPTIONS, speakers=SpeakerOptions(count)) for count in (11, 2)
    ]
    assert [result.transcript.text for result in results] == ["word0", "word0"]
    warnings = [[each.code for each in result.transcript.warnings] for result in results]
    assert warnings == [["diarization_failed"], []]


async def test_a_place_outlives_models_without_memory(tmp_path: Path) -> None:
    diarizer = FakeDiarizer(error=RuntimeException("bad allocation"))
    async with (
        hosted(FakeTranscriber, tmp_path, diarizer=diarizer) as engine,
        engine.take() as place,
    ):
        with pytest.raises(EngineError, match="the diarizer failed"):
            await diarized(place)
        diarizer.error = None
        assert (await diarized(place))[-1].turns


async def test_a_live_session_tells_speakers_after_the_engine_ended(own: OwnEngine) -> None:
    live = await own.live(OPTIONS)
    assert (await diarized(live, SpeakerOptions(count=7)))[-1].turns
    segments, _report = await live.read(SECONDS, OPTIONS)
    assert len(segments) == 6
    live.close()


async def test_signals_are_not_for_it(own: OwnEngine) -> None:
    await own.load()
    [pid] = children()
    work = asyncio.create_task(read(own))
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(pid, number)
    assert await work
    assert children() == [pid]


async def test_it_ends_with_those_who_started_it(tmp_path: Path) -> None:
    (folder := tmp_path / "private").mkdir()
    process = await asyncio.create_subprocess_exec(
        *COMMAND, str(folder / "engine"), stdin=asyncio.subprocess.PIPE
    )
    await until((folder / "engine").exists, "it is up")
    assert process.stdin is not None
    process.stdin.close()
    assert await asyncio.wait_for(process.wait(), 20) == 0
    assert not folder.exists()


async def _no_insights(_said: Transcript, _options: InsightsOptions) -> None:
    return None


async def test_what_the_engine_does_belongs_to_the_trace(tmp_path: Path) -> None:
    """Of a request or job, and of a live session, which has one of its own from its start to its
    final pass."""
    with collector() as found:
        traces.start(found.url, "a test")
        async with hosted(FakeTranscriber, tmp_path) as engine:
            with traces.span("a request"):
                await read(engine)
            await read(engine)  # nobody's
            finder = SpeakerFinder(NoCache(), timeout_s=60)
            live = LiveSessions(engine, _no_insights, finder, Limits(1, 60, 60, 60))
            session = (
                await live.start(None, None, OPTIONS, insights=False, form=PCM, final_pass=True)
            ).session
            await session.feed(sample_pcm()[: 2 * SAMPLE_RATE_HZ].tobytes())
            with traces.span("somebody's goodbye"):
                session.finish()
            await session.final
            await live.aclose()
        await traces.flush()
    by_id = {each.span_id: each for each in found.spans}
    told = [by_id[each.parent_id].name for each in found.named("engine transcribe")]
    assert told == ["a request", "final pass"]
    [last] = found.named("final pass")
    assert by_id[last.parent_id].name == "live session"
    assert not by_id[last.parent_id].parent_id
