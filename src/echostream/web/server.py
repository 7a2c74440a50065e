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
from echostream.lifeline import LATE_S, leave_within
from echostream.settings import Settings
from echostream.web import preflight
from echostream.web.app import create_app
from echostream.web.deps import services_of
from echostream.web.engine_io import MAX_MESSAGE_BYTES
from echostream.web.listener import open_listener, url_of
from echostream.web.patience import PatientHttp
from echostream.web.sockets import close_sockets, end_polls

log = structlog.get_logger(__name__)

_ANSWER_S = 5
"""How long requests ended by `abort` have to send their error."""


class WebSocket(WebSocketsSansIOProtocol):
    """A WebSocket that may be shut down at any time."""

    def shutdown(self) -> None:
        # uvicorn would say goodbye to a client that has just left. That raises, and the exception
        # would end the server at once, with all its requests.
        if not self.transport.is_closing():
            super().shutdown()


class Server(uvicorn.Server):
    """On SIGTERM or SIGINT, the server takes no new connections, and running requests go on for the
    grace period; requests still running after that end with `server_busy`. The process ends soon
    after that, even if something does not."""

    def __init__(
        self, app: FastAPI, settings: Settings, *, on_up: Callable[[], object] = lambda: None
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
                timeout_graceful_shutdown=round(settings.shutdown_grace_s) + _ANSWER_S,
            )
        )
        self._app = app
        self._grace_s = settings.shutdown_grace_s
        self._on_up = on_up
        self._loop: asyncio.AbstractEventLoop | None = None

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_up()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await close_sockets(services_of(self._app), self._grace_s)
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
        leave_within(self._grace_s + LATE_S)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._end_later, self._loop)

    def _end_later(self, loop: asyncio.AbstractEventLoop) -> None:
        log.info("stopping", grace_s=self._grace_s)
        loop.call_later(self._grace_s, lambda: services_of(self._app).abort.set())


def serve(settings: Settings) -> None:
    """Serves until a signal. Returns when the port is free and all work has ended; exits with one
    line on stderr if the port is not available. Raises EchoStreamError if settings contradict each
    other."""
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
