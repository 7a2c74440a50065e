"""Prometheus metrics of one worker process."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from echostream.errors import EchoStreamError
from echostream.pipeline import Result
from echostream.settings import Settings

_WAIT_BUCKETS_S = (0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600)
_RUN_BUCKETS_S = (0.5, 1, 5, 15, 60, 300, 900, 3600)


class WorkerMetrics:
    """Served at `WORKER_METRICS_PORT` if that is set. Raises EchoStreamError if it is in use."""

    def __init__(self, settings: Settings) -> None:
        self._registry = registry = CollectorRegistry()
        self._wait = Histogram(
            "echostream_job_wait_seconds",
            "Time between adding a job and starting it.",
            buckets=_WAIT_BUCKETS_S,
            registry=registry,
        )
        self._run = Histogram(
            "echostream_job_run_seconds",
            "Time that a job took, without waiting.",
            buckets=_RUN_BUCKETS_S,
            registry=registry,
        )
        self._unread_s = Counter(
            "echostream_speech_without_text_seconds_total",
            "Seconds of speech without text.",
            ["engine"],
            registry=registry,
        )
        self._diarization_s = Histogram(
            "echostream_diarization_seconds",
            "Time that telling the speakers of a recording apart took.",
            buckets=_RUN_BUCKETS_S,
            registry=registry,
        )
        self._diarization_failures = Counter(
            "echostream_diarization_failures_total",
            "Transcripts whose speakers could not be told apart.",
            registry=registry,
        )
        self._insights = Counter(
            "echostream_insights_total",
            "Insights by what made them, and whether the chosen provider failed or did less.",
            ["provider", "degraded"],
            registry=registry,
        )
        self._ended = Counter(
            "echostream_jobs_ended_total", "Jobs that have ended.", ["state"], registry=registry
        )
        self._stalled = Counter(
            "echostream_jobs_stalled_total", "Jobs that lost their worker.", registry=registry
        )
        self._retried = Counter(
            "echostream_jobs_retried_total",
            "Failed attempts that are repeated.",
            registry=registry,
        )
        self.webhook_failures = Counter(
            "echostream_webhook_failures_total", "Webhooks that were given up.", registry=registry
        )
        self._busy = Gauge(
            "echostream_worker_busy_share",
            "Share of the worker's slots in use.",
            registry=registry,
        )
        if settings.worker_metrics_port:
            _serve(settings, registry)

    def waited(self, seconds: float) -> None:
        self._wait.observe(seconds)

    def ran(self, seconds: float) -> None:
        self._run.observe(seconds)

    def transcribed(self, result: Result) -> None:
        transcript = result.transcript
        self._unread_s.labels(transcript.engine).inc(transcript.unread_s)
        self._diarization_failures.inc(transcript.is_diarization_failed)
        if result.insights is not None:
            meta = result.insights.details.meta
            self._insights.labels(meta.provider, str(meta.degraded).lower()).inc()
        if result.diarize_s is not None:
            self._diarization_s.observe(result.diarize_s)

    def ended(self, completed: bool) -> None:
        self._ended.labels("completed" if completed else "failed").inc()

    def on_stalled(self, _job_id: str) -> None:
        self._stalled.inc()

    def on_retry(self, _job_id: str) -> None:
        self._retried.inc()

    def watch_busy(self, share: Callable[[], float]) -> None:
        """Calls `share` whenever the metrics are read."""
        self._busy.set_function(share)


def _serve(settings: Settings, registry: CollectorRegistry) -> None:
    try:
        start_http_server(settings.worker_metrics_port, settings.host, registry)
    except OSError as error:
        raise EchoStreamError(f"WORKER_METRICS_PORT: cannot listen: {error.strerror}") from error
