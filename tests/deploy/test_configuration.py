"""Mistakes in the configuration: each program ends with one clear line and a status of its own."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import forks
from echostream.settings import Settings
from echostream_ui.settings import FrontendSettings
from redis_server import RedisServer

PROGRAMS = {
    "api": ("-m", "echostream", "serve"),
    "worker": ("-m", "echostream", "worker"),
    "frontend": ("-m", "echostream_ui"),
}
WAIT_S = 60


def run_to_its_end(program: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name.lower() not in {*Settings.model_fields, *FrontendSettings.model_fields}
    }
    settings = {"WEB_CONCURRENCY": "1", "PORT": "0", "FRONTEND_PORT": "0"}
    done = forks.run(PROGRAMS[program], inherited | settings | environment, timeout=WAIT_S)
    said = (done.stdout.decode(), done.stderr.decode())
    return subprocess.CompletedProcess(done.args, done.returncode, *said)


@pytest.mark.parametrize(
    ("program", "name", "value", "line"),
    [
        ("api", "API_BEARER_TOKEN", "changeme", "is a placeholder; set a token of your own"),
        ("worker", "API_BEARER_TOKEN", "your_token_here", "is a placeholder"),
        ("frontend", "API_BEARER_TOKEN", "changeme", "is a placeholder"),
        ("api", "REDIS_URL", "localhost:6379", "must begin with redis:// or rediss://"),
        ("worker", "REDIS_URL", "redis://:s3cr3t@host:port", "a valid port"),
        ("worker", "REDIS_URL", "redis://", "with a host"),
        ("api", "STORAGE_URL", "tape://1", "must be a folder (file://...) or a bucket (s3://...)"),
        ("worker", "STORAGE_URL", "s3://", "names no bucket"),
        ("api", "OPENAI_BASE_URL", "localhost:11434/v1", "must begin with http:// or https://"),
        ("frontend", "API_BASE_URL", "api:3000", "must begin with http:// or https://"),
        ("frontend", "API_BASE_URL", "http://", "with a host"),
        ("frontend", "SUPABASE_URL", "http://supabase:many", "a valid port"),
        ("api", "WORKER_CONCURRENCY", "two", "should be a valid integer"),
        ("frontend", "FRONTEND_PORT", "99999", "less than or equal to 65535"),
    ],
)
def test_a_setting_that_cannot_be(program: str, name: str, value: str, line: str) -> None:
    done = run_to_its_end(program, **{name: value})
    assert done.returncode == 1
    assert done.stderr.startswith(f"echostream: setting {name}: ")
    assert line in done.stderr
    assert done.stderr.count("\n") == 1
    assert "s3cr3t" not in done.stderr


@pytest.mark.parametrize("processes", ["1", "2"])
def test_the_queue_without_redis(processes: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody = free.getsockname()[1]
    done = run_to_its_end(
        "api",
        USE_QUEUE="true",
        REDIS_URL=f"redis://127.0.0.1:{nobody}",
        WEB_CONCURRENCY=processes,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("echostream: USE_QUEUE is on, but Redis does not answer")
    assert "set USE_QUEUE=false" in done.stderr
    assert done.stderr.count("\n") == 1


def test_redis_that_is_started_after_the_api() -> None:
    """It may be starting beside us; that is no mistake."""
    with RedisServer() as redis:
        redis.stop()
        process = subprocess.Popen(
            [sys.executable, *PROGRAMS["api"]],
            env=os.environ | {"PORT": "0", "USE_QUEUE": "true", "REDIS_URL": redis.url},
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            redis.start()
            assert process.stderr is not None
            assert any('"listening"' in line for line in process.stderr)
        finally:
            process.kill()
            process.communicate()


@pytest.fixture
def taken() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield str(listener.getsockname()[1])


def test_a_port_in_use(taken: str, tmp_path: Path) -> None:
    ports = {
        "api": {"PORT": taken},
        "worker": {"WORKER_METRICS_PORT": taken, "STORAGE_URL": str(tmp_path)},
        "frontend": {"FRONTEND_PORT": taken},
    }
    for program, port in ports.items():
        done = run_to_its_end(program, **port)
        assert done.returncode == 1
        assert "cannot listen" in done.stderr
        assert "Address already in use" in done.stderr
        assert done.stderr.count("\n") == 1


@pytest.fixture
def no_folder(tmp_path: Path) -> str:
    """A path that cannot be written to, whoever we are: it lies below a file."""
    (tmp_path / "file").touch()
    return str(tmp_path / "file" / "data")


def test_a_storage_that_cannot_be_written_to(no_folder: str) -> None:
    done = run_to_its_end("api", USE_QUEUE="true", STORAGE_URL=f"file://{no_folder}")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("echostream: STORAGE_URL: The storage")
    assert "NotADirectoryError" in done.stderr  # in the log, for whoever set it up

    done = run_to_its_end("worker", STORAGE_URL=f"file://{no_folder}")
    assert done.returncode == 1
    assert '"worker_failed"' in done.stderr.splitlines()[-1]
    assert "STORAGE_URL: The storage" in done.stderr.splitlines()[-1]

    done = run_to_its_end("frontend", LIBRARY_PATH=no_folder)
    assert done.returncode == 1
    assert done.stderr.startswith("echostream: LIBRARY_PATH: cannot write to")
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
