"""What made insights and answers, in a plain line."""

from collections.abc import Mapping

from echostream_ui.library.values import Json

_MAKERS = {
    "extractive": "offline, without a language model: quotes only",
    "gemini": "by Google Gemini",
    "openai": "by a language model",
    "local": "by a language model on the API's machine",
}
OFFLINE = (
    "Made offline, from quotes of what was said. A language model writes summaries and fills a"
    " template's sections: set the API's `GEMINI_API_KEY`, `OPENAI_BASE_URL` or `LOCAL_LLM_MODEL`,"
    " as `docs/how-to/insights.md` shows."
)
"""What to do about insights without a language model."""

_WHOLE, _LEAST = 0.995, 0.01


def model_name(name: str) -> str:
    """Returns how a choice of what generates insights is shown."""
    return "None (offline: quotes only)" if name == "offline" else name


def made_by(meta: Json, templates: Mapping[str, str]) -> str:
    """What made insights: `Made by Google Gemini (gemini-2.5-flash). Template: Meeting. Only 40% of
    the text was read.` `templates` are titles by name."""
    template = str(meta.get("template") or "")
    used = f"Template: {templates.get(template, template)}" if template else ""
    return _sentences(_maker("Made", meta), used, _read(meta))


def answered_by(meta: Json) -> str:
    """What answered a question: `Answered by a language model (qwen3:8b).`"""
    return _sentences(_maker("Answered", meta), _read(meta))


def lacking(meta: Json) -> str | None:
    """Returns why less was made than was asked for, None if all was made."""
    if not meta.get("degraded"):
        return None
    reason = str(meta.get("degraded_reason") or "the reason is not known").rstrip(".")
    return f"Less was made than was asked for: {reason}."


def _maker(done: str, meta: Json) -> str:
    provider, model = str(meta.get("provider") or ""), meta.get("model")
    maker = _MAKERS.get(provider, f"by {provider}")
    return f"{done} {maker}" + (f" ({model})" if model else "") if provider else ""


def _read(meta: Json) -> str:
    coverage: float = meta.get("coverage", 1.0)
    if coverage >= _WHOLE:
        return ""
    if coverage < _LEAST:
        return f"Less than {_LEAST:.0%} of the text was read"
    return f"Only {coverage:.0%} of the text was read"


def _sentences(*parts: str) -> str:
    return " ".join(f"{part}." for part in parts if part)
