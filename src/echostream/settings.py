"""The only reader of the environment. Built once in an entry point and passed down."""

import base64
import math
import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from echostream.checks import check_token, check_url
from echostream.named_tokens import ADMINISTRATOR, NamedToken, check_apart, read_tokens
from echostream.templates import BUILT_IN, GENERAL

_SECRET_PREFIX = "whsec_"  # noqa: S105 - the public part of every secret
_MIN_KEY_BYTES, _MAX_KEY_BYTES = 24, 64
_LEAST_CONNECTIONS = 10


def cpu_count() -> int:
    """CPUs that this process may use; where the system does not say, those of the machine."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def windows_at_once(cpus: int | None = None) -> int:
    """How many windows of audio Whisper reads at once on so many CPUs; more gain nothing."""
    return min(8, 2 * (cpus or cpu_count()))


class Settings(BaseSettings):
    """Every setting; its environment variable is the field's name in capitals, `.env` read too."""

    model_config = SettingsConfigDict(
        env_file=".env",
        extra="ignore",
        frozen=True,
        env_ignore_empty=True,
        use_attribute_docstrings=True,
    )

    port: int = Field(3000, ge=0, le=65535)
    """Port of the API; 0 takes a free one."""

    host: str = "127.0.0.1"
    """Address the API listens on. Containers set 0.0.0.0."""

    web_concurrency: int = Field(default_factory=cpu_count, ge=1)
    """API processes on this host, which share the port and one speech engine."""

    api_bearer_token: SecretStr | None = None
    """The token of the administrator, who may see all jobs. If this or one of the next two is set,
    everything needs a token but `/health` and the description (`API_DOCS`). Unset, all three: the
    whole API is open."""

    api_tokens: Annotated[tuple[NamedToken, ...], NoDecode] = ()
    """Further tokens, each `name:token` and separated by commas. Jobs, idempotency keys and live
    sessions belong to the name that has made them; no other name sees them."""

    api_tokens_file: Path | None = None
    """A file of such tokens, one in each line. It is read again every second: tokens that are no
    longer in it are refused, and their Socket.IO and WebSocket connections end."""

    api_docs: bool = True
    """Serve the description of the API at `/docs`, `/redoc` and `/openapi.json`, which need no
    token."""

    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    """Origins of browsers allowed to call the API, separated by commas."""

    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    """Names under which the server is reached, separated by commas; `*.example.com` means all below
    it, `*` any. Addresses and names without a dot always work. Unset: with a token any name, else
    no other."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severity that is logged."""

    otel_exporter_otlp_endpoint: str | None = None
    """URL of an OpenTelemetry collector (OTLP over HTTP), such as `http://localhost:4318`, to which
    traces of requests and jobs are sent. Unset: none are recorded."""

    asr_engine: Literal["auto", "whisper", "pocketsphinx"] = "auto"
    """Speech engine. `auto`: Whisper if its model is available, else pocketsphinx and a warning."""

    whisper_model: str = "base"
    """A faster-whisper size, a Hugging Face Hub id, or a folder with a CTranslate2 model."""

    whisper_models: Annotated[tuple[str, ...], NoDecode] = ()
    """Further models that a request may name in `model`, separated by commas and each written as in
    `WHISPER_MODEL`. A folder goes by its last part."""

    model_idle_s: float = Field(900.0, gt=0)
    """How long one of `WHISPER_MODELS`, or the language model of this machine, stays in memory
    unused. `WHISPER_MODEL` always stays."""

    whisper_device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where Whisper runs."""

    whisper_compute_type: str = "default"
    """CTranslate2 quantisation, for instance `int8` or `float32`; `default` is `int8` on a CPU and
    `float16` on a GPU."""

    whisper_cpu_threads: int = Field(0, ge=0)
    """Threads of one transcription on the CPU. 0: one for each CPU."""

    whisper_batch_size: int | None = Field(None, ge=1, le=64)
    """Windows of up to 30 s that Whisper decodes at once when transcribing a file. Unset: chosen by
    CPUs and free memory."""

    diarization_model: str | None = None
    """A folder with the models that tell speakers apart: `*segmentation*.onnx` (pyannote 3.0) and
    `*campplus*.onnx`. Unset: those that come with EchoStream."""

    vocabulary: Annotated[tuple[str, ...], NoDecode] = ()
    """Names and terms that are likely to be said in any recording, separated by commas."""

    diarize: bool = False
    """Tell who speaks in every recording, unless the request says otherwise."""

    diarization_timeout_s: float = Field(120.0, gt=0)
    """How long telling the speakers apart may take; for audio that is longer than this, as long as
    the audio. After that the transcript comes without speakers."""

    model_fetch_timeout_s: float = Field(5.0, gt=0)
    """How long `ASR_ENGINE=auto` tries to reach the model hub before it uses pocketsphinx."""

    insights_provider: Literal["auto", "gemini", "openai", "local", "extractive", "none"] = "auto"
    """What generates insights. `auto`: Gemini with a key, else an OpenAI-compatible endpoint if one
    is configured, else `local` if `LOCAL_LLM_MODEL` is on this machine, else `extractive`, which
    needs no language model."""

    gemini_api_key: SecretStr | None = None
    """Google AI key."""

    gemini_model: str = "gemini-3.8-flash"
    """Gemini model id. Retired ids give a warning at start-up that names the replacement."""

    openai_base_url: str | None = None
    """Any OpenAI-compatible server: Ollama, vLLM, llama.cpp, OpenAI."""

    openai_api_key: SecretStr | None = None
    """Its key; local servers need none."""

    openai_model: str | None = None
    """Model name sent to that server."""

    local_llm_model: str | None = None
    """A language model that runs on this machine: a GGUF file, or a Hub id
    `owner/repository/file.gguf` that `echostream models download llm` has fetched."""

    insights_template: str = GENERAL.name
    """Template of insights that name none: one of those that `GET /insights/templates` lists."""

    insights_timeout_s: float | None = Field(None, gt=0)
    """How long to wait for one answer of an insights provider. Unset: a minute; ten for a model on
    this machine, and as long again while that answers others."""

    insights_context_tokens: int | None = Field(None, ge=1_000)
    """Transcript tokens sent in one call; a longer transcript is split on segments and merged.
    Unset: 100000; for a model on this machine, what suits it and the memory."""

    max_upload_mb: int = Field(500, ge=1)
    """Largest upload or download, in MiB; above it 413 `audio_too_large`."""

    max_audio_seconds: int = Field(14_400, ge=1)
    """Longest audio; above it 413 `audio_too_long`."""

    decode_timeout_s: float = Field(600.0, gt=0)
    """Longest time ffmpeg may take for one file."""

    fetch_timeout_s: float = Field(120.0, gt=0)
    """Longest time a download of `audioUrl` may take in total."""

    allow_private_urls: bool = False
    """Let `audioUrl` and `callbackUrl` reach private addresses. For development only."""

    worker_concurrency: int | None = Field(None, ge=1)
    """Transcriptions at once on this host. Unset: two jobs, and of uploads as many as Whisper reads
    together: two for each CPU, eight at most."""

    max_waiting: int = Field(16, ge=0)
    """Requests that may wait for a free transcription; beyond that 503 `server_busy`."""

    max_wait_s: float = Field(600.0, gt=0)
    """How long a request waits for a free transcription before 503 `server_busy`. Jobs wait as long
    as it takes."""

    rate_limit: int | None = Field(None, ge=1)
    """Requests a minute, and Socket.IO connections, of one token, or without tokens of one address;
    above it 429 `rate_limited`. Each of `WEB_CONCURRENCY` processes allows its share. A proxy on
    this host tells addresses; one elsewhere must be in `FORWARDED_ALLOW_IPS`. Unset: any number."""

    max_connections_per_address: int = Field(500, ge=1)
    """Connections of one address at a time, and Socket.IO sessions; above it 429 `rate_limited`.
    Each of `WEB_CONCURRENCY` processes counts its own and allows twice its share. Behind a proxy
    that is on this host or in `FORWARDED_ALLOW_IPS`, requests at a time of the address that it
    tells; other proxies are one address."""

    max_live_sessions: int | None = Field(None, ge=1)
    """Live sessions this host accepts; beyond that `server_busy`. A session whose channels are read
    apart counts once for each. Unset: two for each CPU."""

    live_resume_s: float = Field(60.0, gt=0)
    """How long a live session waits for a client whose connection has dropped."""

    live_idle_s: float = Field(300.0, gt=0)
    """How long a live session waits for audio before it ends."""

    live_kept_s: int | None = Field(None, ge=1, le=86_400)
    """How many seconds of a live session's audio are kept on disk until it ends, for its final pass
    and its speakers; 115 MB for an hour of each channel that is read apart. Longer sessions only
    have their live transcript. Unset: `MAX_AUDIO_SECONDS`."""

    shutdown_grace_s: float = Field(25.0, ge=0)
    """How long after SIGTERM the last process has gone. Requests and jobs go on for all of it but
    the last 5 s (half of it, if it is shorter than 10 s); what still runs then is answered with
    `server_busy` or, if it is a job, handed back."""

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

    @field_validator("cors_origins", "allowed_hosts", "vocabulary", "whisper_models", mode="before")
    @classmethod
    def _split_commas(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("api_bearer_token")
    @classmethod
    def _refuse_useless_token(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            check_token(value.get_secret_value())
        return value

    @field_validator("api_tokens", mode="before")
    @classmethod
    def _read_tokens(cls, value: object) -> object:
        return read_tokens(value.split(",")) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check_tokens_differ(self) -> Self:
        try:
            check_apart(self.named_tokens)
        except ValueError as error:
            raise ValueError(f"API_TOKENS: {error}") from None
        return self

    @field_validator("insights_template")
    @classmethod
    def _check_template(cls, value: str) -> str:
        if value not in BUILT_IN:
            raise ValueError(f"must be one of {', '.join(BUILT_IN)}")
        return value

    @field_validator("openai_base_url", "otel_exporter_otlp_endpoint")
    @classmethod
    def _check_http_url(cls, value: str | None) -> str | None:
        if value is not None:
            check_url(value, "http", "https")
        return value

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
    def named_tokens(self) -> tuple[NamedToken, ...]:
        """Those that are set, without those of the file."""
        if self.api_bearer_token is None:
            return self.api_tokens
        return (NamedToken(ADMINISTRATOR, self.api_bearer_token), *self.api_tokens)

    @property
    def needs_token(self) -> bool:
        return bool(self.named_tokens) or self.api_tokens_file is not None

    def share_of(self, limit: float) -> float:
        """What each process allows of a limit: connections are spread evenly over them."""
        return limit / self.web_concurrency

    @property
    def connections_per_address(self) -> int:
        """Of one process: twice its share, as a client's few connections do not spread evenly."""
        share = math.ceil(2 * self.share_of(self.max_connections_per_address))
        return min(self.max_connections_per_address, max(share, _LEAST_CONNECTIONS))

    @property
    def jobs_at_once(self) -> int:
        return self.worker_concurrency or 2

    @property
    def recordings_at_once(self) -> int:
        return self.worker_concurrency or max(2, windows_at_once())

    @property
    def other_models(self) -> tuple[str, ...]:
        """Those that may be asked for beside the default."""
        return tuple(
            dict.fromkeys(name for name in self.whisper_models if name != self.whisper_model)
        )

    @property
    def live_sessions(self) -> int:
        return self.max_live_sessions or 2 * cpu_count()

    @property
    def live_audio_kept_s(self) -> int:
        return self.live_kept_s or min(self.max_audio_seconds, 86_400)

    @property
    def webhook_queue_name(self) -> str:
        return f"{self.queue_name}-webhooks"

    @property
    def max_upload_bytes(self) -> int:
        return self.max_upload_mb * 1024 * 1024


def check_webhook_secret(secret: str) -> None:
    """Raises ValueError, without the secret in its message, for one that cannot sign.

    Stricter than the library, which skips over characters that are not base64.
    """
    prefix, encoded = secret[: len(_SECRET_PREFIX)], secret[len(_SECRET_PREFIX) :]
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except ValueError:
        key = b""
    if prefix != _SECRET_PREFIX or not _MIN_KEY_BYTES <= len(key) <= _MAX_KEY_BYTES:
        raise ValueError(
            f"must be {_SECRET_PREFIX} and {_MIN_KEY_BYTES} to {_MAX_KEY_BYTES} random bytes in "
            f'base64; make one with: echo "{_SECRET_PREFIX}$(openssl rand -base64 32)"'
        )
