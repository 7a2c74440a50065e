"""The load balancer of `deploy/`, in front of two hosts."""

import asyncio
import os
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager

import aiohttp
import httpx2 as httpx
import pytest

from conftest import ROOT, running
from sockets.test_live import PCM, SECOND, Client
from streaming.oracle import OracleTranscriber
from web.support import around, settings_of

CONFIG = ROOT / "deploy" / "haproxy.cfg"
CLIENTS = 8


def haproxy(*arguments: str, **environment: str) -> "subprocess.Popen[str]":
    if shutil.which("haproxy") is None:
        pytest.fail("haproxy is missing; on Debian: apt-get install haproxy", pytrace=False)
    return subprocess.Popen(
        ["haproxy", *arguments, "-f", str(CONFIG)],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@contextmanager
def balanced(*hosts: str) -> Iterator[str]:
    """HAProxy in front of the hosts; gives its URL."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    places = {f"HOST_{number}": host for number, host in enumerate(hosts, 1)}
    with haproxy("-db", LISTEN=listen, **places) as process:
        try:
            _until_it_listens(f"http://{listen}", process)
            yield f"http://{listen}"
        finally:
            process.terminate()


def _until_it_listens(url: str, process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{url}/health").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)  # there is nothing to wait for but the port
    raise RuntimeError("haproxy does not start")


@pytest.fixture(scope="module")
def hosts() -> Iterator[tuple[str, str]]:
    settings = settings_of(max_live_sessions=CLIENTS)
    with ExitStack() as stack:
        urls = [
            stack.enter_context(running(settings, around(OracleTranscriber()))) for _ in range(2)
        ]
        yield urls[0].removeprefix("http://"), urls[1].removeprefix("http://")


@pytest.fixture(scope="module")
def url(hosts: tuple[str, str]) -> Iterator[str]:
    with balanced(*hosts) as found:
        yield found


@asynccontextmanager
async def connected_from(address: str, url: str, transports: list[str]) -> AsyncIterator[Client]:
    """A client with an address of its own."""
    connector = aiohttp.TCPConnector(local_addr=(address, 0))
    async with aiohttp.ClientSession(connector=connector) as http:
        client = Client(http)
        await client.socket.connect(url, transports=transports)
        try:
            yield client
        finally:
            await client.socket.disconnect()


def test_the_syntax() -> None:
    places = {"LISTEN": "127.0.0.1:1", "HOST_1": "127.0.0.1:2", "HOST_2": "127.0.0.1:3"}
    with haproxy("-c", **places) as process:
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 0, output


def test_the_syntax_of_the_one_for_compose() -> None:
    config = ROOT / "deploy" / "haproxy-compose.cfg"
    done = subprocess.run(["haproxy", "-c", "-f", config], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("transports", [["polling", "websocket"], ["polling"], ["websocket"]])
async def test_live_audio_through_it(
    url: str, hosts: tuple[str, str], transports: list[str]
) -> None:
    async def whole_session(number: int) -> None:
        async with connected_from(f"127.0.0.{number + 2}", url, transports) as client:
            assert (await client.start(insights=False))["ok"]
            await client.send(PCM[: 4 * SECOND])
            await client.call("end_audio")
            final = await client.first("audio_final")
            assert final["transcript"].startswith("Thank you for joining")

    before = [live_sessions(host) for host in hosts]
    await asyncio.gather(*(whole_session(number) for number in range(CLIENTS)))
    more = [live_sessions(host) - earlier for host, earlier in zip(hosts, before, strict=True)]
    assert sum(more) == CLIENTS
    assert all(more)  # both hosts had their share


async def test_a_session_is_resumed_where_it_is(url: str) -> None:
    for number in range(CLIENTS):
        address = f"127.0.0.{number + 2}"
        async with connected_from(address, url, ["polling", "websocket"]) as first:
            started = await first.start(insights=False)
        async with connected_from(address, url, ["polling", "websocket"]) as second:
            resumed = await second.start(
                audioId=started["audioId"], resumeSecret=started["resumeSecret"]
            )
            assert resumed["resumed"]
            await second.call("end_audio")
            await second.first("audio_final")


def live_sessions(host: str) -> int:
    """Those that have ended on a host."""
    text = httpx.get(f"http://{host}/metrics").text
    counter = "echostream_live_sessions_ended_total{"
    samples = [line for line in text.splitlines() if line.startswith(counter)]
    return sum(int(float(sample.split()[-1])) for sample in samples)
