"""What all adapters of language models have in common: retries, the time limit, and repairs."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal

import structlog

from echostream.llm.answers import read_answer
from echostream.llm.base import (
    Answer,
    InsightsError,
    Limits,
    Prompt,
    RetryPolicy,
    Shape,
    Usage,
    with_retries,
)
from echostream.llm.reasoning import after_reasoning, without_reasoning

_log = structlog.get_logger()

_SHOWN_CHARS = 4_000


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation. The first one is the system's, and the only one."""

    role: Literal["system", "user", "assistant"]
    text: str


class CallingModel(ABC):
    """A LanguageModel whose adapter only makes single calls: `complete_once` and `stream_once`.

    Those raise InsightsError, or TimeoutError if the SDK waited too long. Retries, the limit for a
    whole call and repairs of answers that do not validate happen here and nowhere else.
    """

    name: str
    model: str | None
    limits: Limits = Limits()

    def __init__(self, timeout_s: float, retries: RetryPolicy) -> None:
        self._timeout_s = timeout_s
        self._retries = retries

    @abstractmethod
    async def complete_once(
        self, messages: Sequence[Message], shape: type[Answer] | None, usage: Usage
    ) -> str:
        """The text of one call, which is JSON if there is a `shape`."""

    @abstractmethod
    def stream_once(self, messages: Sequence[Message], usage: Usage) -> AsyncGenerator[str]:
        """The text of one call in pieces, none of them empty."""

    async def complete(self, prompt: Prompt, usage: Usage) -> str:
        """See `LanguageModel`."""
        return after_reasoning(await self._text(_messages(prompt), None, usage))

    async def answer(self, prompt: Prompt, shape: type[Shape], usage: Usage) -> Shape:
        """See `LanguageModel`. The model may repair its answer once."""
        messages = _messages(prompt)
        text = await self._text(messages, shape, usage)
        try:
            return read_answer(text, shape)
        except InsightsError as error:
            _log.info("insights_repair", reason=str(error))
            ask = f"That cannot be used: {error}. Answer again with the whole JSON object only."
            shown = [Message("assistant", text[:_SHOWN_CHARS]), Message("user", ask)]
        return read_answer(await self._text([*messages, *shown], shape, usage), shape)

    async def stream(self, prompt: Prompt, usage: Usage) -> AsyncGenerator[str]:
        """See `LanguageModel`."""
        messages = _messages(prompt)

        async def begin() -> tuple[AsyncGenerator[str], str]:
            pieces = without_reasoning(self._in_time(self.stream_once(messages, usage)))
            return pieces, await anext(pieces, "")

        pieces, first = await with_retries(begin, self._retries)
        async with aclosing(pieces):
            if first:
                yield first
            async for piece in pieces:
                yield piece

    async def _text(
        self, messages: Sequence[Message], shape: type[Answer] | None, usage: Usage
    ) -> str:
        async def call() -> str:
            try:
                # The limits of SDKs apply to each read or write; this one to the whole call.
                async with asyncio.timeout(self._timeout_s):
                    return await self.complete_once(messages, shape, usage)
            except TimeoutError as error:
                raise self._too_slow() from error

        return await with_retries(call, self._retries)

    async def _in_time(self, pieces: AsyncGenerator[str]) -> AsyncGenerator[str]:
        """`pieces`, all of them within the time limit."""
        ends_at = asyncio.get_running_loop().time() + self._timeout_s
        async with aclosing(pieces):
            while True:
                try:
                    async with asyncio.timeout_at(ends_at):
                        piece = await anext(pieces, "")
                except TimeoutError as error:
                    raise self._too_slow() from error
                if not piece:
                    return
                yield piece

    def _too_slow(self) -> InsightsError:
        return InsightsError(f"the model did not answer in {self._timeout_s:g} s")


def _messages(prompt: Prompt) -> list[Message]:
    return [Message("system", prompt.system), Message("user", prompt.data)]
