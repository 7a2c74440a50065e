"""Where the API listens, its processes, and what it tells of itself."""

import math
from typing import Literal

from pydantic import Field

from echostream.settings.cpus import cpu_count
from echostream.settings.group import HttpUrl, SettingsGroup

_LEAST_CONNECTIONS = 10


class ServerSettings(SettingsGroup):
    """The server."""

    port: int = Field(3000, ge=0, le=65535)
    """Port of the API; 0 takes a free one."""

    host: str = "127.0.0.1"
    """Address the API listens on. Containers set 0.0.0.0."""

    web_concurrency: int = Field(default_factory=cpu_count, ge=1)
    """API processes on this host, which share the port and one speech engine."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severity that is logged."""

    otel_exporter_otlp_endpoint: HttpUrl | None = None
    """URL of an OpenTelemetry collector (OTLP over HTTP), such as `http://localhost:4318`, to which
    traces of requests and jobs are sent. Unset: none are recorded."""

    rate_limit: int | None = Field(None, ge=1)
    """Requests a minute, and Socket.IO connections, of one token, or without tokens of one address;
    above it 429 `rate_limited`. Each of `WEB_CONCURRENCY` processes allows its share. A proxy on
    this host tells addresses; one elsewhere must be in `FORWARDED_ALLOW_IPS`. Unset: any number."""

    max_connections_per_address: int = Field(500, ge=1)
    """Connections of one address at a time, and Socket.IO sessions; above it 429 `rate_limited`.
    Each of `WEB_CONCURRENCY` processes counts its own and allows twice its share. Behind a proxy
    that is on this host or in `FORWARDED_ALLOW_IPS`, requests at a time of the address that it
    tells; other proxies are one address."""

    shutdown_grace_s: float = Field(25.0, ge=0)
    """How long after SIGTERM the last process has gone. Requests and jobs go on for all of it but
    the last 5 s (half of it, if it is shorter than 10 s); what still runs then is answered with
    `server_busy` or, if it is a job, handed back."""

    def share_of(self, limit: float) -> float:
        """What each process allows of a limit: connections are spread evenly over them."""
        return limit / self.web_concurrency

    @property
    def connections_per_address(self) -> int:
        """Of one process: twice its share, as a client's few connections do not spread evenly."""
        share = math.ceil(2 * self.share_of(self.max_connections_per_address))
        return min(self.max_connections_per_address, max(share, _LEAST_CONNECTIONS))
