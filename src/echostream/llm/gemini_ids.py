"""Gemini models that Google has shut down, and what is used in their place."""

from dataclasses import dataclass
from datetime import date

import structlog

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


def current_gemini_model(model: str, today: date) -> str:
    """`model`, or its replacement once Google has shut it down. Warns about retired ids.

    A model that still works for a while is kept: the user chooses which model reads a meeting, as
    long as that choice can be honoured.
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
