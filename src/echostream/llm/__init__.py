"""Language models. One adapter for each SDK; the only room that imports google-genai or openai."""

from datetime import date

from echostream.errors import InsightsError
from echostream.llm.base import LanguageModel
from echostream.settings import Settings

__all__ = ["LanguageModel", "load_gemini", "load_openai"]

# The adapters are imported when they are used: each SDK takes half a second to load.


def load_gemini(settings: Settings) -> LanguageModel:
    """Raises InsightsError if the settings hold no API key."""
    from echostream.llm.gemini import GeminiModel
    from echostream.llm.gemini_ids import current_gemini_model

    if settings.gemini_api_key is None:
        raise InsightsError("INSIGHTS_PROVIDER=gemini needs GEMINI_API_KEY")
    return GeminiModel(
        settings.gemini_api_key,
        current_gemini_model(settings.gemini_model, date.today()),
        timeout_s=settings.insights_timeout_s,
    )


def load_openai(settings: Settings) -> LanguageModel:
    """Raises InsightsError if the settings hold neither an address nor an API key."""
    from echostream.llm.openai_compat import OpenAIModel

    if settings.openai_base_url is None and settings.openai_api_key is None:
        raise InsightsError("INSIGHTS_PROVIDER=openai needs OPENAI_BASE_URL or OPENAI_API_KEY")
    return OpenAIModel(
        base_url=settings.openai_base_url,
        api_key=settings.openai_api_key,
        model=settings.openai_model,
        timeout_s=settings.insights_timeout_s,
    )
