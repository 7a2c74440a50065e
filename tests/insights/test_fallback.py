"""Whatever a provider does, insights come back; and which provider the settings choose."""

import subprocess
import sys
from typing import Any

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from echostream.domain import AS_USUAL, Insights, InsightsOptions, Transcript
from echostream.insights import (
    ExtractiveInsights,
    FallbackInsights,
    InsightsProvider,
    ModelInsights,
    load_insights,
    load_questions,
)
from echostream.llm import choose_provider, load_language_model
from echostream.llm.base import InsightsError, RetryPolicy
from echostream.llm.gemini import GeminiModel
from echostream.llm.openai_compat import OpenAIModel
from echostream.settings import Settings
from insights.meeting import answer, meeting
from llm.standins import KEY, Reply, gemini_error, gemini_reply, openai_reply, standing_in

QUICK = RetryPolicy(attempts=2, first_wait_s=0.01, longest_wait_s=1.0)


class Failing:
    """A provider that raises what it was given."""

    name = "failing"
    model = "none"

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.closed = False

    async def analyse(
        self, transcript: Transcript, options: InsightsOptions = AS_USUAL
    ) -> Insights:
        raise self.error

    async def aclose(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("error", "reason", "level"),
    [
        (InsightsError("the quota is spent"), "failing: the quota is spent", "warning"),
        (ZeroDivisionError(KEY), "failing: failed unexpectedly", "error"),
    ],
)
async def test_failures_degrade(error: Exception, reason: str, level: str) -> None:
    failing = Failing(error)
    provider: InsightsProvider = FallbackInsights(failing, ExtractiveInsights())
    with capture_logs() as logs:
        insights = await provider.analyse(meeting())
    meta = insights.details.meta
    assert (meta.provider, meta.model, meta.coverage) == ("extractive", None, 1.0)
    assert (meta.degraded, meta.degraded_reason) == (True, reason)
    assert insights.action_items == ("Sarah will send the report to the client by Friday.",)
    assert [log["log_level"] for log in logs] == [level]
    assert KEY not in repr(logs)
    await provider.aclose()
    assert failing.closed


async def test_success_is_not_touched() -> None:
    with standing_in(gemini_reply(answer())) as server:
        primary = gemini_at(server.url)
        provider = FallbackInsights(primary, ExtractiveInsights())
        insights = await provider.analyse(meeting())
        await provider.aclose()
    assert not insights.details.meta.degraded
    assert (provider.name, provider.model) == ("gemini", "gemini-3.8-flash")


@pytest.mark.parametrize(
    "reply",
    [
        gemini_error(500),
        gemini_reply('{"pwned": true}'),
        gemini_reply("", "SAFETY"),
        Reply(body=b"<html>"),
        Reply(body=[]),
        Reply(body=None),
        Reply(body={"candidates": [{"content": {"parts": None}}]}),
        Reply(body={"candidates": "none"}),
    ],
)
async def test_gemini_failing_on_the_wire_degrades(reply: Reply) -> None:
    with standing_in(reply) as server:
        insights = await analyse(gemini_at(server.url))
    assert insights.details.meta.degraded
    assert insights.details.meta.provider == "extractive"
    assert insights.summary


@pytest.mark.parametrize(
    "reply",
    [
        Reply(500, {}),
        openai_reply('{"pwned": true}'),
        Reply(body=b"<html>"),
        Reply(body=[]),
        Reply(body=None),
        Reply(body={"choices": "none"}),
        Reply(body={"choices": [{"message": None}]}),
        Reply(body={"choices": [{"message": {"content": 3}}]}),
        Reply(body={"choices": [{"message": {"content": None}}]}),
    ],
)
async def test_openai_failing_on_the_wire_degrades(reply: Reply) -> None:
    with standing_in(reply) as server:
        model = OpenAIModel(
            base_url=f"{server.url}/v1",
            api_key=None,
            model="llama",
            timeout_s=5.0,
            retries=QUICK,
        )
        insights = await analyse(ModelInsights(model, 10_000))
    assert insights.details.meta.degraded
    assert insights.details.meta.provider == "extractive"
    assert "unexpectedly" not in str(insights.details.meta.degraded_reason)


def gemini_at(url: str) -> ModelInsights:
    model = GeminiModel(
        SecretStr(KEY), "gemini-3.8-flash", timeout_s=5.0, base_url=url, retries=QUICK
    )
    return ModelInsights(model, 10_000)


async def analyse(primary: InsightsProvider) -> Insights:
    provider = FallbackInsights(primary, ExtractiveInsights())
    try:
        return await provider.analyse(meeting())
    finally:
        await provider.aclose()


def settings(**changes: Any) -> Settings:
    none = {"gemini_api_key": None, "openai_base_url": None, "openai_api_key": None}
    return Settings(_env_file=None, **(none | changes))


@pytest.mark.parametrize(
    ("given", "chosen"),
    [
        ({}, "extractive"),
        ({"gemini_api_key": "k"}, "gemini"),
        ({"gemini_api_key": "k", "openai_base_url": "http://localhost:1"}, "gemini"),
        ({"openai_base_url": "http://localhost:1"}, "openai"),
        ({"openai_api_key": "k"}, "extractive"),
        ({"insights_provider": "openai", "openai_api_key": "k"}, "openai"),
        ({"insights_provider": "extractive", "gemini_api_key": "k"}, "extractive"),
        ({"insights_provider": "none", "gemini_api_key": "k"}, "none"),
    ],
)
async def test_choice(given: dict[str, str], chosen: str) -> None:
    assert choose_provider(settings(**given)) == chosen
    model = load_language_model(settings(**given))
    provider = load_insights(settings(**given), model)
    assert (load_questions(settings(**given), model) is None) == (chosen in ("extractive", "none"))
    if provider is None:
        assert chosen == "none"
    else:
        assert provider.name == chosen
        await provider.aclose()


@pytest.mark.parametrize("name", ["gemini", "openai"])
def test_provider_by_name_needs_its_settings(name: str) -> None:
    with pytest.raises(InsightsError, match=name.upper()):
        load_language_model(settings(insights_provider=name))


async def test_retired_model_is_replaced_with_a_warning() -> None:
    with capture_logs() as logs:
        model = load_language_model(settings(gemini_api_key="k", gemini_model="gemini-1.5-flash"))
    assert model is not None
    assert model.model == "gemini-3.8-flash"
    assert [(log["event"], log["replacement"]) for log in logs] == [
        ("gemini_model_retired", "gemini-3.8-flash")
    ]
    await model.aclose()


def test_importing_insights_loads_nothing_heavy() -> None:
    heavy = ("google.genai", "openai", "numpy", "yake", "vaderSentiment", "networkx")
    code = (
        "import sys, echostream.insights\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
