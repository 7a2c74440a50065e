"""Answers as server-sent events."""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing

import structlog
from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from echostream.errors import Cancelled, EchoStreamError
from echostream.web.metrics import Metrics
from echostream.web.openai import UNFORESEEN

log = structlog.get_logger(__name__)

EVENT_STREAM = "text/event-stream"


async def event_stream(request: Request, metrics: Metrics, events: AsyncGenerator[str]) -> Response:
    """Sends the events as they come. An error before the first is raised, and so an ordinary error
    response; a later one is an event `error`."""
    first = await anext(events)

    async def body() -> AsyncGenerator[str]:
        async with aclosing(events):
            yield first
            try:
                async for event in events:
                    yield event
            except Cancelled:
                return  # nobody is there to read an error
            except Exception as error:
                yield _error_event(request, metrics, error)

    return StreamingResponse(body(), media_type=EVENT_STREAM)


def sse(event: str, data: str) -> str:
    return f"event: {event}\ndata: {data}\n\n"


def _error_event(request: Request, metrics: Metrics, error: Exception) -> str:
    if not isinstance(error, EchoStreamError):
        log.error("stream_crashed", exc_info=error)
        error = EchoStreamError(UNFORESEEN)
    metrics.errors.labels(error.code).inc()
    fault = {
        "error": error.code,
        "message": str(error),
        "requestId": request.state.request_id,
    }
    return sse("error", json.dumps(fault))
