"""Models by name: loaded when asked for, kept while in use, unloaded when idle or in the way."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from echostream.domain import SAMPLE_RATE_HZ, TranscribeOptions
from echostream.engine import Capabilities, LocalEngine, Model, Registry, Turns, load_registry
from echostream.engine.base import ENGLISH
from echostream.engine.live import LiveEngine
from echostream.errors import EngineError, InvalidRequest, ModelUnavailable, ServerBusy
from echostream.settings import Settings
from fakes import FakeTranscriber, no_diarizer

SECOND = np.zeros(SAMPLE_RATE_HZ, np.int16)
GB = 10**9
SMALL, LARGE = TranscribeOptions(model="small"), TranscribeOptions(model="large")
DEFAULT = TranscribeOptions()


@dataclass
class ClosableTranscriber(FakeTranscriber):
    """One that says that it was unloaded."""

    closed: threading.Event = field(default_factory=threading.Event)

    def close(self) -> None:
        self.closed.set()


@dataclass
class Machine:
    """Three models, a clock and a memory that a test sets. A model takes as much memory as it has
    bytes; `loads` are the names of those that were loaded."""

    now_s: float = 1000.0
    memory: int = 100 * GB
    idle_s: float = 600.0
    sizes: dict[str, int] = field(default_factory=dict)
    loads: list[str] = field(default_factory=list)
    faults: list[Exception] = field(default_factory=list)
    hold: threading.Event | None = None
    made: dict[str, ClosableTranscriber] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.registry = Registry(
            self.model("base"),
            [self.model("small"), self.model("large")],
            idle_s=self.idle_s,
            free_bytes=self.free_bytes,
            clock=lambda: self.now_s,
        )

    def model(self, name: str) -> Model:
        return Model(name, lambda: self.load(name), lambda: self.sizes.get(name, 0))

    def load(self, name: str) -> ClosableTranscriber:
        self.loads.append(name)
        if self.hold:
            self.hold.wait(20)
        if self.faults:
            raise self.faults.pop(0)
        self.made[name] = ClosableTranscriber(model=name)
        return self.made[name]

    def free_bytes(self) -> int:
        taken = sum(self.sizes.get(name, 0) for name in self.loaded)
        return self.memory - taken

    @property
    def loaded(self) -> list[str]:
        return [each.name for each in self.registry.states if each.is_loaded]

    def ask(self, options: TranscribeOptions) -> str:
        with self.registry.use(options) as transcriber:
            return transcriber.model


def test_each_name_is_loaded_once_when_it_is_first_asked_for() -> None:
    machine = Machine()
    assert machine.loaded == []
    assert [machine.ask(each) for each in (SMALL, DEFAULT, SMALL)] == ["small", "base", "small"]
    assert machine.loads == ["small", "base"]
    assert machine.ask(TranscribeOptions(model="base")) == "base"
    assert machine.loaded == ["base", "small"]


def test_a_name_that_is_not_offered_is_refused_with_those_that_are() -> None:
    machine = Machine()
    with pytest.raises(InvalidRequest, match="'huge' may not be asked for here, but base, small, "):
        machine.ask(TranscribeOptions(model="huge"))
    with pytest.raises(InvalidRequest):  # what a model that is not loaded says of itself
        machine.ask(TranscribeOptions(model="none"))
    assert machine.loads == []


def test_those_who_wait_share_one_load() -> None:
    machine = Machine(hold=threading.Event())
    assert machine.hold
    with ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(machine.ask, SMALL) for _ in range(4)]
        first = machine.registry.start_loading("small")
        assert machine.registry.start_loading("small") is first
        machine.hold.set()
        assert [each.result(20) for each in asked] == ["small"] * 4
    assert machine.loads == ["small"]


def test_two_models_are_loaded_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=20)

    def load(name: str) -> FakeTranscriber:
        both.wait()
        return FakeTranscriber(model=name)

    models = [
        Model(name, lambda name=name: load(name), lambda: 0)  # type: ignore[misc]
        for name in ("base", "small")
    ]
    registry = Registry(models[0], models[1:])
    loads = [registry.start_loading(name) for name in ("base", "small")]
    assert [each.result(20).model for each in loads] == ["base", "small"]


async def test_who_waits_and_leaves_does_not_stop_the_load_for_others() -> None:
    machine = Machine(hold=threading.Event())
    assert machine.hold
    stays = asyncio.wrap_future(machine.registry.start_loading("small"))
    leaves = asyncio.wrap_future(machine.registry.start_loading("small"))
    leaves.cancel()
    machine.hold.set()
    assert (await stays).model == "small"
    assert machine.loaded == ["small"]


@pytest.mark.parametrize(
    ("fault", "error"), [(ModelUnavailable("no network"), ModelUnavailable), (OSError, EngineError)]
)
def test_a_load_that_failed_is_tried_again(fault: Exception, error: type[Exception]) -> None:
    machine = Machine(faults=[fault])
    with pytest.raises(error):
        machine.ask(SMALL)
    assert machine.registry.error is None, "that is about the default"
    assert machine.ask(SMALL) == "small"
    assert machine.loads == ["small", "small"]


def test_it_is_known_why_the_default_could_not_be_loaded() -> None:
    machine = Machine(faults=[ModelUnavailable("no network")])
    with pytest.raises(ModelUnavailable):
        machine.ask(DEFAULT)
    assert str(machine.registry.error) == "no network"
    machine.ask(DEFAULT)
    assert machine.registry.error is None


def test_what_is_idle_is_unloaded_but_for_the_default() -> None:
    machine = Machine(idle_s=600)
    machine.ask(DEFAULT)
    machine.ask(SMALL)
    machine.now_s += 300
    machine.ask(LARGE)
    machine.now_s += 599
    machine.registry.unload_idle()
    assert machine.loaded == ["base", "large"]
    assert machine.made["small"].closed.is_set()
    assert machine.ask(SMALL) == "small"
    machine.now_s += 10_000
    machine.registry.unload_idle()
    assert machine.loaded == ["base"]
    assert machine.loads == ["base", "small", "large", "small"]


def test_what_is_in_use_is_not_unloaded() -> None:
    machine = Machine(memory=4 * GB, sizes={"small": 2 * GB, "large": 3 * GB})
    with machine.registry.use(SMALL), machine.registry.use(SMALL):
        machine.now_s += 10_000
        machine.registry.unload_idle()
        with pytest.raises(ServerBusy, match="no room for the model 'large'") as busy:
            machine.ask(LARGE)
        assert busy.value.retry_after_s
    assert machine.loaded == ["small"]
    assert not machine.made["small"].closed.is_set()
    machine.registry.unload_idle()
    assert machine.loaded == ["small"], "it is idle from the end of its use"


def test_the_least_lately_used_makes_room() -> None:
    models = ("base", "a", "b", "c")
    sizes = {"a": 2 * GB, "b": 2 * GB, "c": 2 * GB}
    machine = Machine(memory=7 * GB, sizes=sizes)
    machine.registry = Registry(
        machine.model("base"),
        [machine.model(name) for name in models[1:]],
        free_bytes=machine.free_bytes,
        clock=lambda: machine.now_s,
    )
    for name in ("a", "b", "a"):
        machine.ask(TranscribeOptions(model=name))
        machine.now_s += 60
    machine.ask(DEFAULT)
    machine.memory = 5 * GB
    machine.ask(TranscribeOptions(model="c"))
    assert machine.loaded == ["base", "a", "c"]
    assert machine.made["b"].closed.is_set()


def test_a_model_just_used_is_not_unloaded_for_another() -> None:
    machine = Machine(memory=4 * GB, sizes={"small": 2 * GB, "large": 3 * GB})
    machine.ask(SMALL)
    with pytest.raises(ServerBusy) as busy:
        machine.ask(LARGE)
    assert busy.value.retry_after_s
    machine.now_s += busy.value.retry_after_s
    assert machine.ask(LARGE) == "large"
    assert machine.loaded == ["large"]


def test_a_model_larger_than_the_machine_cannot_be_had() -> None:
    machine = Machine(memory=2 * GB, sizes={"large": 3 * GB})
    with pytest.raises(ModelUnavailable, match=r"'large' needs about 3\.8 GB.* 2\.0 GB are free"):
        machine.ask(LARGE)
    assert machine.loads == []
    machine.memory = 4 * GB
    assert machine.ask(LARGE) == "large"


def test_closing_waits_for_loads_and_frees_all() -> None:
    machine = Machine()
    machine.ask(SMALL)
    machine.hold = threading.Event()
    machine.registry.start_loading("base")
    threading.Timer(0.05, machine.hold.set).start()
    machine.registry.close()
    assert machine.made["base"].closed.is_set()
    assert machine.made["small"].closed.is_set()


@pytest.mark.parametrize(
    ("options", "live", "said"),
    [
        (TranscribeOptions(language="de"), False, "'de': the model 'tiny.en' knows English only"),
        (TranscribeOptions(task="translate"), False, "'tiny.en' cannot translate"),
        (DEFAULT, True, "'tiny.en' takes no live audio"),
    ],
)
def test_what_a_model_cannot_do_is_refused(
    options: TranscribeOptions, live: bool, said: str
) -> None:
    able = Capabilities(languages=ENGLISH, translation=False, streaming=False)
    fake = FakeTranscriber(model="tiny.en", capabilities=able)
    registry = Registry.only(lambda: fake)
    with pytest.raises(InvalidRequest, match=said), registry.use(options, live=live):
        pass
    assert not fake.calls
    with registry.use(TranscribeOptions(language="en")):
        pass


def test_a_language_of_another_model() -> None:
    able = Capabilities(languages=frozenset({"en", "de"}))
    able.check("base", TranscribeOptions(language="de", task="translate"), live=True)
    with pytest.raises(InvalidRequest, match="'yue': the model 'base' has not learned it"):
        able.check("base", TranscribeOptions(language="yue"))


def test_a_stand_in_does_not_go_by_the_name_of_what_it_stands_in_for() -> None:
    registry = Registry(Model("base", lambda: FakeTranscriber(model="en-us"), lambda: 0))
    with pytest.raises(ModelUnavailable, match="'base' cannot be had; 'en-us' stands in for it"):
        registry.use(TranscribeOptions(model="base")).__enter__()
    for name in (None, "en-us"):
        with registry.use(TranscribeOptions(model=name)) as transcriber:
            assert transcriber.model == "en-us"
    with pytest.raises(InvalidRequest, match=r"but en-us$"):
        registry.named("small")


def test_what_the_settings_offer() -> None:
    asked: list[tuple[str, str]] = []

    def load(settings: Settings) -> FakeTranscriber:
        asked.append((settings.whisper_model, settings.asr_engine))
        return FakeTranscriber(model=settings.whisper_model)

    settings = Settings(whisper_model="tiny", whisper_models=("base", "tiny", "/srv/my-model"))
    registry = load_registry(settings, load)
    assert [each.name for each in registry.states] == ["tiny", "base", "my-model"]
    registry.start_loading(None).result()
    assert asked == [("tiny", "auto")]
    with pytest.raises(ModelUnavailable, match="'my-model' holds no Whisper model"):
        registry.start_loading("my-model").result()
    with pytest.raises(ModelUnavailable, match="HF_HUB_OFFLINE"):
        registry.start_loading("base").result()


async def until_set(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, 20)


async def test_the_engine_unloads_what_is_idle() -> None:
    made: list[ClosableTranscriber] = []

    def load() -> ClosableTranscriber:
        made.append(ClosableTranscriber(model="small"))
        return made[-1]

    registry = Registry(
        Model("base", FakeTranscriber, lambda: 0), [Model("small", load, lambda: 0)], idle_s=0.1
    )
    engine = LocalEngine(Settings(model_idle_s=0.1), registry)
    await engine.start()
    async with engine.take() as place:
        state = await place.load(SMALL)
        assert (state.model, state.engine) == ("small", "fake")
    await until_set(made[0].closed)
    async with engine.take() as place:
        assert [one async for one in place.transcribe(SECOND, SMALL)]
    assert len(made) == 2
    await engine.aclose()


@pytest.fixture
def loading_slowly() -> tuple[Registry, threading.Event]:
    """`base` is there, `small` comes when the event is set."""
    hold = threading.Event()

    def load() -> FakeTranscriber:
        hold.wait(20)
        return FakeTranscriber(model="small")

    base = Model("base", FakeTranscriber, lambda: 0)
    return Registry(base, [Model("small", load, lambda: 0)]), hold


async def test_live_sessions_do_not_wait_for_the_model_of_another(
    loading_slowly: tuple[Registry, threading.Event],
) -> None:
    registry, hold = loading_slowly
    turns, voices = Turns(at_once=1), no_diarizer()
    small = LiveEngine(registry, turns, voices, model="small")
    base = LiveEngine(registry, turns, voices)
    waits = asyncio.create_task(small.read(SECOND, SMALL))
    async with asyncio.timeout(20):
        segments, _report = await base.read(SECOND, DEFAULT)
    assert segments
    assert not waits.done()
    assert not small.used.is_loaded
    hold.set()
    await waits
    assert (small.used.model, base.used.model) == ("small", "fake-1")
    turns.close()


async def test_a_live_session_is_refused_what_its_model_cannot_do() -> None:
    able = Capabilities(languages=ENGLISH)
    registry = Registry.only(lambda: FakeTranscriber(capabilities=able))
    engine = LocalEngine(Settings(), registry)
    await engine.load()
    with pytest.raises(InvalidRequest, match="English only"):
        await engine.live(TranscribeOptions(language="de"))
    with pytest.raises(InvalidRequest, match="may not be asked for"):
        await engine.live(replace(DEFAULT, model="small"))
    (await engine.live(DEFAULT)).close()
    await engine.aclose()


async def test_a_live_session_that_outlives_its_model_tells_which_it_was() -> None:
    machine = Machine(idle_s=60)
    turns = Turns(at_once=1)
    live = LiveEngine(machine.registry, turns, no_diarizer(), model="small")
    await live.read(SECOND, SMALL)
    machine.now_s += 61
    machine.registry.unload_idle()
    assert machine.loaded == []
    assert live.used.model == "small"
    turns.close()
