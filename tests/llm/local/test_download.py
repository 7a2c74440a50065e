"""`echostream models download llm`, against a stand-in for the hub on loopback."""

from pathlib import Path

import pytest

from engine.test_hub import HubHandler, echostream, stand_in_hub
from llm.local.tiny_gguf import write_tiny

REPO = "owner/tiny-GGUF"
MODEL = f"{REPO}/tiny-Q4.gguf"
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def hub(tmp_path: Path) -> type[HubHandler]:
    """A hub that has a language model."""
    (folder := tmp_path / "hub").mkdir()
    write_tiny(folder / "tiny-Q4.gguf")
    return type("LanguageModelHub", (HubHandler,), {"repo": REPO, "folder": folder})


def test_what_was_fetched_is_found_without_the_hub(hub: type[HubHandler], tmp_path: Path) -> None:
    home = tmp_path / "hf"
    with stand_in_hub(hub) as endpoint:
        got = echostream(
            "models", "download", "llm", endpoint=endpoint, home=home, LOCAL_LLM_MODEL=MODEL
        )
    assert got.returncode == 0, got.stderr
    assert Path(got.stdout.strip()).is_file()
    assert f"Use it with LOCAL_LLM_MODEL={MODEL}\n" in got.stderr
    told = echostream(
        "transcribe", "nothing.wav", endpoint=NOWHERE, home=home,
        LOCAL_LLM_MODEL=MODEL, INSIGHTS_PROVIDER="local",
    )  # fmt: skip
    assert "not on this machine" not in told.stderr


def test_into_a_folder(hub: type[HubHandler], tmp_path: Path) -> None:
    with stand_in_hub(hub) as endpoint:
        got = echostream(
            "models", "download", "llm", "-o", str(tmp_path / "out"),
            endpoint=endpoint, home=tmp_path / "hf", LOCAL_LLM_MODEL=MODEL,
        )  # fmt: skip
    file = tmp_path / "out" / "tiny-Q4.gguf"
    assert (got.returncode, got.stdout) == (0, f"{file}\n"), got.stderr
    assert f"Use it with LOCAL_LLM_MODEL={file}\n" in got.stderr
    assert file.is_file()


@pytest.mark.parametrize("model", ["", MODEL])
def test_without_a_network(model: str, tmp_path: Path) -> None:
    got = echostream(
        "models", "download", "llm", endpoint=NOWHERE, home=tmp_path, LOCAL_LLM_MODEL=model
    )
    assert (got.returncode, got.stdout) == (1, "")
    assert "echostream: the model hub cannot be reached (" in got.stderr


def test_a_file_that_the_hub_does_not_have(hub: type[HubHandler], tmp_path: Path) -> None:
    with stand_in_hub(hub) as endpoint:
        got = echostream(
            "models", "download", "llm", endpoint=endpoint, home=tmp_path,
            LOCAL_LLM_MODEL="owner/other-GGUF/tiny.gguf",
        )  # fmt: skip
    assert (got.returncode, got.stdout) == (1, "")
    assert "the model hub has no model 'owner/other-GGUF/tiny.gguf'" in got.stderr


def test_a_path_cannot_be_fetched(tmp_path: Path) -> None:
    got = echostream(
        "models", "download", "llm", endpoint=NOWHERE, home=tmp_path,
        LOCAL_LLM_MODEL="/models/tiny.gguf",
    )  # fmt: skip
    assert (got.returncode, got.stdout) == (1, "")
    assert "LOCAL_LLM_MODEL names no file on the Hub (owner/repository/file.gguf)" in got.stderr
