"""Which providers of insights callers may choose from, and by which names."""

from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from echostream.errors import InvalidRequest
from echostream.insights import InsightsChoice, load_choice
from echostream.llm import load_language_model, load_other_models
from echostream.settings import Settings
from fakes import FakeInsights

GEMINI = {"gemini_api_key": "k", "gemini_model": "gemini-3.8-flash"}
OPENAI = {"openai_base_url": "http://localhost:1", "openai_model": "qwen3:8b"}
NONE = {"gemini_api_key": None, "openai_base_url": None, "openai_api_key": None}


def choice_of(**given: Any) -> InsightsChoice:
    settings = Settings(_env_file=None, **NONE | given)
    return load_choice(settings, load_language_model(settings), load_other_models(settings))


@pytest.mark.parametrize(
    ("given", "offered"),
    [
        ({}, ["offline"]),
        (GEMINI, ["gemini-3.8-flash", "offline"]),
        (OPENAI | {"openai_model": None}, ["openai", "offline"]),
        (GEMINI | OPENAI, ["gemini-3.8-flash", "qwen3:8b", "offline"]),
        ({"openai_api_key": "k"}, ["offline"]),
        # An operator who names a provider does not mean others that send transcripts away.
        (GEMINI | OPENAI | {"insights_provider": "openai"}, ["qwen3:8b", "offline"]),
        (GEMINI | OPENAI | {"insights_provider": "extractive"}, ["offline"]),
        (GEMINI | {"insights_provider": "none"}, []),
    ],
)
async def test_what_is_set_up_is_offered(given: dict[str, Any], offered: list[str]) -> None:
    choice = choice_of(**given)
    assert list(choice.offered) == offered
    assert choice.named(None) is choice.default
    await choice.aclose()


async def test_one_that_cannot_be_used_is_left_out_unless_it_is_the_default(
    tmp_path: Path,
) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"no model")
    with capture_logs() as logs:
        choice = choice_of(**GEMINI, local_llm_model=str(broken))
    assert list(choice.offered) == ["gemini-3.8-flash", "offline"]
    assert [(log["event"], log["provider"]) for log in logs] == [
        ("insights_model_left_out", "local")
    ]
    await choice.aclose()


def test_names() -> None:
    first = FakeInsights(name="gemini", model="same")
    second = FakeInsights(name="openai", model="same")
    unknown = FakeInsights(name="local")
    offline = FakeInsights(name="extractive")
    choice = InsightsChoice(first, [second, unknown, offline])
    assert choice.offered == {
        "same": first,
        "openai": second,
        "local": unknown,
        "offline": offline,
    }
    assert choice.named("gemini") is first
    assert choice.named("extractive") is offline
    unknown.model = "found-out-later"
    assert choice.named("local") is choice.named("found-out-later") is unknown
    with pytest.raises(InvalidRequest, match="but same, openai, found-out-later, offline"):
        choice.named("gpt")


def test_a_server_without_insights_offers_none() -> None:
    choice = InsightsChoice(None)
    assert choice.named(None) is None
    with pytest.raises(InvalidRequest, match="no model at all"):
        choice.named("offline")
