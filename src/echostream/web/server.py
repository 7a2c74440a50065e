"""Runs the API: one uvicorn server that stops cleanly."""

import asyncio
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import FrameType

import structlog
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from echostream.building import build_pipeline
from echostream.engine.process import OwnEngine
from echostream.lifeline import Grace, leave_within
from echostream.memory import share_heaps
from echostream.settings import Settings
from echostream.web import preflight
from echostream.web.app import create_app
from echostream.web.deps import services_of
from echostream.web.engine_io import MAX_MESSAGE_BYTES
from echostream.web.listener import open_listener, url_of
from echostream.web.patience import PatientHttp
from echostream.web.sockets import close_sockets, end_polls

log = structlog.get_logger(__name__)

_SHARE_OF_ANSWERS = 0.5
"""Of the time for closing. So long clients may take to read what they are told at its begin."""


class WebSocket(WebSocketsSansIOProtocol):
    """A WebSocket that may be shut down at any time."""

    def shutdown(self) -> None:
        # uvicorn would say goodbye to a client that has just left. That raises, and the exception
        # would end the server at once, with all its requests. To a client that waits for its
        # handshake it would answer 500; it gets its answer from the route.
        if self.handshake_complete and not self.transport.is_closing():
            super().shutdown()


class Server(uvicorn.Server):
    """On SIGTERM or SIGINT, the server takes no new connections, and running requests go on for
    their part of the grace period; those that still run then end with `server_busy`. The process
    ends within the grace period even if something does not; one that `is_member` of several ends
    before the engine that they share."""

    def __init__(
        self,
        app: FastAPI,
        settings: Settings,
        *,
        is_member: bool = False,
        on_up: Callable[[], object] = lambda: None,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                host=settings.host,
                port=settings.port,
                log_config=None,
                # By default uvicorn takes what it finds beside it. uvloop knows fewer options of
                # child processes: the engine would never start.
                loop="asyncio",
                http=partial(  # type: ignore[arg-type]  # called as the class would be
                    PatientHttp, most_of_address=settings.connections_per_address
                ),
                ws=WebSocket,
                ws_max_size=MAX_MESSAGE_BYTES,
            )
        )
        self._app = app
        self._grace = Grace(settings.shutdown_grace_s)
        self._leave_s = self._grace.leave_s if is_member else self._grace.whole_s
        self._on_up = on_up
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping_worker: asyncio.Task[None] | None = None

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_up()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        closing = asyncio.get_running_loop().time() + (
            self._grace.work_s + _SHARE_OF_ANSWERS * self._grace.closing_s
        )
        await close_sockets(services_of(self._app), self._grace)
        left_s = max(0.0, closing - asyncio.get_running_loop().time())
        self.config.timeout_graceful_shutdown = left_s  # type: ignore[assignment]  # no int needed
        ending = asyncio.create_task(self._end_newcomers())
        try:
            await super().shutdown(sockets)
        finally:
            ending.cancel()

    async def _end_newcomers(self) -> None:
        """uvicorn shuts down the connections that exist at one moment. One accepted just then, for
        example from a client that reconnects at once, would stay served and delay the end."""
        while True:
            await end_polls(services_of(self._app).sockets)
            await asyncio.sleep(0.1)
            for connection in list(self.server_state.connections):
                connection.shutdown()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        leave_within(self._leave_s)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._begin_to_stop, self._loop)

    def _begin_to_stop(self, loop: asyncio.AbstractEventLoop) -> None:
        log.info("stopping", grace_s=self._grace.whole_s)
        if not self.started:
            return
        services = services_of(self._app)
        loop.call_later(self._grace.work_s, services.abort.set)
        if services.jobs is not None:  # its jobs have the same time as our requests
            self._stopping_worker = asyncio.create_task(services.jobs.worker.aclose())


def serve(settings: Settings) -> None:
    """Serves until a signal. Returns when the port is free and all work has ended; exits with one
    line on stderr if the port is not available. Raises EchoStreamError if settings contradict each
    other."""
    share_heaps()
    pipeline = build_pipeline(settings, OwnEngine())
    # uvicorn raises the signal again after it has stopped. That second signal must not kill us
    # before the interpreter has shut down, but one before uvicorn handles signals must end us too.
    # So it is treated like Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        preflight.check(settings)
        listener = open_listener(settings)
        log.info("listening", url=url_of(listener))
        Server(create_app(settings, lambda _settings: pipeline), settings).run([listener])
