"""Two real models behind one server, whose engine is a process of its own."""

from collections.abc import Iterator
from pathlib import Path

import httpx2 as httpx
import pytest

from conftest import SAMPLE, TINY_EN, TINY_WHISPER, sample_pcm, write_wav
from web.process import server_process
from web.support import error_of, metric, wait_until

DEFAULT, OTHER = TINY_WHISPER.name, TINY_EN.name
PATH = "/v1/audio/transcriptions"


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with (
        server_process(
            ASR_ENGINE="whisper",
            WHISPER_MODEL=str(TINY_WHISPER),
            WHISPER_MODELS=str(TINY_EN),
            WEB_CONCURRENCY="2",
            MODEL_IDLE_S="1",
        ) as server,
        httpx.Client(base_url=server.url, timeout=120) as client,
    ):
        yield client


@pytest.fixture
def file(tmp_path: Path) -> dict[str, tuple[str, bytes]]:
    """The first sentence of the sample."""
    piece = write_wav(tmp_path / "piece.wav", sample_pcm()[: 3 * 16_000])
    return {"file": ("piece.wav", piece.read_bytes())}


def loaded(client: httpx.Client) -> list[str]:
    return [each["id"] for each in client.get("/v1/models").json()["data"] if each["loaded"]]


def test_a_model_comes_when_it_is_asked_for_and_goes_when_it_is_idle(
    client: httpx.Client, file: dict[str, tuple[str, bytes]]
) -> None:
    assert [each["id"] for each in client.get("/v1/models").json()["data"]] == [DEFAULT, OTHER]
    assert loaded(client) == [DEFAULT]
    answer = client.post(PATH, files=file, data={"model": OTHER}).raise_for_status()
    assert answer.json()["text"].startswith("Thank you for joining")
    wait_until(lambda: loaded(client) == [DEFAULT], "the other one is unloaded")
    assert metric(client, "echostream_model_loaded", model=DEFAULT) == 1
    assert metric(client, "echostream_model_loaded", model=OTHER) == 0
    # It comes back, for audio that is not known yet.
    with SAMPLE.open("rb") as whole:
        answer = client.post(PATH, files={"file": whole}, data={"model": OTHER})
    assert answer.raise_for_status().json()["text"]


def test_what_it_has_not_learned_is_refused(
    client: httpx.Client, file: dict[str, tuple[str, bytes]]
) -> None:
    refused = client.post(PATH, files=file, data={"model": OTHER, "language": "de"})
    assert error_of(refused) == (422, "invalid_request")
    assert f"'{OTHER}' knows English only" in refused.json()["error"]["message"]
