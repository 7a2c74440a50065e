"""Fields that requests share, and their validation."""

import json
import re
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationError,
)

from echostream.errors import InvalidRequest

M = TypeVar("M", bound=BaseModel)

LANGUAGE_PATTERN = r"([A-Za-z]{2,3})([-_][A-Za-z0-9]{2,8})*"


def _normal_language(code: str) -> str:
    """`en-US` and `EN` are both `en` to an engine."""
    match = re.fullmatch(LANGUAGE_PATTERN, code.strip())
    if match is None:
        raise ValueError("must be an ISO 639-1 code such as 'en'")
    return match[1].lower()


Language = Annotated[str, AfterValidator(_normal_language)]

_MOST_HOTWORDS = 500


def _as_list(given: object) -> object:
    """A form has names separated by commas or lines, or a JSON list; JSON has a list."""
    if not isinstance(given, str):
        return given
    if given.lstrip().startswith("["):
        try:
            return json.loads(given)
        except ValueError as error:
            raise ValueError("must be names separated by commas, or a JSON list") from error
    return [name.strip() for name in re.split(r"[,;\n]", given) if name.strip()]


Hotword = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Hotwords = Annotated[
    tuple[Hotword, ...], BeforeValidator(_as_list), Field(max_length=_MOST_HOTWORDS)
]
"""Names and terms that are likely to be said."""
MaxLineChars = Annotated[
    int, Field(ge=10, le=200, description="Columns of a line of subtitles, of which there are two.")
]
MaxCueSeconds = Annotated[
    float, Field(ge=1, le=60, description="Longest time a subtitle is shown.")
]
HOTWORDS_NAMES = AliasChoices("hotwords", "keywords")


def validated(model: type[M], values: dict[str, Any]) -> M:
    """`values` as a model. Raises InvalidRequest that names the first field at fault."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        reason = first["msg"].removeprefix("Value error, ")
        raise InvalidRequest(f"{where}: {reason}") from error
