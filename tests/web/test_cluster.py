"""Several API processes on one port, as a user starts them, and the stock Socket.IO client."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2 as httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from conftest import sample_pcm, write_wav
from echostream.web import cluster as cluster_module
from processes import children
from redis_server import RedisServer
from sockets.clients import TRANSPORTS, SocketClients, socket_clients
from web.process import (
    SERVE,
    ServerProcess,
    assert_they_end,
    command_of,
    descendants_of,
    members_of,
    private_mb,
    server_process,
    watched,
)
from web.support import WAIT_S, audio, settings_of, wait_until

TOKEN = "t0ken-of-the-tests"
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}
EACH = 8
FOLDER = re.compile(r" members (\S+) ")


@pytest.fixture
def clients(request: pytest.FixtureRequest) -> Iterator[SocketClients]:
    with socket_clients(request.config) as found:
        yield found


@dataclass
class Cluster:
    """A server of several processes."""

    server: ServerProcess
    folder: Path
    processes: int

    @property
    def url(self) -> str:
        return self.server.url

    def members(self) -> dict[int, int]:
        """The id of each API process by its number."""
        return members_of(self.server.popen.pid)

    def fork_server(self) -> int | None:
        """Its id; None while there is none."""
        pids = children(self.server.popen.pid)
        return next((pid for pid in pids if FOLDER.search(command_of(pid))), None)

    def workers(self) -> list[int]:
        pids = descendants_of(self.server.popen.pid)
        return [pid for pid in pids if "echostream worker" in command_of(pid)]

    def metrics(self) -> list[tuple[str, dict[str, str]]]:
        """Names and labels of all samples of `/metrics`."""
        text = httpx.get(f"{self.url}/metrics", headers=AUTHORIZED).raise_for_status().text
        families = text_string_to_metric_families(text)
        return [(one.name, one.labels) for family in families for one in family.samples]

    def answering(self) -> set[str]:
        """The processes that `/metrics` tells of."""
        return {labels["process"] for _name, labels in self.metrics() if "process" in labels}

    def wait_for_all(self) -> None:
        numbers = {str(number) for number in range(self.processes)}
        wait_until(lambda: self.answering() == numbers, "all processes answer")

    def assert_clean(self) -> None:
        """Nothing is left of one that has ended, and nothing went wrong in it."""
        assert not self.folder.exists()
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{self.url}/health")
        assert not [line for line in self.server.log if "Traceback" in line or '"error"' in line]


@contextmanager
def cluster(processes: int = 2, **environment: str) -> Iterator[Cluster]:
    """Several processes, all at work."""
    environment |= {"WEB_CONCURRENCY": str(processes), "API_BEARER_TOKEN": TOKEN}
    with server_process(**environment) as server:
        commands = [command_of(pid) for pid in children(server.popen.pid)]
        [match] = filter(None, map(FOLDER.search, commands))
        found = Cluster(server, Path(match[1]), processes)
        found.wait_for_all()
        yield found


def connect_all(
    clients: SocketClients, found: Cluster, modes: tuple[str, ...] = tuple(TRANSPORTS)
) -> dict[str, str]:
    """Connect clients of these modes until each process has sessions of each; gives the owner of
    the session of each client. Chance chooses which process gets a connection."""
    owners: dict[str, str] = {}
    for mode in modes:
        names: list[str] = []
        while len({owners[name] for name in names}) < found.processes:
            assert len(names) < 10 * EACH, "one process gets all connections"
            names += (fresh := [f"{mode}-{len(names) + number}" for number in range(EACH)])
            for name in fresh:
                options = {"auth": {"token": TOKEN}, "reconnectionDelay": 100, **TRANSPORTS[mode]}
                clients.connect(name, found.url, **options)
            owners |= {name: owner_of(clients, name) for name in fresh}
            if mode == "default":
                for name in fresh:
                    clients.hear(name, "upgrade", transport="websocket")
    return owners


def owner_of(clients: SocketClients, name: str, after: int = 0) -> str:
    engine: str = clients.hear(name, "connect", after=after)["engine"]
    return engine.partition("-")[0]


def test_stock_clients_on_one_process(clients: SocketClients) -> None:
    with server_process(API_BEARER_TOKEN=TOKEN) as server:
        for mode, options in TRANSPORTS.items():
            for number in range(EACH):
                token = {"auth": {"token": TOKEN}}
                clients.connect(f"{mode}-{number}", server.url, **token, **options)
        names = [f"{mode}-{number}" for mode in TRANSPORTS for number in range(EACH)]
        for name in names:
            clients.hear(name, "connect")
        _assert_they_work(clients, server.url, names)


@pytest.mark.parametrize("processes", [2, 4])
def test_stock_clients_on_several_processes(clients: SocketClients, processes: int) -> None:
    with cluster(processes) as found:
        owners = connect_all(clients, found)
        _assert_they_work(clients, found.url, list(owners))
        engines = [clients.hear(name, "connect")["engine"] for name in owners]
        assert all(re.fullmatch(r"[0-3]-[A-Za-z0-9_-]{22}", engine) for engine in engines)
        assert len(set(engines)) == len(owners)
    tracebacks = [line for line in found.server.log if "Traceback" in line]
    assert not tracebacks, "".join(tracebacks)


def _assert_they_work(clients: SocketClients, url: str, names: list[str]) -> None:
    for mode, options in TRANSPORTS.items():
        clients.connect(f"{mode}-wrong", url, auth={"token": "wrong"}, **options)
        clients.connect(f"{mode}-none", url, **options)
    # Each is a request and an answer, by polling several HTTP requests.
    for turn in range(4):
        for name in names:
            clients.knock(name, f"/{turn}")
    for mode in TRANSPORTS:
        for wrong in (f"{mode}-wrong", f"{mode}-none"):
            assert clients.hear(wrong, "connect_error")["message"] == "unauthorized"
            assert not clients.heard(wrong, "connect")
    for name in names:
        mode = name.partition("-")[0]
        first = {"websocket": "websocket", "polling": "polling"}.get(mode)
        assert first in (None, clients.hear(name, "connect")["transport"])
        if mode == "default":
            clients.hear(name, "upgrade", transport="websocket")
        assert not clients.heard(name, "disconnect")
        assert len(clients.heard(name, "upgrade")) == (mode == "default")


def test_a_process_that_dies(clients: SocketClients) -> None:
    with cluster() as found:
        owners = connect_all(clients, found)
        before = found.members()
        seen = len(clients.events)
        os.kill(before[1], signal.SIGKILL)

        for name, owner in owners.items():
            if owner == "1":
                clients.hear(name, "disconnect", after=seen)
                clients.hear(name, "connect", after=seen)
        found.wait_for_all()
        after = found.members()
        assert after[0] == before[0]
        assert after[1] != before[1]
        # New sessions come to the new process, and requests are passed on to it.
        for name in connect_again(clients, found.url):
            clients.knock(name, "/a")
        for name, owner in owners.items():
            if name.startswith("websocket") and owner == "0":
                assert not clients.heard(name, "disconnect")
        found.server.signal(signal.SIGTERM)
        assert found.server.exit_status() == 0
    ended = [json.loads(line) for line in found.server.log if "member_ended" in line]
    assert [one["status"] for one in ended] == [-signal.SIGKILL]
    tracebacks = [line for line in found.server.log if "Traceback" in line]
    assert not tracebacks, "".join(tracebacks)


def test_the_fork_server_dies() -> None:
    """Those that it has forked serve on, and new ones come from its successor."""
    with cluster() as found:
        fork_server, before = found.fork_server(), found.members()
        assert fork_server is not None
        with watched([fork_server, before[1]]) as ending:
            os.kill(fork_server, signal.SIGKILL)
            assert_they_end(ending[:1])
            found.wait_for_all()
            wait_until(found.fork_server, "the fork server is started again")
            os.kill(before[1], signal.SIGKILL)
            assert_they_end(ending)
        wait_until(lambda: 1 in found.members(), "process 1 is started again")
        found.wait_for_all()
        with watched([before[0], *found.members().values()]) as members:
            found.server.signal(signal.SIGTERM)
            assert found.server.exit_status() == 0
            assert_they_end(members)
    assert not found.folder.exists()
    events = [json.loads(line) for line in found.server.log]
    ended = [one["event"] for one in events if one["event"].endswith("_ended")]
    assert ended == ["fork_server_ended", "member_ended"]


def test_a_further_process_takes_little_memory() -> None:
    with cluster(4) as found:
        for _ in range(8):
            url = f"{found.url}/upload-audio"
            answer = httpx.post(url, files=audio(), headers=AUTHORIZED, timeout=WAIT_S)
            assert answer.status_code == 200
        for number, pid in found.members().items():
            assert private_mb(pid) < 60, number


def connect_again(clients: SocketClients, url: str) -> list[str]:
    """Polling clients until both processes have some."""
    for name in list({event["client"] for event in clients.events}):
        if name.startswith("polling"):
            clients.disconnect(name)
    seen = len(clients.events)
    names = [f"again-{number}" for number in range(EACH)]
    options = {"auth": {"token": TOKEN}, **TRANSPORTS["polling"]}
    for name in names:
        clients.connect(name, url, **options)
    while {owner_of(clients, name, seen) for name in names} != {"0", "1"}:
        assert len(names) < 10 * EACH
        names.append(f"again-{len(names)}")
        clients.connect(names[-1], url, **options)
    return names


def test_killed_all_at_once_but_its_processes(clients: SocketClients) -> None:
    with cluster() as found:
        connect_all(clients, found, ("polling", "websocket"))
        with watched(list(found.members().values())) as members:
            found.server.signal(signal.SIGKILL)
            assert found.server.exit_status() == -signal.SIGKILL
            assert_they_end(members)
    found.assert_clean()


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_all(clients: SocketClients, tmp_path: Path, stop: signal.Signals) -> None:
    talk = write_wav(tmp_path / "short.wav", sample_pcm()[: 4 * 16_000])
    with cluster(SHUTDOWN_GRACE_S="1000") as found, ThreadPoolExecutor() as pool:
        connect_all(clients, found)
        with talk.open("rb") as file:
            files = {"audio": file}
            url = f"{found.url}/upload-audio"
            answer = pool.submit(httpx.post, url, files=files, headers=AUTHORIZED, timeout=WAIT_S)
            found.server.wait_for_engines(1)
            with watched(list(found.members().values())) as members:
                found.server.signal(stop)
                assert answer.result(WAIT_S).json()["transcript"]
                assert found.server.exit_status() == 0
                assert_they_end(members)
    found.assert_clean()


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_it_starts(tmp_path: Path, stop: signal.Signals) -> None:
    temporary = tmp_path / ("long" * 20)  # too long for the paths of Unix sockets
    temporary.mkdir()
    with (
        server_process(WEB_CONCURRENCY="3", TMPDIR=str(temporary)) as server,
        watched(descendants_of(server.popen.pid)) as members,
    ):
        server.signal(stop)  # one of them listens, others may not have begun to
        assert server.exit_status() == 0
        assert_they_end(members)


def serve_to_its_end(**environment: str) -> "subprocess.CompletedProcess[str]":
    settings = {"WEB_CONCURRENCY": "2", "ASR_ENGINE": "pocketsphinx", "PORT": "0", **environment}
    return subprocess.run(
        SERVE, env=os.environ | settings, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_port_in_use_is_told_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = serve_to_its_end(PORT=str(taken.getsockname()[1]))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("echostream: cannot listen: Address already in use")
    assert done.stderr.count("\n") == 1


def test_settings_that_do_not_fit_together_are_told_in_one_line(tmp_path: Path) -> None:
    done = serve_to_its_end(INSIGHTS_PROVIDER="gemini", TMPDIR=str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "echostream: INSIGHTS_PROVIDER=gemini needs GEMINI_API_KEY\n"
    assert not list(tmp_path.iterdir())


async def test_an_application_that_cannot_start_is_not_started_for_ever(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for was_up in (False, True):
            (folder := tmp_path / str(was_up)).mkdir()
            found = cluster_module._Cluster(settings_of(), listener, folder)
            if was_up:
                found._up()
            assert found._failed(cluster_module._START_FAILED) is not was_up
            await asyncio.gather(
                *(child.aclose() for child in found._children), found._engine.aclose()
            )


def test_a_storage_that_is_none_is_told_in_one_line(tmp_path: Path) -> None:
    done = serve_to_its_end(USE_QUEUE="true", STORAGE_URL="tape://1", TMPDIR=str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("echostream: setting STORAGE_URL: must be")
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_metrics_and_the_worker_are_of_the_host() -> None:
    with (
        RedisServer() as redis,
        cluster(USE_QUEUE="true", RUN_WORKER="true", REDIS_URL=redis.url) as found,
    ):
        refused = [httpx.get(f"{found.url}/metrics") for _ in range(4)]
        assert {answer.status_code for answer in refused} == {401}
        wait_until(lambda: len(found.workers()) == 1, "the worker runs")
        samples = found.metrics()
        waiting = [labels for name, labels in samples if name == "echostream_inference_queue"]
        assert waiting == [{}], "there is one queue for the host"
        states = [labels["state"] for name, labels in samples if name == "echostream_jobs"]
        assert len(states) == len(set(states)) > 3
        assert all("process" not in labels for name, labels in samples if name == "echostream_jobs")
        with watched([*found.members().values(), *found.workers()]) as processes:
            found.server.signal(signal.SIGTERM)
            assert found.server.exit_status() == 0
            assert_they_end(processes)
    found.assert_clean()
