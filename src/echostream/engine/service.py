"""What the speech engine of a machine is to those who use it, in this process or in another.

Everybody who wants something transcribed asks for a place first. Places are few, so that a busy
machine refuses at once what it would only get to late.
"""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from echostream.domain import Segment, TranscribeOptions
from echostream.engine.base import Report, Samples
from echostream.engine.vad import Detected, VadState
from echostream.errors import EchoStreamError


@dataclass(frozen=True, slots=True)
class EngineState:
    """What is known of an engine without asking it. Both names are `none` until it is loaded;
    `error` is why it could not be."""

    engine: str = "none"
    model: str = "none"
    error: EchoStreamError | None = None
    waiting: int = 0
    is_full: bool = False

    @property
    def is_loaded(self) -> bool:
        return self.engine != "none"


@dataclass(frozen=True, slots=True)
class Heard:
    """What has come since the last time. `anew` says that the reading has begun again, so that
    what came before no longer counts."""

    segments: tuple[Segment, ...]
    report: Report
    anew: bool = False


class Place(Protocol):
    """The right to have recordings transcribed, one at a time."""

    async def load(self) -> EngineState:
        """The state once the engine is loaded: seconds at first. Raises EngineError."""

    def transcribe(
        self, samples: Samples, options: TranscribeOptions
    ) -> AsyncGenerator[Heard, None]:
        """What is heard in `samples`, in order of time. Leaving it stops the work.

        Raises InvalidRequest for options that the engine cannot serve, EngineError when it breaks.
        """


class LivePlace(Protocol):
    """The right to one live session."""

    @property
    def name(self) -> str:
        """Of the engine; `none` until it is loaded."""

    @property
    def model(self) -> str: ...

    async def read(
        self, samples: Samples, options: TranscribeOptions
    ) -> tuple[list[Segment], Report]:
        """The segments of up to 30 s, and what is to be said of them. Raises as
        `Place.transcribe` does."""

    async def detect(self, samples: Samples, state: VadState) -> Detected:
        """As `detect_speech`. Not while a `read` is under way."""

    def close(self) -> None:
        """Give the place back."""


class Shelf(Protocol):
    """Bytes by key, kept for all who use the engine; neither method raises."""

    async def get(self, key: str) -> bytes | None: ...

    async def put(self, key: str, value: bytes) -> None: ...


class Engine(Protocol):
    """Made anywhere; started, used and closed in one event loop."""

    @property
    def state(self) -> EngineState: ...

    @property
    def socket(self) -> Path | None:
        """Where other processes of this machine reach it; None if they cannot."""

    async def start(self) -> None:
        """Get ready to be used; does not wait for the model."""

    async def load(self) -> EngineState:
        """The state once the model is loaded: seconds at first. Raises EngineError."""

    def warm_up(self) -> None:
        """Load the model in the background, unless that is under way."""

    def check(self) -> None:
        """Raise ServerBusy if all places are taken and as many wait as may."""

    def take(self, *, patient: bool = False) -> AbstractAsyncContextManager[Place]:
        """Wait for a place, first come first served; ServerBusy as in `check`, unless `patient`."""

    async def live(self) -> LivePlace:
        """A place for a live session; ServerBusy if there is none."""

    async def aclose(self) -> None: ...
