"""Messages between the process that holds the engine and those that use it.

A message is a length and a pickle. That is safe, and `multiprocessing` does the same with its
pipes: both ends are this program, run by the same user, and only this user can open the socket's
folder.

A connection stands for a place: it starts with `Take` or `Live`, followed by requests and answers
in turn, until it closes. So a client that is killed leaves nothing behind.
"""

import asyncio
import pickle
from dataclasses import dataclass
from struct import Struct
from typing import Any, TypeVar

from echostream.domain import Segment, SpeakerOptions, TranscribeOptions, Voice
from echostream.engine.base import Report, Samples
from echostream.engine.service import ModelState
from echostream.engine.vad import VadState
from echostream.errors import EchoStreamError

_LENGTH = Struct("<Q")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Watch:
    """Asks for the state now and whenever it changes."""


@dataclass(frozen=True, slots=True)
class Take:
    """Waits for a place; if `patient`, however many wait already."""

    patient: bool = False


@dataclass(frozen=True, slots=True)
class Live:
    """Asks for a place for a live session, with the options that it begins with."""

    options: TranscribeOptions


@dataclass(frozen=True, slots=True)
class Load:
    """Asks for the state when the default model is loaded."""


@dataclass(frozen=True, slots=True)
class Prepare:
    """Answered by the `ModelState` of the model for these options, once it is loaded."""

    options: TranscribeOptions


@dataclass(frozen=True, slots=True)
class Transcribe:
    """Answered by any number of `Heard`, then by `Done`."""

    samples: Samples
    options: TranscribeOptions


@dataclass(frozen=True, slots=True)
class PrepareDiarizer:
    """Answered by `DiarizerReady`."""


@dataclass(frozen=True, slots=True)
class DiarizerReady:
    model: str


@dataclass(frozen=True, slots=True)
class Diarize:
    """Answered by any number of shares, then by a `Diarization`."""

    samples: Samples
    options: SpeakerOptions


@dataclass(frozen=True, slots=True)
class Embed:
    """Answered by `Embedded`."""

    samples: Samples


@dataclass(frozen=True, slots=True)
class Embedded:
    voice: Voice | None


@dataclass(frozen=True, slots=True)
class Read:
    """Answered by `ReadOnce`."""

    samples: Samples
    options: TranscribeOptions


@dataclass(frozen=True, slots=True)
class ReadOnce:
    segments: list[Segment]
    report: Report
    used: ModelState


@dataclass(frozen=True, slots=True)
class Detect:
    """Answered by `Detected`."""

    samples: Samples
    state: VadState


@dataclass(frozen=True, slots=True)
class Get:
    """Asks for the value of a key in the cache. Answered by `Kept`."""

    key: str


@dataclass(frozen=True, slots=True)
class Put:
    """Answered by `Done`."""

    key: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Kept:
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Done:
    """The request is granted, or the answer is complete."""


@dataclass(frozen=True, slots=True)
class Fault:
    """An error, in place of any other answer."""

    error: EchoStreamError


class Link:
    """One end of a connection. It reads ahead, to notice at once when the other end has closed."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._received: asyncio.Queue[Any] = asyncio.Queue()
        self.gone = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    async def send(self, message: object) -> None:
        """Raises ConnectionError if the other end has closed."""
        data = pickle.dumps(message, protocol=5)
        self._writer.write(_LENGTH.pack(len(data)))
        self._writer.write(data)
        await self._writer.drain()

    async def receive(self) -> Any:
        """The next message. Raises ConnectionError if the other end has closed."""
        message = await self._received.get()
        if message is None:
            self._received.put_nowait(None)
            raise ConnectionResetError("the other end is gone")
        return message

    def close(self) -> None:
        self._reading.cancel()
        self._writer.close()

    async def _read(self) -> None:
        try:
            while True:
                head = await self._reader.readexactly(_LENGTH.size)
                data = await self._reader.readexactly(_LENGTH.unpack(head)[0])
                self._received.put_nowait(pickle.loads(data))  # noqa: S301 - see above
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.gone.set()
            self._received.put_nowait(None)
