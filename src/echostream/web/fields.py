"""Fields that requests share, and their validation."""

import re
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ValidationError

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


def validated(model: type[M], values: dict[str, Any]) -> M:
    """`values` as a model. Raises InvalidRequest that names the first field at fault."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        reason = first["msg"].removeprefix("Value error, ")
        raise InvalidRequest(f"{where}: {reason}") from error
