"""Structured logs: readable on a terminal, JSON lines elsewhere, secrets masked in both."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog
from structlog.typing import Processor

_SECRET_KEYS = ("token", "api_key", "apikey", "authorization", "password", "secret", "anon_key")


def configure_logging(level: str, stream: TextIO | None = None) -> None:
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
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        mask_secrets,
    ]
    if not on_terminal:
        shared.append(structlog.processors.format_exc_info)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    handler = logging.StreamHandler(stream)
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


def mask_secrets(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """A structlog processor that replaces the values of secret keys by `***`."""
    for key in event:
        if any(secret in key.lower() for secret in _SECRET_KEYS):
            event[key] = "***"
    return event
