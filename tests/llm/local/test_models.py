"""Which language model is used, and how much of a transcript it reads at once."""

from pathlib import Path
from struct import pack
from typing import Any

import pytest

from echostream.errors import ModelUnavailable
from echostream.insights import load_insights
from echostream.llm import (
    choose_provider,
    load_language_model,
    load_other_models,
    local_server_beside,
)
from echostream.llm.base import InsightsError
from echostream.llm.local.gguf import Header, read_header
from echostream.llm.local.models import (
    RECOMMENDED,
    ModelFile,
    context_tokens,
    find_file,
    hub_name,
    open_model,
    recommended,
)
from echostream.settings import Settings
from llm.local.tiny_gguf import TRAINED_TOKENS, gguf, metadata, write_tiny

GB = 10**9
HUB_ID = "owner/repository/model-Q4.gguf"
QWEN3_4B = Header(trained_tokens=262_144, token_bytes=147_456)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return write_tiny(tmp_path / "tiny.gguf")


def settings(**values: Any) -> Settings:
    return Settings(_env_file=None, **values)


def test_what_a_file_says(tiny: Path) -> None:
    one_layer, one_head, width, keys_and_values, half_precision = 1, 1, 16, 2, 2
    token_bytes = one_layer * one_head * width * keys_and_values * half_precision
    assert read_header(tiny) == Header(TRAINED_TOKENS, token_bytes)


def test_heads_that_differ_by_layer(tmp_path: Path) -> None:
    values = metadata() | {
        "llama.attention.head_count_kv": (9, (4, [1, 3])),
        "llama.attention.key_length": (4, 8),
        "llama.attention.value_length": (4, 4),
    }
    (tmp_path / "mixed.gguf").write_bytes(gguf(values, {}))
    assert read_header(tmp_path / "mixed.gguf").token_bytes == (1 + 3) * (8 + 4) * 2


def test_long_lists_are_passed_over(tmp_path: Path) -> None:
    before = {"a.words": (9, (8, ["word"] * 5_000)), "a.numbers": (9, (4, [7] * 5_000))}
    (tmp_path / "large.gguf").write_bytes(gguf(before | metadata(), {}))
    assert read_header(tmp_path / "large.gguf").trained_tokens == TRAINED_TOKENS


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\x03\x04",
        b"GGUF",
        b"GGUF" + pack("<IQQ", 3, 0, 0),
        b"GGUF" + pack("<IQQ", 3, 0, 2**60),
        gguf(metadata(), {})[:100],
        gguf({"general.architecture": (8, "llama")}, {}),
        gguf(metadata() | {"llama.attention.head_count": (4, 0)}, {}),
    ],
)
def test_what_is_no_model(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "odd.gguf").write_bytes(data)
    with pytest.raises(ModelUnavailable, match=r"'odd\.gguf' is no GGUF file"):
        read_header(tmp_path / "odd.gguf")


def test_the_context_is_no_longer_than_the_model_was_trained_for() -> None:
    assert context_tokens(Header(2_048, 1), GB, settings(), 64 * GB) == 2_048


def test_the_context_fits_the_memory() -> None:
    """Qwen3 4B (2.5 GB) on machines with 64, 8 and 2 GB."""
    found = [context_tokens(QWEN3_4B, 5 * GB // 2, settings(), gb * GB) for gb in (64, 8, 2)]
    assert found == [16_384, 10_172, 4_096]


def test_the_context_that_the_settings_want() -> None:
    wanted = settings(insights_context_tokens=40_000)
    assert context_tokens(QWEN3_4B, GB, wanted, 64 * GB) == 40_000 + 3_072 + 1_500


@pytest.mark.parametrize("context", [512, 4_096, 16_384])
def test_instructions_transcript_and_answer_fit_the_context(context: int) -> None:
    file = ModelFile(Path("tiny.gguf"), context)
    assert 0 < file.part_tokens + file.answer_tokens <= context
    if context > 2_000:
        assert context - file.part_tokens - file.answer_tokens >= 1_500


def test_the_parts_of_a_transcript_fit_the_model(tiny: Path) -> None:
    model = load_language_model(settings(local_llm_model=str(tiny)))
    assert model is not None
    assert (model.name, model.model) == ("local", "tiny")
    assert model.limits.context_tokens == TRAINED_TOKENS - 3_072 - 1_500
    assert model.limits.calls_at_once == 1


@pytest.mark.parametrize(
    ("given", "chosen"),
    [
        ({}, "local"),
        ({"gemini_api_key": "k"}, "gemini"),
        ({"openai_base_url": "http://localhost:1"}, "openai"),
        ({"insights_provider": "extractive"}, "extractive"),
        ({"local_llm_model": "/nowhere/tiny.gguf"}, "extractive"),
        ({"local_llm_model": HUB_ID}, "extractive"),
    ],
)
def test_auto_takes_a_model_that_is_there(tiny: Path, given: dict[str, str], chosen: str) -> None:
    assert choose_provider(settings(**({"local_llm_model": str(tiny)} | given))) == chosen


async def test_it_makes_insights(tiny: Path) -> None:
    given = settings(insights_provider="local", local_llm_model=str(tiny))
    provider = load_insights(given, load_language_model(given))
    assert provider is not None
    assert (provider.name, provider.model) == ("local", "tiny")
    await provider.aclose()


@pytest.mark.parametrize(
    ("given", "is_offered"),
    [
        ({"gemini_api_key": "k"}, True),
        ({"gemini_api_key": "k", "insights_provider": "gemini"}, False),
        ({"insights_provider": "extractive"}, False),
    ],
)
async def test_it_can_be_chosen_beside_another(
    tiny: Path, given: dict[str, str], is_offered: bool
) -> None:
    chosen = settings(local_llm_model=str(tiny), **given)
    others = load_other_models(chosen)
    assert [(each.name, each.model) for each in others] == [("local", "tiny")] * is_offered
    assert (local_server_beside(chosen, tiny.parent) is not None) == is_offered
    for each in others:
        await each.aclose()


def test_a_file_that_is_no_model_does_not_stop_another(tmp_path: Path) -> None:
    (tmp_path / "odd.gguf").write_bytes(b"odd")
    given = {"gemini_api_key": "k", "local_llm_model": str(tmp_path / "odd.gguf")}
    assert load_other_models(settings(**given)) == []
    assert local_server_beside(settings(**given), tmp_path) is None
    with pytest.raises(InsightsError, match="no GGUF file"):
        local_server_beside(settings(local_llm_model=given["local_llm_model"]), tmp_path)


@pytest.mark.parametrize(
    ("model", "complaint"),
    [
        (None, r"needs LOCAL_LLM_MODEL; see: echostream models download llm"),
        ("/secret/tiny.gguf", r"model 'tiny\.gguf' is not on this machine; get it with: echostr"),
        (HUB_ID, r"model 'owner/repository/model-Q4\.gguf' is not on this machine; get it with"),
    ],
)
def test_a_model_that_is_not_there(model: str | None, complaint: str) -> None:
    with pytest.raises(InsightsError, match=complaint) as caught:
        open_model(settings(insights_provider="local", local_llm_model=model))
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_model_is_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "odd.gguf").write_bytes(b"odd")
    with pytest.raises(InsightsError, match=r"LOCAL_LLM_MODEL: 'odd\.gguf' is no GGUF file"):
        open_model(settings(local_llm_model=str(tmp_path / "odd.gguf")))


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (HUB_ID, ("owner/repository", "model-Q4.gguf")),
        ("owner/repository/folder/model.gguf", ("owner/repository", "folder/model.gguf")),
        ("owner/repository", None),
        ("/models/owner/model.gguf", None),
        ("./owner/repository/model.gguf", None),
        ("model.gguf", None),
    ],
)
def test_names_on_the_hub(model: str, name: tuple[str, str] | None) -> None:
    assert hub_name(model) == name


def test_a_file_wins_over_a_name_on_the_hub(tmp_path: Path) -> None:
    (tmp_path / "owner" / "repository").mkdir(parents=True)  # in the tests' working directory
    (tmp_path / HUB_ID).touch()
    assert find_file(HUB_ID) == Path(HUB_ID)


def test_what_is_recommended() -> None:
    small, large = RECOMMENDED
    sizes_gb = (4, 8, 12, 15.7, 64)
    assert [recommended(round(gb * GB)) for gb in sizes_gb] == [small, small, small, large, large]
    assert all(hub_name(each.hub_id) for each in RECOMMENDED)
