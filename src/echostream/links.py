"""Messages between processes of one machine, over Unix sockets.

A message is a length and a pickle. That is safe, and `multiprocessing` does the same with its
pipes: both ends are this program, run by the same user, and only this user can open the socket's
folder.

A connection stands for what is done for a client. It lasts until that closes it, so a client that
is killed leaves nothing behind.
"""

import asyncio
import pickle
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from struct import Struct
from typing import Any, TypeVar

import structlog

from echostream.errors import EchoStreamError

log = structlog.get_logger(__name__)

_LENGTH = Struct("<Q")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fault:
    """An error, in place of any other answer."""

    error: EchoStreamError


class Gone(Exception):
    """The client has closed its connection."""


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


def answered(answer: Any) -> Any:
    """Returns the answer, or raises it if it is a fault."""
    if isinstance(answer, Fault):
        raise answer.error
    return answer


@asynccontextmanager
async def told_of_faults(
    link: Link, event: str, unforeseen: EchoStreamError
) -> AsyncIterator[None]:
    """Sends the client what is raised inside, and closes the connection. What should not happen is
    logged as `event`, and the client gets `unforeseen`."""
    try:
        yield
    except EchoStreamError as error:
        with suppress(OSError):
            await link.send(Fault(error))
    except (ConnectionError, Gone):
        pass
    except Exception as error:
        log.error(event, exc_info=error)
        with suppress(OSError):
            await link.send(Fault(unforeseen))
    finally:
        link.close()


async def unless_gone(link: Link, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`. If the client disconnects, cancels the work and raises Gone."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(link.gone.wait())
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise Gone
        return task.result()
    finally:
        gone.cancel()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
