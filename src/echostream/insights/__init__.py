"""Insights: summary, topics, action items and sentiment of a transcript, each with its evidence."""

from collections.abc import Sequence

from echostream.insights.base import InsightsProvider
from echostream.insights.choice import OFFLINE, InsightsChoice
from echostream.insights.due_dates import with_due_dates
from echostream.insights.fallback import FallbackInsights
from echostream.insights.offline import ExtractiveInsights
from echostream.insights.offline_answers import OfflineAnswers
from echostream.insights.parts import ModelInsights
from echostream.insights.questions import Questions
from echostream.llm import LanguageModel, choose_provider
from echostream.settings import Settings

__all__ = [
    "OFFLINE",
    "ExtractiveInsights",
    "FallbackInsights",
    "InsightsChoice",
    "InsightsProvider",
    "ModelInsights",
    "OfflineAnswers",
    "Questions",
    "load_choice",
    "load_insights",
    "load_questions",
    "with_due_dates",
]

_CONTEXT_TOKENS = 100_000


def load_insights(settings: Settings, model: LanguageModel | None) -> InsightsProvider | None:
    """The provider, which closes `model`; the offline one is its backup. None for `none`."""
    if choose_provider(settings) == "none":
        return None
    if model is None:
        return OfflineAnswers(ExtractiveInsights())
    primary = ModelInsights(
        model, _context_tokens(settings, model), calls_at_once=model.limits.calls_at_once
    )
    return FallbackInsights(primary, ExtractiveInsights())


def load_choice(
    settings: Settings, model: LanguageModel | None, others: Sequence[LanguageModel] = ()
) -> InsightsChoice:
    """What callers may choose from: `model` first, then `others`, then insights without a model."""
    default = load_insights(settings, model)
    found = [provider for each in others if (provider := load_insights(settings, each))]
    if model is not None:
        found.append(OfflineAnswers(ExtractiveInsights()))
    return InsightsChoice(default, found)


def load_questions(settings: Settings, model: LanguageModel | None) -> Questions | None:
    """Answers questions with `model`; None without one."""
    return Questions(model, _context_tokens(settings, model)) if model else None


def _context_tokens(settings: Settings, model: LanguageModel) -> int:
    """How much of a transcript the model reads in one call."""
    wanted = settings.insights_context_tokens or _CONTEXT_TOKENS
    return min(wanted, model.limits.context_tokens or wanted)
