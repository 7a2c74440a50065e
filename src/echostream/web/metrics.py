"""Prometheus metrics of one API process, or of several merged."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    generate_latest,
)
from prometheus_client.parser import text_string_to_metric_families

from echostream.domain import Insights, Transcript
from echostream.errors import QueueUnavailable
from echostream.jobs import JobQueue
from echostream.pipeline import Pipeline, Result
from echostream.streaming import Event, Final, Partial

__all__ = ["CONTENT_TYPE_LATEST", "Metrics", "merged"]

_JOBS = "echostream_jobs"
_WAITING = "echostream_inference_queue"
_MODELS = "echostream_model_loaded"
_OF_HOST = {_JOBS, _WAITING, _MODELS}
_LATENCY_BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
_LAG_BUCKETS_S = (0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 20, 40, 80)
_RTF_BUCKETS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 4)


class Metrics:
    """Belongs to the app, not to the module, so that two apps in one process do not mix."""

    def __init__(self, pipeline: Pipeline, queue: JobQueue | None) -> None:
        self._registry = CollectorRegistry()
        self._queue = queue
        self._engine = pipeline.engine
        self._jobs = Gauge(
            _JOBS,
            "Jobs in the queue by state.",
            ["state"],
            registry=self._registry,
        )
        self.requests = Counter(
            "echostream_requests_total",
            "HTTP requests by route and status.",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self.callers = Counter(
            "echostream_token_requests_total",
            "Requests and connections of each token, by its name.",
            ["caller"],
            registry=self._registry,
        )
        self.latency = Histogram(
            "echostream_request_seconds",
            "Time from a request's first byte to its answer's last.",
            ["route"],
            buckets=_LATENCY_BUCKETS_S,
            registry=self._registry,
        )
        self.errors = Counter(
            "echostream_errors_total",
            "Errors answered, by code.",
            ["code"],
            registry=self._registry,
        )
        self._audio_s = Counter(
            "echostream_audio_seconds_total",
            "Seconds of audio transcribed.",
            ["engine"],
            registry=self._registry,
        )
        self._unread_s = Counter(
            "echostream_speech_without_text_seconds_total",
            "Seconds of speech that no words were found for.",
            ["engine"],
            registry=self._registry,
        )
        self._rtf = Histogram(
            "echostream_real_time_factor",
            "Engine time divided by length of audio; below 1 is faster than real time.",
            ["engine"],
            buckets=_RTF_BUCKETS,
            registry=self._registry,
        )
        self._diarization_s = Histogram(
            "echostream_diarization_seconds",
            "Time that telling the speakers of a recording apart took.",
            buckets=_LATENCY_BUCKETS_S,
            registry=self._registry,
        )
        self._diarization_failures = Counter(
            "echostream_diarization_failures_total",
            "Transcripts whose speakers could not be told apart.",
            registry=self._registry,
        )
        self._insights = Counter(
            "echostream_insights_total",
            "Insights by what made them, and whether the chosen provider failed or did less.",
            ["provider", "degraded"],
            registry=self._registry,
        )
        self._live = Gauge(
            "echostream_live_sessions",
            "Live sessions whose text is not complete; each channel that is read apart counts.",
            registry=self._registry,
        )
        self._live_endings = Gauge(
            "echostream_live_endings",
            "Live sessions whose text is complete, and whose final pass goes on.",
            registry=self._registry,
        )
        self._live_ended = Counter(
            "echostream_live_sessions_ended_total",
            "Live sessions that have ended, by the code of what ended them.",
            ["error"],
            registry=self._registry,
        )
        self._live_lag = Histogram(
            "echostream_live_lag_seconds",
            "Time between the arrival of words and their confirmation.",
            buckets=_LAG_BUCKETS_S,
            registry=self._registry,
        )
        self._realtime_items = Counter(
            "echostream_realtime_items_total",
            "Items of realtime sessions that have been read, by the code of what failed.",
            ["error"],
            registry=self._registry,
        )
        waiting = Gauge(
            _WAITING,
            "Requests waiting for a free transcription.",
            registry=self._registry,
        )
        waiting.set_function(lambda: pipeline.engine.state.waiting)
        self._models = Gauge(
            _MODELS,
            "Whether a model that may be asked for is in memory.",
            ["model"],
            registry=self._registry,
        )

    def observe(self, result: Result) -> None:
        """Counts a finished transcription."""
        transcript = result.transcript
        self._count(transcript)
        self.observe_insights(result.insights)
        if result.diarize_s is not None:
            self._diarization_s.observe(result.diarize_s)
        if transcript.duration_s:
            self._rtf.labels(transcript.engine).observe(result.transcribe_s / transcript.duration_s)

    def observe_insights(self, insights: Insights | None) -> None:
        """Counts insights, if there are any."""
        if insights is not None:
            meta = insights.details.meta
            self._insights.labels(meta.provider, str(meta.degraded).lower()).inc()

    def watch_live(self, sessions: Callable[[], int], endings: Callable[[], int]) -> None:
        """Shows how many places live sessions take, and how many sessions are only in their final
        pass."""
        self._live.set_function(sessions)
        self._live_endings.set_function(endings)

    def observe_live(self, event: Event) -> None:
        """Counts an event of a live session."""
        self._observe_lag(event)
        if isinstance(event, Final):
            self.live_ended(event.error.code if event.error else "")
            self._count(event.transcript)
            self.observe_insights(event.insights)

    def observe_item(self, event: Event) -> None:
        """Counts an event of an item of a realtime session."""
        self._observe_lag(event)
        if isinstance(event, Final):
            self._realtime_items.labels(event.error.code if event.error else "").inc()
            self._count(event.transcript)

    def live_ended(self, error: str) -> None:
        """Counts a live session that has ended; `error` is the code of what ended it, if any."""
        self._live_ended.labels(error).inc()

    def _observe_lag(self, event: Event) -> None:
        if isinstance(event, Partial) and event.text:
            self._live_lag.observe(event.lag_ms / 1000)

    def _count(self, transcript: Transcript) -> None:
        self._audio_s.labels(transcript.engine).inc(transcript.duration_s)
        self._unread_s.labels(transcript.engine).inc(transcript.unread_s)
        self._diarization_failures.inc(transcript.is_diarization_failed)

    async def text(self, *, jobs: bool = True) -> bytes:
        """Returns all metrics in Prometheus' text format. Without Redis, jobs are left out."""
        self._models.clear()
        for model in self._engine.state.models:
            self._models.labels(model.shown_name).set(model.is_loaded)
        self._jobs.clear()
        if self._queue is not None and jobs:
            with suppress(QueueUnavailable):
                for state, count in (await self._queue.counts()).items():
                    self._jobs.labels(state).set(count)
        return generate_latest(self._registry)


def merged(texts: Mapping[int, str]) -> bytes:
    """Returns the metrics of several processes, each sample labelled with its process.

    Metrics of the whole host are included once, without that label.
    """
    families: dict[str, Metric] = {}
    for number, text in texts.items():
        for family in text_string_to_metric_families(text):
            if family.name in _OF_HOST and family.name in families:
                continue
            whole = families.setdefault(
                family.name, Metric(family.name, family.documentation, family.type)
            )
            label = {} if family.name in _OF_HOST else {"process": str(number)}
            for sample in family.samples:
                whole.add_sample(sample.name, {**sample.labels, **label}, sample.value)
    return generate_latest(_Collected(families.values()))


class _Collected(CollectorRegistry):
    """Metrics already collected, in the form that `generate_latest` needs."""

    def __init__(self, families: Iterable[Metric]) -> None:
        super().__init__()
        self._families = families

    def collect(self) -> Iterator[Metric]:
        yield from self._families
