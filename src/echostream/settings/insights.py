"""What generates insights."""

from typing import Literal

from pydantic import Field, SecretStr, field_validator

from echostream.settings.group import HttpUrl, SettingsGroup
from echostream.templates import BUILT_IN, GENERAL


class InsightsSettings(SettingsGroup):
    """Insights."""

    insights_provider: Literal["auto", "gemini", "openai", "local", "extractive", "none"] = "auto"
    """What generates insights. `auto`: Gemini with a key, else an OpenAI-compatible endpoint if one
    is configured, else `local` if `LOCAL_LLM_MODEL` is on this machine, else `extractive`, which
    needs no language model."""

    gemini_api_key: SecretStr | None = None
    """Google AI key."""

    gemini_model: str = "gemini-3.8-flash"
    """Gemini model id. Retired ids give a warning at start-up that names the replacement."""

    openai_base_url: HttpUrl | None = None
    """Any OpenAI-compatible server: Ollama, vLLM, llama.cpp, OpenAI."""

    openai_api_key: SecretStr | None = None
    """Key of that server; local servers need none."""

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

    @field_validator("insights_template")
    @classmethod
    def _check_template(cls, value: str) -> str:
        if value not in BUILT_IN:
            raise ValueError(f"must be one of {', '.join(BUILT_IN)}")
        return value
