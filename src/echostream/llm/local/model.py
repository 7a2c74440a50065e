"""A language model on this machine, as the rest of the program sees it."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

from echostream.links import Link, answered
from echostream.llm.answers import bounded_schema_of
from echostream.llm.base import (
    Answer,
    InsightsError,
    Limits,
    ProviderUnavailable,
    RetryPolicy,
    TooLong,
    Usage,
)
from echostream.llm.calls import CallingModel, Message
from echostream.llm.local.models import ModelFile
from echostream.llm.local.server import START_S, ModelServer
from echostream.llm.local.wire import Begun, Chat, Ended, Text

_ONCE = RetryPolicy(attempts=1)
"""What fails here, such as a call that ends the process, would fail again, and takes long."""
_ATTEMPTS = 3


class LocalModel(CallingModel):
    """The model in `file`, in the process of `server`.

    That answers one call after the other, for all of the machine: a call waits for its turn for up
    to `timeout_s`, and as long again for its answer.
    """

    name = "local"

    def __init__(self, file: ModelFile, server: ModelServer, timeout_s: float) -> None:
        super().__init__(START_S + 2 * timeout_s, _ONCE)
        self.model: str = file.name
        self.limits = Limits(file.part_tokens, calls_at_once=1)
        self._answer_tokens = file.answer_tokens
        self._server = server
        self._wait_s = timeout_s

    async def aclose(self) -> None:
        """Ends the process if it is ours."""
        await self._server.aclose()

    async def complete_once(
        self, messages: Sequence[Message], shape: type[Answer] | None, usage: Usage
    ) -> str:
        """See `CallingModel`."""
        schema = None if shape is None else bounded_schema_of(shape)
        async with aclosing(self._pieces(messages, schema, usage)) as pieces:
            return "".join([piece async for piece in pieces])

    def stream_once(self, messages: Sequence[Message], usage: Usage) -> AsyncGenerator[str]:
        """See `CallingModel`."""
        return self._pieces(messages, None, usage)

    async def _pieces(
        self, messages: Sequence[Message], schema: dict[str, Any] | None, usage: Usage
    ) -> AsyncGenerator[str]:
        link = await self._begun(Chat(messages, schema, self._answer_tokens))
        try:
            async for piece in self._answer(link, usage):
                yield piece
        except OSError as error:
            raise _ended() from error
        finally:
            link.close()

    async def _begun(self, asked: Chat) -> Link:
        """A connection on which the answer follows. If the process ends before that, because of
        another call, it is asked again."""
        for _ in range(_ATTEMPTS):
            link = await self._server.connect()
            try:
                await link.send(asked)
                await self._turn(link)
            except OSError:
                link.close()
            except BaseException:
                link.close()
                raise
            else:
                return link
        raise _ended()

    async def _turn(self, link: Link) -> None:
        """Waits until the model is loaded and has finished all earlier calls."""
        try:
            async with asyncio.timeout(self._wait_s):
                begun: Begun = answered(await link.receive())
        except TimeoutError:
            raise InsightsError(f"the model was busy for {self._wait_s:g} s") from None
        if not isinstance(begun, Begun):
            raise InsightsError("the language model's process gave no answer")

    async def _answer(self, link: Link, usage: Usage) -> AsyncGenerator[str]:
        ends_at = asyncio.get_running_loop().time() + self._wait_s
        while True:
            try:
                async with asyncio.timeout_at(ends_at):
                    message: Text | Ended = answered(await link.receive())
            except TimeoutError:
                raise InsightsError(f"the model did not answer in {self._wait_s:g} s") from None
            if isinstance(message, Ended):
                usage.add(message.sent, message.written)
                if message.is_cut:
                    raise TooLong("the model's answer was cut off")
                return
            yield message.text


def _ended() -> InsightsError:
    # Not just for this call: the next part of a transcript would probably end it again.
    return ProviderUnavailable("the language model's process ended unexpectedly")
