"""What the language models have in common: the protocol, errors, and when calls are repeated.

    InsightsError
    ├── Transient             the same call may succeed later
    ├── ProviderUnavailable   no call can succeed for now
    └── TooLong               a shorter text may succeed

The three tell the code above what a failed call means for its other calls. Clients never see them.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import structlog
from pydantic import BaseModel, ConfigDict

from echostream.domain import Tokens
from echostream.errors import EchoStreamError

_log = structlog.get_logger()
_T = TypeVar("_T")


class Answer(BaseModel):
    """Base of the shapes that answers have.

    Unknown fields are ignored when an answer is read, and forbidden in the schema that is sent.
    """

    model_config = ConfigDict(
        extra="ignore",
        json_schema_extra={"additionalProperties": False},
        json_schema_serialization_defaults_required=True,
    )


Shape = TypeVar("Shape", bound=Answer)


@dataclass(frozen=True, slots=True)
class Prompt:
    """`system` holds our instructions; `data` holds everything that came from the recording."""

    system: str
    data: str


class Usage:
    """Counts the tokens of several calls, also of those that fail."""

    def __init__(self) -> None:
        self.tokens = Tokens()

    def add(self, sent: int | None, written: int | None) -> None:
        """Adds one call's; None if the server does not say."""
        before = self.tokens
        self.tokens = Tokens(before.sent + (sent or 0), before.written + (written or 0))


@dataclass(frozen=True, slots=True)
class Limits:
    """`context_tokens` is how much of a transcript fits into one call; None if only the settings
    say. More calls than `calls_at_once` of one transcript would only wait for each other."""

    context_tokens: int | None = None
    calls_at_once: int = 4


class LanguageModel(Protocol):
    """Answers prompts, in text or in JSON. One instance serves many concurrent calls of one event
    loop. Every call is retried as needed, adds its tokens to `usage`, and raises InsightsError."""

    @property
    def name(self) -> str:
        """The provider's name in the settings and in `meta.provider`."""

    @property
    def model(self) -> str | None:
        """The model's id; None if it is not known yet."""

    @property
    def limits(self) -> Limits:
        """What it can take."""

    async def complete(self, prompt: Prompt, usage: Usage) -> str:
        """The model's answer as text."""

    async def answer(self, prompt: Prompt, shape: type[Shape], usage: Usage) -> Shape:
        """The model's answer as a `shape`, whose JSON schema it is given."""

    def stream(self, prompt: Prompt, usage: Usage) -> AsyncGenerator[str]:
        """The model's answer as text, piece by piece. Closing it stops the model. It is not retried
        once it has begun."""

    async def aclose(self) -> None:
        """Closes connections. The model is not used afterwards."""


class InsightsError(EchoStreamError):
    """A provider gave no usable insights. Clients never see it: they get degraded insights."""

    code = "insights_failed"
    status = 502


class Transient(InsightsError):
    """The same call may succeed later: after `retry_after_s` if the server named a time."""


class ProviderUnavailable(InsightsError):
    """No call can succeed for now: bad key, unknown model, or used-up quota."""


class TooLong(InsightsError):
    """The request did not fit the model, or its answer was cut off; a shorter text may fit."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a call is tried, and how long to wait in between. Nothing else repeats calls.

    If a server asks for a wait longer than `longest_wait_s`, the call fails at once, because an
    earlier attempt would fail too; 60 s covers every per-minute quota.
    """

    attempts: int = 3
    first_wait_s: float = 1.0
    longest_wait_s: float = 60.0


async def with_retries(call: Callable[[], Awaitable[_T]], policy: RetryPolicy) -> _T:
    """The result of `call`, repeated while it raises Transient; the last failure is raised."""
    for attempt in range(1, policy.attempts + 1):
        try:
            return await call()
        except Transient as error:
            wait_s = error.retry_after_s
            if wait_s is None:
                wait_s = policy.first_wait_s * 2 ** (attempt - 1)
            if attempt == policy.attempts or wait_s > policy.longest_wait_s:
                raise
            _log.info("insights_retry", reason=str(error), attempt=attempt, wait_s=wait_s)
            await asyncio.sleep(wait_s)
    raise InsightsError("the provider was not called: no attempts are allowed")
