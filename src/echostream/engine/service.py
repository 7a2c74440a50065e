"""The protocol of a machine's speech engine, in this process or in another one.

Whoever wants something transcribed asks for a place first. There are few places, so that a busy
machine refuses at once what would have to wait for long.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from echostream.diarization.base import Diarization
from echostream.domain import Segment, SpeakerOptions, TranscribeOptions, Voice
from echostream.engine.base import Capabilities, Report, Samples
from echostream.engine.vad import Detected, Region, VadState
from echostream.errors import EchoStreamError, InvalidRequest, ModelUnavailable

NOT_LOADED = "none"
"""Name of the engine of a model that is not loaded."""


@dataclass(frozen=True, slots=True)
class ModelState:
    """A model that may be asked for by `name`. Until it is loaded its engine is `none`. `model` is
    what was loaded, which is another one where pocketsphinx stands in for Whisper."""

    name: str
    engine: str = NOT_LOADED
    model: str = NOT_LOADED
    capabilities: Capabilities | None = None

    @property
    def is_loaded(self) -> bool:
        return self.engine != NOT_LOADED

    @property
    def shown_name(self) -> str:
        """What clients are told that they may ask for."""
        return self.model if self.is_loaded else self.name

    def check(self, options: TranscribeOptions, *, live: bool = False) -> None:
        """Raise InvalidRequest if it cannot do what is asked, ModelUnavailable if another model
        stands in for the one asked for; neither is known before it is loaded."""
        if self.capabilities is None:
            return
        if options.model not in (None, self.model):
            raise ModelUnavailable(
                f"the model {options.model!r} cannot be had; {self.model!r} stands in for it"
            )
        self.capabilities.check(self.model, options, live=live)


def model_named(models: Sequence[ModelState], name: str | None) -> ModelState:
    """The one of `models` that a request means: the first, unless it names another. Raises
    InvalidRequest for a name that is not among them."""
    for each in models:
        if name in (None, each.name, each.shown_name):
            return each
    known = ", ".join(each.shown_name for each in models)
    raise InvalidRequest(f"model: {name!r} may not be asked for here, but {known}")


@dataclass(frozen=True, slots=True)
class EngineState:
    """What is known about an engine without asking it. `models` are those that may be asked for,
    the default first, and none while nothing is known; `error` says why the default could not be
    loaded."""

    models: tuple[ModelState, ...] = ()
    error: EchoStreamError | None = None
    waiting: int = 0
    is_full: bool = False

    @property
    def default(self) -> ModelState:
        return self.models[0] if self.models else ModelState(NOT_LOADED)

    def named(self, name: str | None) -> ModelState:
        """The model that a request means. Raises InvalidRequest if it may not be asked for, which
        cannot be told while nothing is known."""
        return model_named(self.models, name) if self.models else ModelState(name or NOT_LOADED)


@dataclass(frozen=True, slots=True)
class Heard:
    """New segments since the last time. If `starts_over` is true, the engine reads the recording
    from its start again, and earlier segments no longer count."""

    segments: tuple[Segment, ...]
    report: Report
    starts_over: bool = False


class Speakers(Protocol):
    """Access to the engine's diarizer. One thing is asked of it at a time."""

    async def load_diarizer(self) -> str:
        """Waits until it is loaded; returns the name of its models. Raises EngineError."""

    def diarize(
        self, samples: Samples, options: SpeakerOptions
    ) -> AsyncGenerator[float | Diarization, None]:
        """Yields now and then the share that is done, at last the result. Closing it stops the
        work.

        Raises EngineError, and InvalidRequest for known voices of another model.
        """


class Place(Speakers, Protocol):
    """The right to have recordings transcribed, one at a time."""

    async def load(self, options: TranscribeOptions) -> ModelState:
        """Waits until the model for `options` is loaded: seconds at first, or as long as a
        download. Raises InvalidRequest for what it cannot do, EngineError or ServerBusy if it
        cannot be loaded."""

    def transcribe(
        self,
        samples: Samples,
        options: TranscribeOptions,
        speech: Sequence[Region] | None = None,
    ) -> AsyncGenerator[Heard, None]:
        """Yields what is heard in `samples`, in order of time. Closing it stops the work. `speech`
        is explained at `Transcriber.transcribe`.

        Raises the same errors as `load`, and EngineError if the engine fails.
        """

    async def voice(self, samples: Samples) -> Voice | None:
        """How the one speaker of some audio sounds; None if there is too little speech. Raises
        EngineError."""


class LivePlace(Speakers, Protocol):
    """The right to one live session, whose model stays the same."""

    @property
    def used(self) -> ModelState:
        """The model that reads it."""

    async def read(
        self, samples: Samples, options: TranscribeOptions
    ) -> tuple[list[Segment], Report]:
        """The segments of up to 30 s of audio, and the report on them. Raises the same errors as
        `Place.transcribe`. `options` name the session's model."""

    async def detect(self, samples: Samples, state: VadState) -> Detected:
        """As `detect_speech`, one call at a time. It does not wait for a `read` under way."""

    def close(self) -> None:
        """Gives the place back."""


class Shelf(Protocol):
    """Stores bytes by key for all users of the engine; no method raises."""

    async def get(self, key: str) -> bytes | None: ...

    async def put(self, key: str, value: bytes) -> None: ...


class Engine(Protocol):
    """It may be created anywhere, and is started, used and closed in one event loop."""

    @property
    def state(self) -> EngineState: ...

    @property
    def socket(self) -> Path | None:
        """The socket where other processes of this machine reach it; None if they cannot."""

    async def start(self) -> None:
        """Makes it ready for use; does not wait for the model."""

    async def load(self) -> EngineState:
        """Waits until the default model is loaded, at first for seconds. Raises EngineError."""

    def warm_up(self) -> None:
        """Loads the default model in the background, unless it is already being loaded."""

    def check(self) -> None:
        """Raises ServerBusy if all places are taken and the queue for them is full."""

    async def voice(self, samples: Samples) -> Voice | None:
        """As `Place.voice`, without a place: for some seconds of live audio. Live text and other
        voices go first, so it may take long. Raises EngineError."""

    def take(self, *, patient: bool = False) -> AbstractAsyncContextManager[Place]:
        """Waits for a place, first come, first served. Raises ServerBusy unless `patient`."""

    def spare(self) -> AbstractAsyncContextManager[Place]:
        """Waits, however long, until there is nothing else to be done, for one short piece of work
        that can wait. If the engine ends meanwhile, the work is not tried again."""

    async def live(self, options: TranscribeOptions) -> LivePlace:
        """A place for a live session. Raises ServerBusy if there is none, InvalidRequest for what
        is known to be beyond the model that `options` ask for."""

    async def aclose(self) -> None: ...
