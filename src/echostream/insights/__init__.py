"""Insights: summary, topics, action items and sentiment of a transcript, each with its evidence."""

from echostream.insights.base import InsightsProvider
from echostream.insights.fallback import FallbackInsights
from echostream.insights.offline import ExtractiveInsights
from echostream.insights.parts import ModelInsights
from echostream.llm import load_gemini, load_openai
from echostream.settings import Settings

__all__ = [
    "ExtractiveInsights",
    "FallbackInsights",
    "InsightsProvider",
    "ModelInsights",
    "choose_provider",
    "load_insights",
]


def load_insights(settings: Settings) -> InsightsProvider | None:
    """The provider from the settings, with the extractive one as its backup; None for `none`.

    Raises InsightsError if the settings name a provider but lack the key or address it needs, and
    MissingExtra if its library is not installed.
    """
    chosen = choose_provider(settings)
    if chosen == "none":
        return None
    if chosen == "extractive":
        return ExtractiveInsights()
    model = load_gemini(settings) if chosen == "gemini" else load_openai(settings)
    primary = ModelInsights(model, settings.insights_context_tokens)
    return FallbackInsights(primary, ExtractiveInsights())


def choose_provider(settings: Settings) -> str:
    """The provider's name, with `auto` resolved.

    `OPENAI_API_KEY` alone does not select OpenAI: many environments hold it for other tools, and
    transcripts must not leave the machine because of it.
    """
    if settings.insights_provider != "auto":
        return settings.insights_provider
    if settings.gemini_api_key is not None:
        return "gemini"
    return "openai" if settings.openai_base_url is not None else "extractive"
