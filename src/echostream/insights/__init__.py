"""Insights: summary, topics, action items and sentiment of a transcript, checked and sourced."""

from dataclasses import dataclass
from datetime import date

import structlog

from echostream.domain import Insights, Transcript
from echostream.errors import InsightsError
from echostream.insights.base import InsightsProvider
from echostream.insights.extractive import ExtractiveInsights
from echostream.insights.parts import degraded
from echostream.settings import Settings

__all__ = [
    "ExtractiveInsights",
    "FallbackInsights",
    "InsightsProvider",
    "choose_provider",
    "current_gemini_model",
    "load_insights",
]

_log = structlog.get_logger()

_FLASH = "gemini-3.8-flash"
_FLASH_LITE = "gemini-3.5-flash-lite"
_GONE = date.min


@dataclass(frozen=True, slots=True)
class _Retired:
    prefix: str
    gone_on: date


_RETIRED = (
    _Retired("gemini-1.", _GONE),
    _Retired("gemini-2.0-", _GONE),
    _Retired("gemini-pro", _GONE),
    _Retired("gemini-ultra", _GONE),
    _Retired("gemini-2.5-", date(2026, 12, 1)),
)
"""https://ai.google.dev/gemini-api/docs/deprecations"""


class FallbackInsights:
    """The insights of `primary`, or degraded ones of `backup` when it fails.

    No failure of a provider reaches the caller, so a transcript is never lost over its insights.
    """

    def __init__(self, primary: InsightsProvider, backup: InsightsProvider) -> None:
        self._primary = primary
        self._backup = backup

    @property
    def name(self) -> str:
        """The first choice; `meta.provider` says who it was in the end."""
        return self._primary.name

    @property
    def model(self) -> str | None:
        """The first choice's model."""
        return self._primary.model

    async def analyse(self, transcript: Transcript) -> Insights:
        """Insights of either provider; `meta.degraded_reason` says why it was the second."""
        try:
            return await self._primary.analyse(transcript)
        except InsightsError as error:
            reason = f"{self.name}: {error}"
            _log.warning("insights_degraded", provider=self.name, reason=str(error))
        except Exception as error:
            # A fault of our own must not cost the transcript either. Only the type is logged:
            # the message of an unknown error may quote what was sent.
            reason = f"{self.name}: failed unexpectedly"
            _log.error("insights_failed", provider=self.name, error=type(error).__name__)
        return degraded(await self._backup.analyse(transcript), reason)

    async def aclose(self) -> None:
        """Close both."""
        await self._primary.aclose()
        await self._backup.aclose()


def load_insights(settings: Settings) -> InsightsProvider | None:
    """The provider the settings ask for, with the extractive one behind it; None for `none`.

    Raises InsightsError when a provider is asked for by name without what it needs, and
    MissingExtra when its library is not installed.
    """
    chosen = choose_provider(settings)
    if chosen == "none":
        return None
    if chosen == "extractive":
        return ExtractiveInsights()
    primary = _gemini(settings) if chosen == "gemini" else _openai(settings)
    return FallbackInsights(primary, ExtractiveInsights())


def choose_provider(settings: Settings) -> str:
    """The provider's word, `auto` resolved.

    An `OPENAI_API_KEY` alone configures no endpoint: it lies in many environments for other
    tools, and transcripts must not leave the machine because of it.
    """
    if settings.insights_provider != "auto":
        return settings.insights_provider
    if settings.gemini_api_key is not None:
        return "gemini"
    return "openai" if settings.openai_base_url is not None else "extractive"


def current_gemini_model(model: str, today: date) -> str:
    """`model`, or its replacement once Google has shut it down. Warns about retired ids.

    An id that still works, but not for long, is kept: which model reads a meeting is the user's
    choice until it cannot be honoured.
    """
    bare = model.removeprefix("models/")
    retired = next((each for each in _RETIRED if bare.startswith(each.prefix)), None)
    if retired is None:
        return model
    replacement = _FLASH_LITE if "lite" in bare or "8b" in bare else _FLASH
    gone = today >= retired.gone_on
    _log.warning(
        "gemini_model_retired",
        model=model,
        replacement=replacement,
        using=replacement if gone else model,
        gone_on=None if retired.gone_on == _GONE else retired.gone_on.isoformat(),
    )
    return replacement if gone else model


def _gemini(settings: Settings) -> InsightsProvider:
    from echostream.insights.gemini import GeminiInsights

    if settings.gemini_api_key is None:
        raise InsightsError("INSIGHTS_PROVIDER=gemini needs GEMINI_API_KEY")
    return GeminiInsights(
        settings.gemini_api_key,
        current_gemini_model(settings.gemini_model, date.today()),
        timeout_s=settings.insights_timeout_s,
        context_tokens=settings.insights_context_tokens,
    )


def _openai(settings: Settings) -> InsightsProvider:
    from echostream.insights.openai_compat import OpenAIInsights

    if settings.openai_base_url is None and settings.openai_api_key is None:
        raise InsightsError("INSIGHTS_PROVIDER=openai needs OPENAI_BASE_URL or OPENAI_API_KEY")
    return OpenAIInsights(
        base_url=settings.openai_base_url,
        api_key=settings.openai_api_key,
        model=settings.openai_model,
        timeout_s=settings.insights_timeout_s,
        context_tokens=settings.insights_context_tokens,
    )
