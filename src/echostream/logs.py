"""Structured logs: readable on a terminal, JSON lines elsewhere, secrets masked in both.

Somebody who causes the same warning a thousand times a second does not fill the disk: some lines of
each are written, the rest is counted.
"""

import contextvars
import logging
import sys
import time
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, TextIO

import structlog
from structlog.typing import Processor

from echostream import traces

_SECRET_KEYS = ("token", "api_key", "apikey", "authorization", "password", "secret", "anon_key")

_FLOOD_LINES, _FLOOD_S = 5, 10.0
"""So many lines of one kind are written in so many seconds; then a count follows."""

Clock = Callable[[], float]


def configure_logging(
    level: str, stream: TextIO | None = None, clock: Clock = time.monotonic
) -> None:
    """Sends our logs and those of libraries, from `level` up, to `stream` (by default stderr).

    stdout is left to the output of commands, so that it can be piped.
    """
    stream = stream or sys.stderr
    on_terminal = stream.isatty()
    # By default it would draw the values of variables too: secrets, and arrays that take a minute.
    console = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    renderer: Processor = console if on_terminal else structlog.processors.JSONRenderer()
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        add_trace,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        mask_secrets,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.ExtraAdder(["repeated"]), *shared],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            # Only here, since a traceback takes a millisecond and may not be written at all.
            *([] if on_terminal else [structlog.processors.format_exc_info]),
            renderer,
        ],
    )
    handler = FloodProofHandler(stream, clock)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Client libraries log whole URLs and headers below this level.
    for noisy in ("httpx", "httpx2", "httpcore", "httpcore2", "openai", "google_genai", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.getLogger("faster_whisper").setLevel(logging.WARNING)
    # We log each request ourselves, with its id.
    logging.getLogger("uvicorn.access").disabled = True


def add_trace(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """A structlog processor that says which trace the line belongs to, if there is one."""
    event.update(traces.ids())
    return event


def mask_secrets(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """A structlog processor that replaces the values of secret keys by `***`."""
    for key in event:
        if any(secret in key.lower() for secret in _SECRET_KEYS):
            event[key] = "***"
    return event


@dataclass
class _Flood:
    """Lines of one kind since the first of them."""

    told_as: dict[str, Any]
    """What a line about the rest has. A record could hold much memory by its traceback."""
    until_s: float
    lines: int = 0

    @classmethod
    def starting(cls, record: logging.LogRecord, until_s: float) -> "_Flood":
        text = record.msg["event"] if isinstance(record.msg, dict) else record.msg
        place = {"pathname": record.pathname, "lineno": record.lineno}
        level = {"levelno": record.levelno, "levelname": record.levelname}
        return cls({"name": record.name, "msg": text, **place, **level}, until_s)

    def rest(self) -> logging.LogRecord:
        """A line that says how many were not written."""
        return logging.makeLogRecord({**self.told_as, "repeated": self.lines - _FLOOD_LINES})


class FloodProofHandler(logging.StreamHandler[TextIO]):
    """Writes a few warnings and errors of one kind, and after some seconds how many more there
    were. Of one kind are those that the same line of code logs as the same event, for the same kind
    of exception.

    A count is written with the next line of any kind, so nothing has to wait for it.
    """

    def __init__(self, stream: TextIO, clock: Clock = time.monotonic) -> None:
        super().__init__(stream)
        self._clock = clock
        self._floods: dict[object, _Flood] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Is called by one thread at a time: logging holds a lock."""
        now_s = self._clock()
        for kind, flood in list(self._floods.items()):
            if flood.until_s <= now_s:
                del self._floods[kind]
                if flood.lines > _FLOOD_LINES:
                    # Without the id of whatever request is served just now.
                    contextvars.Context().run(super().emit, flood.rest())
        if record.levelno < logging.WARNING or self._is_among_the_first(record, now_s):
            super().emit(record)

    def _is_among_the_first(self, record: logging.LogRecord, now_s: float) -> bool:
        event = record.msg if isinstance(record.msg, dict) else {}
        raised = record.exc_info or event.get("exc_info")
        error = sys.exc_info()[0] if raised is True else _type_of(raised)
        told = event.get("event"), event.get("code")
        kind = (record.name, record.pathname, record.lineno, error, *told)
        if (flood := self._floods.get(kind)) is None:
            flood = self._floods[kind] = _Flood.starting(record, now_s + _FLOOD_S)
        flood.lines += 1
        return flood.lines <= _FLOOD_LINES


def _type_of(raised: object) -> object:
    return raised[0] if isinstance(raised, tuple) else type(raised)
