"""The objects that the API works with, created at startup, and how routes get them."""

import asyncio
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, FastAPI, Request

from echostream.children import WorkerChild
from echostream.jobs import JobQueue
from echostream.pipeline import Pipeline
from echostream.settings import Settings
from echostream.storage import Storage
from echostream.streaming import LiveSessions
from echostream.web.engine_io import SocketServer
from echostream.web.job_rooms import JobRooms
from echostream.web.job_shapes import no_queue
from echostream.web.keyring import Keyring
from echostream.web.metrics import Metrics
from echostream.web.peers import Peers
from echostream.web.rates import Rates
from echostream.web.realtime.connections import Connections


@dataclass(frozen=True, slots=True)
class Jobs:
    """What background jobs need: their queue, the queue of their webhooks, the storage, and the
    worker of this process, which may not have been started."""

    queue: JobQueue
    webhooks: JobQueue
    storage: Storage
    worker: WorkerChild


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that requests and Socket.IO events share. `jobs` is None without USE_QUEUE,
    `peers` if there is only one process. `abort` is set when the server stops and
    cuts off all that still runs."""

    settings: Settings
    keyring: Keyring
    pipeline: Pipeline
    metrics: Metrics
    live: LiveSessions
    realtime: Connections
    sockets: SocketServer
    job_rooms: JobRooms
    rates: Rates
    abort: asyncio.Event
    jobs: Jobs | None
    peers: Peers | None

    def require_jobs(self) -> Jobs:
        """Raises QueueUnavailable without USE_QUEUE."""
        if self.jobs is None:
            raise no_queue()
        return self.jobs


def services_of(app: FastAPI) -> Services:
    """Returns the services of an app that has started."""
    services: Services = app.state.services
    return services


async def _services(request: Request) -> Services:
    return services_of(request.app)


ServicesDep = Annotated[Services, Depends(_services)]
