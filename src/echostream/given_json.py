"""JSON that others have written.

`json.loads` calls itself for every level, so a few kilobytes of brackets fill the stack. Whatever
the garbage collector ends at that moment then fails too, and connections of others lose their
clean-up. This parser refuses deep text instead, and text of so many values that building them would
keep everybody else waiting.
"""

import json
from typing import Any

from pydantic_core import from_json

_MOST_VALUES = 600_000
"""A transcript of four hours with word times has about 350,000. This many take half a second."""


def parse(given: str | bytes | bytearray, *, most_values: int = _MOST_VALUES) -> Any:
    """Returns the value of a JSON text. Raises ValueError if it is not valid JSON or not valid
    Unicode, is nested more than 200 deep, or may have more than `most_values` values."""
    if isinstance(given, str):
        text: bytes | bytearray = given.encode()
    elif (encoding := json.detect_encoding(given)) == "utf-8":
        text = given
    else:  # UTF-16, UTF-32 or a byte order mark, which `json.loads` reads as well
        text = given.decode(encoding).encode()
    # Signs within strings count too; nobody writes that many.
    if sum(map(text.count, (b",", b"[", b"{"))) > most_values:
        raise ValueError(f"more than {most_values} values")
    return from_json(text)
