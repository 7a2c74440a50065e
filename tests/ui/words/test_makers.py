"""What made insights and answers, in a plain line."""

from typing import Any

import pytest

from echostream_ui.words.makers import answered_by, lacking, made_by


@pytest.mark.parametrize(
    ("meta", "words"),
    [
        ({}, ""),
        (
            {"provider": "extractive", "model": None, "template": "general"},
            "Made offline, without a language model: quotes only. Template: General.",
        ),
        (
            {"provider": "openai", "model": "qwen3:8b", "template": "Board", "coverage": 0.4},
            "Made by a language model (qwen3:8b). Template: Board. Only 40% of the text was read.",
        ),
        ({"provider": "other", "coverage": 0.999}, "Made by other."),
    ],
)
def test_what_made_insights(meta: dict[str, Any], words: str) -> None:
    assert made_by(meta, {"general": "General"}) == words


def test_what_answered() -> None:
    meta = {"provider": "gemini", "model": "flash", "template": None, "coverage": 0.001}
    expected = "Answered by Google Gemini (flash). Less than 1% of the text was read."
    assert answered_by(meta) == expected


def test_why_less_was_made() -> None:
    assert lacking({"degraded": False}) is None
    assert lacking({"degraded": True, "degraded_reason": "gemini: no quota."}) == (
        "Less was made than was asked for: gemini: no quota."
    )
    assert lacking({"degraded": True}) == (
        "Less was made than was asked for: the reason is not known."
    )
