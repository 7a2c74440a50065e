"""The queue of jobs, their storage and their webhooks, and the cache."""

from pydantic import Field, SecretStr, field_validator

from echostream.checks import check_url, check_webhook_secret
from echostream.settings.group import SettingsGroup


class JobSettings(SettingsGroup):
    """Jobs, storage and cache."""

    use_queue: bool = False
    """Connect the job queue."""

    redis_url: str = "redis://localhost:6379"
    """Redis of the job queue and of the cache, when the queue is connected."""

    queue_name: str = Field("echostream", pattern=r"^[A-Za-z0-9_-]+$")
    """Name of the BullMQ queue; API and workers must agree on it."""

    run_worker: bool = False
    """Start a worker beside the API, one for all of its processes."""

    storage_url: str = "file://./data"
    """Where audio and results of jobs are stored: an fsspec URL (`file://`, `s3://`), shared by API
    hosts and workers."""

    job_timeout_s: float = Field(14_400.0, gt=0)
    """Longest time one attempt at a job may take."""

    job_patience_s: float = Field(86_400.0, ge=0)
    """How long a job that fails through no fault of its own waits, because a disk is full or the
    storage or the engine is away. It is tried again with pauses that grow to ten minutes; then it
    fails, and `POST /job/{id}/retry` tries it once more."""

    job_retention_s: int = Field(604_800, ge=60)
    """How long finished jobs and their results are kept, and the audio of jobs that failed through
    no fault of their own."""

    job_lock_s: float = Field(60.0, gt=0)
    """A worker that sends no sign of life for this long loses its job."""

    job_stalled_check_s: float = Field(15.0, gt=0)
    """How often workers check for jobs that others have lost."""

    webhook_secret: SecretStr | None = None
    """Signs webhooks (`whsec_` and base64, as in Standard Webhooks). Needed for `callbackUrl`."""

    worker_metrics_port: int = Field(0, ge=0, le=65535)
    """Port of a worker's Prometheus metrics; 0 turns them off."""

    cache_ttl_s: int = Field(86_400, ge=0)
    """How long the cache keeps transcripts and insights; 0 turns it off."""

    @field_validator("redis_url")
    @classmethod
    def _check_redis_url(cls, value: str) -> str:
        if not value.startswith("unix:///"):
            check_url(value, "redis", "rediss")
        return value

    @field_validator("storage_url")
    @classmethod
    def _check_storage_url(cls, value: str) -> str:
        if "://" in value and not value.startswith("file://"):
            if not value.startswith("s3://"):
                raise ValueError("must be a folder (file://...) or a bucket (s3://...)")
            if not value.removeprefix("s3://").partition("/")[0]:
                raise ValueError("names no bucket")
        return value

    @field_validator("webhook_secret")
    @classmethod
    def _check_webhook_secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            check_webhook_secret(value.get_secret_value())
        return value

    @property
    def webhook_queue_name(self) -> str:
        return f"{self.queue_name}-webhooks"
