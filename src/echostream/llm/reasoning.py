"""What reasoning models write before their answer, between <think> and </think>."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

_BEGIN, _END = "<think>", "</think>"


def after_reasoning(text: str) -> str:
    """The answer in `text`; empty if the reasoning never ends."""
    if text.lstrip().startswith(_BEGIN):
        return text.partition(_END)[2].lstrip()
    return text


async def without_reasoning(pieces: AsyncGenerator[str]) -> AsyncGenerator[str]:
    """The pieces of an answer, from where the reasoning ends."""
    held: str | None = ""
    async with aclosing(pieces):
        async for piece in pieces:
            if held is None:
                yield piece
                continue
            held += piece
            if (answer := _certain(held)) is not None:
                held = None
                if answer:
                    yield answer
    if held and (answer := after_reasoning(held)):
        yield answer


def _certain(text: str) -> str | None:
    """The answer as far as it is in `text`; None if it may still turn out to be reasoning."""
    begun = text.lstrip()
    if _BEGIN.startswith(begun[: len(_BEGIN)]) and _END not in begun:
        return None
    return after_reasoning(text)
