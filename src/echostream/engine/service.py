"""The protocol of a machine's speech engine, in this process or in another one.

Whoever wants something transcribed asks for a place first. There are few places, so that a busy
machine refuses at once what would have to wait for long.
"""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from echostream.domain import Segment, TranscribeOptions
from echostream.engine.base import Report, Samples
from echostream.errors import EchoStreamError


@dataclass(frozen=True, slots=True)
class EngineState:
    """What is known about an engine without asking it. Both names are `none` until it is loaded;
    `error` says why it could not be loaded."""

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
    """New segments since the last time. If `starts_over` is true, the engine reads the recording
    from its start again, and earlier segments no longer count."""

    segments: tuple[Segment, ...]
    report: Report
    starts_over: bool = False


class Place(Protocol):
    """The right to have recordings transcribed, one at a time."""

    async def load(self) -> EngineState:
        """Waits until the engine is loaded, at first for seconds. Raises EngineError."""

    def transcribe(
        self, samples: Samples, options: TranscribeOptions
    ) -> AsyncGenerator[Heard, None]:
        """Yields what is heard in `samples`, in order of time. Closing it stops the work.

        Raises InvalidRequest if the engine does not support the options, EngineError if it fails.
        """


class LivePlace(Protocol):
    """The right to one live session."""

    @property
    def name(self) -> str:
        """The engine's name; `none` until it is loaded."""

    @property
    def model(self) -> str: ...

    async def read(
        self, samples: Samples, options: TranscribeOptions
    ) -> tuple[list[Segment], Report]:
        """The segments of up to 30 s of audio, and the report on them. Raises the same errors as
        `Place.transcribe`."""

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
        """Waits until the model is loaded, at first for seconds. Raises EngineError."""

    def warm_up(self) -> None:
        """Loads the model in the background, unless it is already being loaded."""

    def check(self) -> None:
        """Raises ServerBusy if all places are taken and the queue for them is full."""

    def take(self, *, patient: bool = False) -> AbstractAsyncContextManager[Place]:
        """Waits for a place, first come, first served. Raises ServerBusy unless `patient`."""

    async def live(self) -> LivePlace:
        """A place for a live session. Raises ServerBusy if there is none."""

    async def aclose(self) -> None: ...
