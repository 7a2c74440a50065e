"""The process that holds a language model and answers one call after the other."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import structlog

from echostream.errors import EchoStreamError
from echostream.lifeline import leave_within, on_parent_end
from echostream.links import Fault, Link, told_of_faults, unless_gone
from echostream.llm.base import InsightsError
from echostream.llm.local.llama import Llama, Tell
from echostream.llm.local.wire import Begun, Chat, Ended, Text

log = structlog.get_logger(__name__)

_STOP_S = 20.0
_END_S = 0.5
"""How long the process may take to end once nobody needs it any more."""
"""How long a model may take to notice that nobody wants its answer any more."""


class Loaded(Protocol):
    """A model in memory; see `Llama`."""

    def chat(self, asked: Chat, tell: Tell) -> Ended: ...

    def close(self) -> None: ...


Load = Callable[[], Loaded]


class ModelHost:
    """Answers at a Unix socket. The model is loaded when it is first used, and unloaded after
    `idle_s`. When a client disconnects, its call is stopped."""

    def __init__(self, load: Load, idle_s: float, stop_s: float = _STOP_S) -> None:
        self._stop_s = stop_s
        self._load = load
        self._idle_s = idle_s
        self._model: Loaded | None = None
        self._turn = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model")
        self._idling: asyncio.Task[None] | None = None

    async def serve(self, path: Path, until: asyncio.Event) -> None:
        """Answers at `path` until `until` is set."""
        clients: set[asyncio.Task[None]] = set()

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(self._client(Link(reader, writer)))
            clients.add(task)
            task.add_done_callback(clients.discard)

        server = await asyncio.start_unix_server(accept, path)
        await until.wait()
        server.close()
        tasks = [*clients, *([self._idling] if self._idling else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._thread.shutdown(wait=False)

    async def _client(self, link: Link) -> None:
        failed = InsightsError("the language model failed")
        async with told_of_faults(link, "llm_call_crashed", failed):
            asked: Chat = await link.receive()
            await unless_gone(link, self._in_turn(link, asked))

    async def _in_turn(self, link: Link, asked: Chat) -> None:
        async with self._turn:
            if self._idling is not None:
                self._idling.cancel()
            try:
                loop = asyncio.get_running_loop()
                model = await loop.run_in_executor(self._thread, self._loaded)
                await self._answer(link, model, asked)
            finally:
                self._idling = asyncio.create_task(self._unload_later())

    def _loaded(self) -> Loaded:
        """Runs in the model's thread. The model is kept even if its caller has left meanwhile: that
        saves the next load, and llama.cpp can hang if it is freed just after it was loaded."""
        if self._model is None:
            self._model = self._load()
            log.info("llm_loaded")
        return self._model

    async def _answer(self, link: Link, model: Loaded, asked: Chat) -> None:
        """Sends the answer piece by piece. Ends only when the model has stopped."""
        loop = asyncio.get_running_loop()
        said: asyncio.Queue[Text | Ended | Fault] = asyncio.Queue()
        stopped = threading.Event()

        def put(message: Text | Ended | Fault) -> None:
            loop.call_soon_threadsafe(said.put_nowait, message)

        def tell(text: str) -> bool:
            if text:
                put(Text(text))
            return stopped.is_set()

        def work() -> None:
            try:
                put(model.chat(asked, tell))
            except EchoStreamError as error:
                put(Fault(error))
            except Exception as error:
                log.error("llm_crashed", exc_info=error)
                put(Fault(InsightsError("the language model failed")))

        await link.send(Begun())
        working = loop.run_in_executor(self._thread, work)
        try:
            while True:
                message = await said.get()
                await link.send(message)
                if not isinstance(message, Text):
                    return
        finally:
            stopped.set()
            await self._stopped(working)

    async def _stopped(self, working: "asyncio.Future[None]") -> None:
        """Waits for the model. One that does not stop ends with its process, which is restarted."""
        await asyncio.wait([working], timeout=self._stop_s)
        if not working.done():
            log.error("llm_stuck", after_s=self._stop_s)
            os._exit(1)

    async def _unload_later(self) -> None:
        await asyncio.sleep(self._idle_s)
        async with self._turn:
            model, self._model = self._model, None
            if model is not None:
                await asyncio.get_running_loop().run_in_executor(self._thread, model.close)
                log.info("llm_unloaded")


def run(path: Path, load: Load, idle_s: float, stop_s: float = _STOP_S) -> None:
    """Serves at `path` until the parent process closes our stdin or ends. Ignores signals, as the
    engine's process does, and for the same reasons."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    structlog.contextvars.bind_contextvars(process="llm")
    path.unlink(missing_ok=True)  # left by a process that was killed
    host = ModelHost(load, idle_s, stop_s)
    with suppress(FileNotFoundError):  # the parent has ended and removed the folder
        asyncio.run(_run(host, path))
    os._exit(0)  # does not wait for a model that is being loaded or freed


async def _run(host: ModelHost, path: Path) -> None:
    loop = asyncio.get_running_loop()
    until = asyncio.Event()

    def end() -> None:
        leave_within(_END_S)
        loop.call_soon_threadsafe(until.set)

    on_parent_end(end)
    await host.serve(path, until)


def llama_at(path: Path, context_tokens: int, folder: Path) -> Load:
    """Loads a model from a file."""
    return lambda: Llama(path, context_tokens, folder)
