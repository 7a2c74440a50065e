"""Language models. One adapter for each library; only this room imports google-genai, openai or
xllamacpp."""

from datetime import date
from pathlib import Path

import structlog

from echostream.children import Service
from echostream.errors import MissingExtra
from echostream.llm.base import InsightsError, LanguageModel
from echostream.settings import Settings

__all__ = [
    "LanguageModel",
    "choose_provider",
    "load_language_model",
    "load_other_models",
    "local_server_beside",
]

log = structlog.get_logger()

_TIMEOUT_S = 60.0
_LOCAL_TIMEOUT_S = 600.0
"""On a CPU, a part of a transcript takes minutes."""

# The adapters are imported when they are used: each SDK takes half a second to load.


def choose_provider(settings: Settings) -> str:
    """The provider's name, with `auto` resolved."""
    return _providers(settings)[0]


def _providers(settings: Settings) -> list[str]:
    """The providers in use, the default one first. A named one is the only one: an operator who
    wrote `local` did not mean that a client may send its transcript to a cloud.

    `OPENAI_API_KEY` alone does not select OpenAI: many environments hold it for other tools, and
    transcripts must not leave the machine because of it.
    """
    if settings.insights_provider != "auto":
        return [settings.insights_provider]
    is_set_up = {
        "gemini": settings.gemini_api_key is not None,
        "openai": settings.openai_base_url is not None,
        "local": _is_on_this_machine(settings.local_llm_model),
    }
    return [name for name, found in is_set_up.items() if found] or ["extractive"]


def load_language_model(settings: Settings, folder: Path | None = None) -> LanguageModel | None:
    """The language model from the settings; None if insights are made without one, or not at all.

    `folder` is where the process of a local model answers that others keep alive; without it, the
    model gets a process of its own. Raises InsightsError if the settings name a provider but lack
    what it needs, and MissingExtra if its library is not installed.
    """
    return _load(choose_provider(settings), settings, folder)


def load_other_models(settings: Settings, folder: Path | None = None) -> list[LanguageModel]:
    """The language models that callers may ask for beside the default one. One that cannot be used
    is left out, as nothing depends on it. `folder` is that of `load_language_model`."""
    found = []
    for provider in _providers(settings)[1:]:
        try:
            model = _load(provider, settings, folder)
        except (InsightsError, MissingExtra) as error:
            log.warning("insights_model_left_out", provider=provider, reason=str(error))
        else:
            found += [model] if model else []
    return found


def _load(provider: str, settings: Settings, folder: Path | None) -> LanguageModel | None:
    match provider:
        case "gemini":
            return load_gemini(settings)
        case "openai":
            return load_openai(settings)
        case "local":
            return load_local(settings, folder)
    return None


def load_gemini(settings: Settings) -> LanguageModel:
    """Raises InsightsError if the settings hold no API key."""
    from echostream.llm.gemini import GeminiModel
    from echostream.llm.gemini_ids import current_gemini_model

    if settings.gemini_api_key is None:
        raise InsightsError("INSIGHTS_PROVIDER=gemini needs GEMINI_API_KEY")
    return GeminiModel(
        settings.gemini_api_key,
        current_gemini_model(settings.gemini_model, date.today()),
        timeout_s=settings.insights_timeout_s or _TIMEOUT_S,
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
        timeout_s=settings.insights_timeout_s or _TIMEOUT_S,
    )


def load_local(settings: Settings, folder: Path | None) -> LanguageModel:
    """Raises InsightsError if the model is not on this machine."""
    from echostream.llm.local.model import LocalModel
    from echostream.llm.local.models import open_model
    from echostream.llm.local.server import SOCKET, OwnServer, SharedServer, server_command

    file = open_model(settings)
    server = (
        SharedServer(folder / SOCKET)
        if folder
        else OwnServer(server_command(file, settings.model_idle_s))
    )
    return LocalModel(file, server, settings.insights_timeout_s or _LOCAL_TIMEOUT_S)


def local_server_beside(settings: Settings, folder: Path) -> Service | None:
    """What keeps a local model's process alive, which answers in `folder`; None without one."""
    providers = _providers(settings)
    if "local" not in providers:
        return None
    from echostream.llm.local.models import open_model
    from echostream.llm.local.server import SOCKET, ServerChild, server_command

    try:
        file = open_model(settings)
    except (InsightsError, MissingExtra):
        if providers[0] == "local":
            raise
        return None  # the API leaves it out, and says so
    return ServerChild(server_command(file, settings.model_idle_s), folder / SOCKET)


def _is_on_this_machine(model: str | None) -> bool:
    if model is None:
        return False
    from echostream.llm.local.models import find_file

    return find_file(model) is not None
