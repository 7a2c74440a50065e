"""Gemini models that are shut down are replaced."""

from datetime import date

import pytest
from structlog.testing import capture_logs

from echostream.llm.gemini_ids import current_gemini_model


@pytest.mark.parametrize(
    ("model", "today", "used"),
    [
        ("gemini-3.8-flash", date(2027, 1, 1), "gemini-3.8-flash"),
        ("gemini-flash-latest", date(2027, 1, 1), "gemini-flash-latest"),
        ("gemini-1.5-flash", date(2026, 1, 1), "gemini-3.8-flash"),
        ("models/gemini-1.5-pro-002", date(2026, 1, 1), "gemini-3.8-flash"),
        ("gemini-1.5-flash-8b", date(2026, 1, 1), "gemini-3.5-flash-lite"),
        ("gemini-2.0-flash-lite", date(2026, 1, 1), "gemini-3.5-flash-lite"),
        ("gemini-pro", date(2026, 1, 1), "gemini-3.8-flash"),
        ("gemini-2.5-flash", date(2026, 11, 30), "gemini-2.5-flash"),
        ("gemini-2.5-flash", date(2026, 12, 1), "gemini-3.8-flash"),
    ],
)
def test_retired_models(model: str, today: date, used: str) -> None:
    with capture_logs() as logs:
        assert current_gemini_model(model, today) == used
    retired = not model.startswith(("gemini-3", "gemini-flash"))
    assert len(logs) == retired
    if retired:
        assert logs[0]["log_level"] == "warning"
        assert logs[0]["replacement"].startswith("gemini-3")
