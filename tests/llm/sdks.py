"""Both SDKs alike, for tests that must hold for each of them."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from pydantic import SecretStr

from echostream.llm.base import RetryPolicy
from echostream.llm.calls import CallingModel
from echostream.llm.gemini import GeminiModel
from echostream.llm.openai_compat import OpenAIModel
from llm.standins import (
    KEY,
    Reply,
    Request,
    gemini_reply,
    gemini_stream,
    openai_reply,
    openai_stream,
)

QUICK = RetryPolicy(attempts=3, first_wait_s=0.01, longest_wait_s=1.0)


@dataclass(frozen=True)
class Sdk:
    """How to make a model of this SDK, what its server answers, and what that was sent."""

    name: str
    make: Callable[[str, float], CallingModel]
    reply: Callable[[object], Reply]
    stream: Callable[..., Reply]
    roles: Callable[[Request], list[str]]
    system: Callable[[Request], str]
    data: Callable[[Request], str]

    @asynccontextmanager
    async def model_at(self, url: str, timeout_s: float = 5.0) -> AsyncIterator[CallingModel]:
        model = self.make(url, timeout_s)
        try:
            yield model
        finally:
            await model.aclose()


def _gemini(url: str, timeout_s: float) -> GeminiModel:
    return GeminiModel(
        SecretStr(KEY), "gemini-3.8-flash", timeout_s=timeout_s, base_url=url, retries=QUICK
    )


def _openai(url: str, timeout_s: float) -> OpenAIModel:
    return OpenAIModel(
        base_url=f"{url}/v1",
        api_key=SecretStr(KEY),
        model="llama",
        timeout_s=timeout_s,
        retries=QUICK,
    )


GEMINI = Sdk(
    "gemini",
    _gemini,
    gemini_reply,
    gemini_stream,
    roles=lambda request: ["system", *(each["role"] for each in request.body["contents"])],
    system=lambda request: str(request.body["systemInstruction"]["parts"][0]["text"]),
    data=lambda request: str(request.body["contents"][0]["parts"][0]["text"]),
)
OPENAI = Sdk(
    "openai",
    _openai,
    openai_reply,
    openai_stream,
    roles=lambda request: [each["role"] for each in request.body["messages"]],
    system=lambda request: str(request.body["messages"][0]["content"]),
    data=lambda request: str(request.body["messages"][1]["content"]),
)

both_sdks = pytest.mark.parametrize("sdk", [GEMINI, OPENAI], ids=lambda sdk: sdk.name)
