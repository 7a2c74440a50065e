"""Messages between a language model's process and those that use it.

A connection stands for one call: it starts with `Chat`, which is answered by `Begun`, by any number
of `Text` and by `Ended`. Closing it stops the model.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from echostream.llm.calls import Message


@dataclass(frozen=True, slots=True)
class Chat:
    """Asks for an answer of at most `most_tokens`, which fits the JSON schema if there is one."""

    messages: Sequence[Message]
    schema: dict[str, Any] | None
    most_tokens: int


@dataclass(frozen=True, slots=True)
class Begun:
    """It is the call's turn, and the model is loaded."""


@dataclass(frozen=True, slots=True)
class Text:
    """The next piece of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The answer is over. `is_cut` if it was not complete."""

    is_cut: bool
    sent: int
    written: int
