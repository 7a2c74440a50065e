"""Where models are looked for, against a stand-in hub on loopback, in processes of their own
since the hub's client reads its environment at import."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from conftest import SAMPLE, TINY_WHISPER, sample_pcm, write_wav
from echostream.domain import SAMPLE_RATE_HZ
from echostream.engine import hub
from echostream.errors import InvalidRequest, ModelUnavailable

COMMIT = "1" * 40
REPO = "Systran/faster-whisper-base"


class HubHandler(BaseHTTPRequestHandler):
    """The few calls that a snapshot download makes, serving the tiny model as `base`."""

    protocol_version = "HTTP/1.1"
    repo = REPO
    folder = TINY_WHISPER

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def log_message(self, *_args: object) -> None:
        pass

    def _answer(self, *, with_body: bool) -> None:
        path = self.path.partition("?")[0]
        if path.startswith(f"/api/models/{self.repo}/tree/"):
            body = json.dumps([_entry(file) for file in sorted(self.folder.iterdir())]).encode()
            headers = {"Content-Type": "application/json"}
        elif path.startswith(f"/api/models/{self.repo}"):
            files = [{"rfilename": file.name} for file in sorted(self.folder.iterdir())]
            body = json.dumps({"id": self.repo, "sha": COMMIT, "siblings": files}).encode()
            headers = {"Content-Type": "application/json"}
        elif path.startswith(f"/{self.repo}/resolve/"):
            body = (self.folder / path.rpartition("/")[2]).read_bytes()
            headers = {"ETag": f'"{sha256(body).hexdigest()}"', "X-Repo-Commit": COMMIT}
        else:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)


def _entry(file: Path) -> dict[str, object]:
    digest = sha256(file.read_bytes()).hexdigest()
    return {"type": "file", "path": file.name, "size": file.stat().st_size, "oid": digest}


@contextmanager
def stand_in_hub(handler: type[HubHandler] = HubHandler) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def echostream(*args: str, endpoint: str, home: Path, **more: str) -> subprocess.CompletedProcess:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment |= {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), **more}
    return subprocess.run(
        [sys.executable, "-m", "echostream", *args],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """The first turn of the sample."""
    return write_wav(tmp_path / "clip.wav", sample_pcm()[: 4 * SAMPLE_RATE_HZ])


def test_download_puts_a_model_where_transcribe_finds_it_offline(clip, tmp_path):
    with stand_in_hub() as endpoint:
        got = echostream("models", "download", "base", endpoint=endpoint, home=tmp_path / "hf")
    assert got.returncode == 0, got.stderr
    assert (Path(got.stdout.strip()) / "model.bin").is_file()
    read = echostream(
        "transcribe", str(clip), "--engine", "whisper", "--model", "base", "-f", "json",
        "--no-insights", endpoint="http://127.0.0.1:9", home=tmp_path / "hf",
    )  # fmt: skip
    assert read.returncode == 0, read.stderr
    answer = json.loads(read.stdout)
    assert (answer["engine"], answer["model"]) == ("whisper", "base")
    assert "budget" in answer["transcript"].lower()


def test_download_into_a_folder(tmp_path):
    with stand_in_hub() as endpoint:
        got = echostream(
            "models", "download", "base", "-o", str(tmp_path / "out"),
            endpoint=endpoint, home=tmp_path / "hf",
        )  # fmt: skip
    assert got.returncode == 0, got.stderr
    assert hub.local_folder(str(tmp_path / "out")) == tmp_path / "out"


def test_auto_takes_pocketsphinx_when_nothing_answers(clip, tmp_path):
    """A hub that accepts and never answers is given up within seconds, with one warning."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        started = time.monotonic()
        got = echostream(
            "transcribe", str(clip), "-f", "json", "--no-insights",
            endpoint=endpoint, home=tmp_path, MODEL_FETCH_TIMEOUT_S="1",
        )  # fmt: skip
    assert got.returncode == 0, got.stderr
    assert json.loads(got.stdout)["engine"] == "pocketsphinx"
    assert got.stderr.count("whisper_unavailable") == 1
    assert time.monotonic() - started < 60


def test_whisper_by_name_never_falls_back(tmp_path):
    got = echostream(
        "transcribe", str(SAMPLE), "--engine", "whisper",
        endpoint="http://127.0.0.1:9", home=tmp_path,
    )  # fmt: skip
    assert got.returncode == 1
    assert "hub cannot be reached" in got.stderr
    assert got.stdout == ""


def test_a_model_the_hub_does_not_have(tmp_path):
    with stand_in_hub() as endpoint:
        got = echostream("models", "download", "no/such", endpoint=endpoint, home=tmp_path)
    assert got.returncode == 1
    assert "no model 'no/such'" in got.stderr


def test_a_folder_merely_called_base_is_not_a_model(tmp_path):
    (tmp_path / "base").mkdir()  # the tests' working directory
    assert hub.local_folder("base") is None


def test_a_folder_without_a_model_is_named_by_its_last_part(tmp_path):
    with pytest.raises(InvalidRequest, match="'mine' holds no Whisper model") as caught:
        hub.local_folder(str(tmp_path / "mine"))
    assert str(tmp_path) not in str(caught.value)


def test_unknown_size_lists_the_known_ones():
    with pytest.raises(InvalidRequest, match=r"unknown Whisper model 'huge'.*tiny.*base"):
        hub.local_folder("huge")


@pytest.mark.parametrize(
    ("model", "shown"),
    [("base", "base"), ("Systran/faster-whisper-base", "Systran/faster-whisper-base")],
)
def test_hub_names_are_shown_as_they_are(model, shown):
    assert hub.display_name(model) == shown


def test_paths_are_shown_by_their_last_part():
    assert hub.display_name("/models/secret/place/mine") == "mine"


def test_download_offline_says_so():
    with pytest.raises(ModelUnavailable, match="switched off"):
        hub.download("base", timeout_s=1)
