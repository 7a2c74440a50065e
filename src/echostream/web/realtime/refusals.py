"""Why an event of a client is refused, in OpenAI's words for it."""

from typing import Any

from pydantic import ValidationError

from echostream.errors import EventRefused

_MOST_SHOWN = 100
"""How many characters of a client's own words are repeated to it."""


def missing(param: str) -> EventRefused:
    message = f"Missing required parameter: '{param}'."
    return EventRefused("missing_required_parameter", message, param=param)


def invalid(param: str, message: str) -> EventRefused:
    return EventRefused("invalid_value", message, param=param)


def refusal_of(error: ValidationError, *above: str) -> EventRefused:
    """The first fault that was found; its field lies in the objects `above`."""
    first = error.errors(include_url=False)[0]
    param = ".".join([*above, *_fields(first["loc"])])[:_MOST_SHOWN]
    match first["type"]:
        case "extra_forbidden":
            return EventRefused("unknown_parameter", f"Unknown parameter: '{param}'.", param=param)
        case "missing" | "union_tag_not_found":
            return missing(param)
    reason = first["msg"].removeprefix("Value error, ")
    given = first.get("input")
    shown = f" Got '{given}'." if isinstance(given, str | int | float) and _is_short(given) else ""
    return invalid(param, f"Invalid value for '{param}': {reason}.{shown}")


def _is_short(given: object) -> bool:
    return len(str(given)) <= _MOST_SHOWN


def _fields(place: tuple[Any, ...]) -> list[str]:
    """Names of fields, without the types that pydantic puts in between, such as `audio/pcm` and
    `session.update`."""
    return [str(part) for part in place if not {"/", "."} & set(str(part))]
