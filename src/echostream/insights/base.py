"""What every insights provider keeps to: the protocol, how calls fail, and when they are repeated.

The failures below are how an adapter tells the code above it what a failed call means for the
other calls of the same transcript; outside this package they are all `InsightsError`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import structlog

from echostream.domain import Details, Insights, InsightsMeta, Sentiment, Transcript
from echostream.errors import InsightsError

_log = structlog.get_logger()
_T = TypeVar("_T")


class InsightsProvider(Protocol):
    """Draws insights from a transcript. One instance serves many concurrent calls of one loop."""

    @property
    def name(self) -> str:
        """The provider's word in settings and in `meta.provider`."""

    @property
    def model(self) -> str | None:
        """The model behind it, None where there is none or it is not known yet."""

    async def analyse(self, transcript: Transcript) -> Insights:
        """Raises InsightsError when nothing usable came of it. Never calls out for no speech."""

    async def aclose(self) -> None:
        """Releases connections. The provider is not used afterwards."""


class Transient(InsightsError):
    """The same call may succeed later: after `retry_after_s` where the server named a time."""

    retryable = True


class ProviderUnavailable(InsightsError):
    """No call can succeed for now, whatever it asks: bad key, unknown model, spent quota."""


class TooLong(InsightsError):
    """The request did not fit the model or its answer was cut off; less text at once may do."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often one call is made and the waits between. The only layer that repeats calls.

    A server that asks for more than `longest_wait_s` is not waited for, since asking earlier
    would fail again; 60 s covers every per-minute quota.
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


def no_speech(provider: str, model: str | None) -> Insights:
    """The insights of a transcript without words: empty, neutral, and sure of nothing."""
    meta = InsightsMeta(provider=provider, model=model, coverage=1.0)
    return Insights("", (), Sentiment("neutral", 0.0), Details("", (), (), (), (), (), meta))
