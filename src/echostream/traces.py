"""Traces: which steps a request or job took, in which process, and how long each was.

The spans of a trace are given to an OpenTelemetry collector. Before `start`, and without an
endpoint, there are none, and the calls here do nothing.
"""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from echostream import __version__
from echostream.extras import require

__all__ = [
    "Lasting",
    "SpanKind",
    "carrier",
    "check_installed",
    "continued",
    "flush",
    "ids",
    "span",
    "start",
    "trace_to",
    "without_carrier",
]

_EXPORT_S = 3.0
_W3C = TraceContextTextMapPropagator()
_FIELD = "traceparent"


class _Tracing:
    """What this process records with. Like logging, it is one for all that the process does."""

    tracer: Tracer | None = None
    provider: Any = None


def check_installed(endpoint: str | None) -> None:
    """Raises MissingExtra if there is an endpoint but nothing that could speak to it."""
    if endpoint is not None:
        require("otel", "OTEL_EXPORTER_OTLP_ENDPOINT")


def start(endpoint: str | None, service: str) -> None:
    """Records from now on, and sends the spans to the collector at `endpoint`; does nothing without
    one, or if it records already. Call it after forks: a thread sends the spans.

    The SDK reads its own variables, such as OTEL_EXPORTER_OTLP_HEADERS and OTEL_TRACES_SAMPLER.
    """
    if endpoint is None or _Tracing.provider is not None:
        return
    # Half a second to import, and only of use with a collector.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=_EXPORT_S)
    trace_to(BatchSpanProcessor(exporter, schedule_delay_millis=1000), service)


def trace_to(processor: Any, service: str) -> None:
    """Records to one of OpenTelemetry's span processors."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    resource = Resource.create({"service.name": service, "service.version": __version__})
    # Not flushed at exit: a collector that is away would hold up the end of the process.
    _Tracing.provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    _Tracing.provider.add_span_processor(processor)
    _Tracing.tracer = _Tracing.provider.get_tracer("echostream", __version__)


async def flush() -> None:
    """Sends what has not been sent yet; gives up after some seconds. For the end of a process."""
    if _Tracing.provider is not None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_EXPORT_S):
                await asyncio.to_thread(_Tracing.provider.force_flush, int(_EXPORT_S * 1000))


@contextmanager
def span(
    name: str,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    continues: Mapping[str, object] | None = None,
    **attributes: str | int | float | bool,
) -> Iterator[Span]:
    """A step of the current trace, or of the one that the carrier `continues` names; if that names
    none, a new trace begins. An exception marks the step as failed."""
    if _Tracing.tracer is None:
        yield trace.INVALID_SPAN
        return
    context = None if continues is None else _context_of(continues)
    with _Tracing.tracer.start_as_current_span(
        name, context, kind, dict(attributes), record_exception=False
    ) as found:
        yield found


@contextmanager
def continued(name: str, carrier: Mapping[str, object], *, audio_s: float) -> Iterator[None]:
    """A step of the trace that the carrier names; without one it is not recorded. `audio_s` is how
    much audio is worked on."""
    if not carrier:
        yield
        return
    with span(name, continues=carrier, audio_s=audio_s):
        yield


class Lasting:
    """A step that begins a trace and is longer than the call that begins it. What runs `within` it,
    and the tasks that begin there, belong to it."""

    def __init__(self, name: str, **attributes: str | int | float | bool) -> None:
        tracer = _Tracing.tracer
        self._span = (
            tracer.start_span(name, Context(), attributes=attributes)
            if tracer is not None
            else trace.INVALID_SPAN
        )

    @contextmanager
    def within(self) -> Iterator[None]:
        with trace.use_span(self._span, record_exception=False, set_status_on_exception=False):
            yield

    def end(self) -> None:
        self._span.end()


def _context_of(carrier: Mapping[str, object]) -> Context:
    value = carrier.get(_FIELD)
    return _W3C.extract({_FIELD: value} if isinstance(value, str) else {}, Context())


def carrier() -> dict[str, str]:
    """What lets another process continue the current trace (W3C's `traceparent`); empty if there is
    none."""
    found: dict[str, str] = {}
    _W3C.inject(found)
    return {name: value for name, value in found.items() if name == _FIELD}


def without_carrier(data: Mapping[str, Any]) -> dict[str, Any]:
    """Data without what `carrier` added to it."""
    return {name: value for name, value in data.items() if name != _FIELD}


def ids() -> dict[str, str]:
    """Ids of the current trace and span, for logs; empty if there are none."""
    current = trace.get_current_span().get_span_context()
    if not current.is_valid:
        return {}
    return {
        "trace_id": trace.format_trace_id(current.trace_id),
        "span_id": trace.format_span_id(current.span_id),
    }
