"""Settings: what the environment may say, and what is refused."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from echostream.settings import Settings
from echostream.settings.cpus import cpu_count


def test_defaults_need_no_environment():
    settings = Settings()
    assert settings.port == 3000
    assert settings.api_bearer_token is None
    assert not settings.use_queue


def test_by_default_each_cpu_has_a_process(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("WEB_CONCURRENCY")
    assert Settings().web_concurrency == cpu_count() >= 1


def test_environment_and_dotenv(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / ".env").write_text("PORT=4000\nWHISPER_MODEL=small\nSUPABASE_URL=ignored\n")
    monkeypatch.setenv("PORT", "5000")
    settings = Settings()
    assert (settings.port, settings.whisper_model) == (5000, "small")


def test_an_empty_variable_is_unset(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("API_BEARER_TOKEN", "")
    monkeypatch.setenv("PORT", "")
    assert Settings().api_bearer_token is None


def test_origins_are_split_at_commas(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CORS_ORIGINS", "https://a.example, https://b.example,")
    assert Settings().cors_origins == ("https://a.example", "https://b.example")


def test_models_beside_the_default(monkeypatch: pytest.MonkeyPatch):
    assert Settings().other_models == ()
    monkeypatch.setenv("WHISPER_MODELS", "small, base,/srv/mine,small")
    assert Settings().other_models == ("small", "/srv/mine")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "99999"),
        ("PORT", "three"),
        ("ASR_ENGINE", "magic"),
        ("WORKER_CONCURRENCY", "0"),
        ("WEB_CONCURRENCY", "0"),
        ("MODEL_IDLE_S", "0"),
        ("MAX_UPLOAD_MB", "0"),
        ("API_BEARER_TOKEN", "changeme"),
        ("API_BEARER_TOKEN", "your_token_here"),
        ("API_BEARER_TOKEN", " padded "),
        ("API_BEARER_TOKEN", "schlüssel"),
    ],
)
def test_what_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str):
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


@pytest.mark.parametrize(
    ("most", "processes", "of_one"), [(500, 1, 500), (500, 2, 500), (500, 8, 125), (500, 200, 10)]
)
def test_connections_of_an_address_in_one_process(most: int, processes: int, of_one: int):
    settings = Settings(max_connections_per_address=most, web_concurrency=processes)
    assert settings.connections_per_address == of_one
    few = Settings(max_connections_per_address=3, web_concurrency=processes)
    assert few.connections_per_address == 3


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch):
    for name in ("API_BEARER_TOKEN", "GEMINI_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "s3cr3t-value")
    assert "s3cr3t-value" not in repr(Settings())


def test_every_setting_has_a_sentence():
    for name, field in Settings.model_fields.items():
        assert field.description, name


def test_the_template_must_exist() -> None:
    with pytest.raises(ValidationError, match="must be one of general, meeting"):
        Settings(_env_file=None, insights_template="party")
