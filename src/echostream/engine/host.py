"""The process that holds the machine's engine and serves all other processes."""

import asyncio
import os
import shutil
import signal
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, suppress
from pathlib import Path
from typing import Any, NoReturn

import structlog

from echostream import traces
from echostream.children import Service
from echostream.diarization.base import Diarizer
from echostream.domain import SAMPLE_RATE_HZ
from echostream.engine import Transcriber, load_registry, load_transcriber
from echostream.engine.local import LocalEngine
from echostream.engine.service import Heard, LivePlace, Place, Shelf, Speakers
from echostream.engine.speech_only import load_diarizer
from echostream.engine.wire import (
    Detect,
    Diarize,
    DiarizerReady,
    Done,
    Embed,
    Embedded,
    Get,
    Kept,
    Listen,
    Live,
    Load,
    Prepare,
    PrepareDiarizer,
    Put,
    Read,
    ReadOnce,
    Spare,
    Take,
    Transcribe,
    Watch,
)
from echostream.errors import EchoStreamError, EngineError
from echostream.lifeline import on_parent_end
from echostream.links import Fault, Link, told_of_faults, unless_gone
from echostream.llm import local_server_beside
from echostream.memory import share_heaps
from echostream.settings import Settings

log = structlog.get_logger(__name__)

_LOOK_EVERY_S = 0.1
_TELL_EVERY_S = 0.5
_END_S = 0.5
"""How long the process may take to end once nobody needs it any more."""

LoadEngine = Callable[[Settings], Transcriber]
LoadDiarizer = Callable[[Settings], Diarizer]


class EngineHost:
    """Answers at a Unix socket. When a client disconnects, its work is stopped."""

    def __init__(self, engine: LocalEngine, shelf: Shelf) -> None:
        self._engine = engine
        self._shelf = shelf

    async def serve(self, path: Path, until: asyncio.Event) -> None:
        """Answers at `path` until `until` is set; then stops all work."""
        clients: set[asyncio.Task[None]] = set()

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(self._client(Link(reader, writer)))
            clients.add(task)
            task.add_done_callback(clients.discard)

        await self._engine.start()
        server = await asyncio.start_unix_server(accept, path)
        self._engine.warm_up()
        await until.wait()
        server.close()
        for task in clients:
            task.cancel()
        await asyncio.gather(*clients, return_exceptions=True)

    async def _client(self, link: Link) -> None:
        failed = EngineError("the speech engine failed")
        async with told_of_faults(link, "engine_request_crashed", failed):
            await self._answer(link)

    async def _answer(self, link: Link) -> None:
        match await link.receive():
            case Watch():
                await self._tell_state(link)
            case Load():
                await link.send(await self._engine.load())
            case Get(key):
                await link.send(Kept(await self._shelf.get(key)))
            case Put(key, value):
                await self._shelf.put(key, value)
                await link.send(Done())
            case Embed(samples):
                await link.send(Embedded(await unless_gone(link, self._engine.voice(samples))))
            case Take(patient):
                await self._serve_place(link, self._engine.take(patient=patient))
            case Spare():
                await self._serve_place(link, self._engine.spare())
            case Listen():
                await link.send(Done())
                await self._serve_ears(link)
            case Live(options, again):
                live = await self._engine.live(options, again=again)
                try:
                    await link.send(Done())
                    await self._serve_live(link, live)
                finally:
                    live.close()

    async def _tell_state(self, link: Link) -> None:
        told = None
        while not link.gone.is_set():
            if (state := self._engine.state) != told:
                await link.send(state)
                told = state
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _serve_place(self, link: Link, given: AbstractAsyncContextManager[Place]) -> None:
        async with _Entered(link, given) as place:
            await link.send(Done())
            await self._serve_work(link, place)

    async def _serve_work(self, link: Link, place: Place) -> None:
        while True:
            match await link.receive():
                case Prepare(options):
                    await link.send(await unless_gone(link, place.load(options)))
                case Transcribe(samples, options, speech, trace):
                    heard = place.transcribe(samples, options, speech)
                    seconds = len(samples) / SAMPLE_RATE_HZ
                    with traces.continued("engine transcribe", trace, audio_s=seconds):
                        await unless_gone(link, _tell_all(link, heard))
                    await link.send(Done())
                case Embed(samples):
                    await link.send(Embedded(await unless_gone(link, place.voice(samples))))
                case request:
                    await self._serve_speakers(link, place, request)

    async def _serve_live(self, link: Link, live: LivePlace) -> None:
        while True:
            answer: object
            match await link.receive():
                case Read(samples, options):
                    try:
                        found = await unless_gone(link, live.read(samples, options))
                        answer = ReadOnce(*found, live.used)
                    except EchoStreamError as error:  # the session may ask again
                        answer = Fault(error)
                    await link.send(answer)
                case request:
                    await self._serve_speakers(link, live, request)

    async def _serve_ears(self, link: Link) -> None:
        while True:
            asked: Detect = await link.receive()
            await link.send(await self._engine.detect(asked.samples, asked.state))

    async def _serve_speakers(self, link: Link, speakers: Speakers, request: object) -> None:
        try:
            match request:
                case PrepareDiarizer():
                    model = await unless_gone(link, speakers.load_diarizer())
                    await link.send(DiarizerReady(model))
                case Diarize(samples, options, trace):
                    found = speakers.diarize(samples, options)
                    seconds = len(samples) / SAMPLE_RATE_HZ
                    with traces.continued("engine diarize", trace, audio_s=seconds):
                        await unless_gone(link, _send_all(link, found))
        except EchoStreamError as error:  # the place is of use without speakers, too
            await link.send(Fault(error))


class _Entered:
    """A place, waited for as long as the client is connected."""

    def __init__(self, link: Link, place: AbstractAsyncContextManager[Place]) -> None:
        self._link = link
        self._place = place

    async def __aenter__(self) -> Place:
        return await unless_gone(self._link, self._place.__aenter__())

    async def __aexit__(self, *about: Any) -> None:
        await self._place.__aexit__(*about)


async def _tell_all(link: Link, heard: Any) -> None:
    """Sends everything that is heard, and in between the engine's progress."""
    last: list[Heard] = []

    async def tell_again() -> None:
        while True:
            await asyncio.sleep(_TELL_EVERY_S)
            if last:
                await link.send(Heard((), last[0].report))

    telling = asyncio.create_task(tell_again())
    try:
        async with aclosing(heard):
            async for one in heard:
                last[:] = [one]
                await link.send(one)
    finally:
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)


async def _send_all(link: Link, answers: AsyncGenerator[object, None]) -> None:
    async with aclosing(answers):
        async for one in answers:
            await link.send(one)


def run(
    settings: Settings,
    path: Path,
    shelf: Shelf,
    load: LoadEngine = load_transcriber,
    diarizer: LoadDiarizer = load_diarizer,
) -> None:
    """Serves at `path` until the parent process closes our stdin or ends.

    Signals are ignored: terminals and service managers send them to all processes of a group, but
    the others must be able to finish their work here. The end of stdin says when to stop.
    """
    share_heaps()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    structlog.contextvars.bind_contextvars(process="engine")
    path.unlink(missing_ok=True)  # left by an engine that was killed
    with suppress(FileNotFoundError):  # the parent has ended and removed the folder
        engine = LocalEngine(settings, load_registry(settings, load), diarizer)
        traces.start(settings.otel_exporter_otlp_endpoint, "echostream-engine")
        asyncio.run(_run(engine, path, shelf, local_server_beside(settings, path.parent)))
    _leave(path)


def _leave(path: Path) -> NoReturn:
    # The parent does both of this too, unless it was killed. We ignore the signal ourselves.
    shutil.rmtree(path.parent, ignore_errors=True)
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGTERM)
    # Does not wait for a model that is still being loaded.
    os._exit(0)


async def _run(engine: LocalEngine, path: Path, shelf: Shelf, model: Service | None) -> None:
    """`model` is the language model's process, which ends with this one."""
    until = asyncio.Event()
    loop = asyncio.get_running_loop()

    def end() -> None:
        loop.call_soon_threadsafe(until.set)
        time.sleep(_END_S)  # a model may take long to notice that it is to stop
        _leave(path)

    on_parent_end(end)
    if model is not None:
        model.start()
    await EngineHost(engine, shelf).serve(path, until)
    await traces.flush()
    if model is not None:
        await model.aclose()
