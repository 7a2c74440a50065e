"""Insights: summary, topics, action items and sentiment of a transcript, each with its evidence."""

from echostream.insights.base import InsightsProvider
from echostream.insights.fallback import FallbackInsights
from echostream.insights.offline import ExtractiveInsights
from echostream.insights.offline_answers import OfflineAnswers
from echostream.insights.parts import ModelInsights
from echostream.insights.questions import Questions
from echostream.llm import LanguageModel, load_gemini, load_openai
from echostream.settings import Settings

__all__ = [
    "ExtractiveInsights",
    "FallbackInsights",
    "InsightsProvider",
    "ModelInsights",
    "OfflineAnswers",
    "Questions",
    "choose_provider",
    "load_insights",
    "load_language_model",
    "load_questions",
]


def load_language_model(settings: Settings) -> LanguageModel | None:
    """The language model from the settings; None if insights are made without one, or not at all.

    Raises InsightsError if the settings name a provider but lack the key or address it needs, and
    MissingExtra if its library is not installed.
    """
    loaders = {"gemini": load_gemini, "openai": load_openai}
    load = loaders.get(choose_provider(settings))
    return load(settings) if load else None


def load_insights(settings: Settings, model: LanguageModel | None) -> InsightsProvider | None:
    """The provider, which closes `model`; the offline one is its backup. None for `none`."""
    if choose_provider(settings) == "none":
        return None
    if model is None:
        return OfflineAnswers(ExtractiveInsights())
    primary = ModelInsights(model, settings.insights_context_tokens)
    return FallbackInsights(primary, ExtractiveInsights())


def load_questions(settings: Settings, model: LanguageModel | None) -> Questions | None:
    """Answers questions with `model`; None without one."""
    return Questions(model, settings.insights_context_tokens) if model else None


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
