"""Many sockets and long sessions on one process, and what they cost it."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import aiohttp
import pytest

from conftest import ROOT
from sockets.test_live import PCM, SECOND, Client, connected

IDLE_SOCKETS = 200
SESSIONS = 6
MINUTES = 10
MIB = 1024 * 1024


@dataclass(frozen=True)
class Process:
    url: str
    pid: int

    @property
    def memory(self) -> int:
        """Resident bytes."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture
def process() -> Iterator[Process]:
    command = [sys.executable, "-m", "sockets.oracle_server", str(SESSIONS)]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}/src:{ROOT}/tests"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        yield Process(started.stdout.readline().strip(), started.pid)
        started.terminate()
        assert started.wait(30) in (0, -signal.SIGTERM)


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    # Without the library's own limit of a hundred connections.
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as found:
        yield found


async def test_idle_sockets_and_long_sessions(
    process: Process, http: aiohttp.ClientSession
) -> None:
    async with asyncio.timeout(120), AsyncExitStack() as stack:
        first = await stack.enter_async_context(connected(process.url))
        await speak(first)  # so that all that is loaded once is there
        await end(first)
        at_rest = process.memory

        for _ in range(IDLE_SOCKETS):
            await stack.enter_async_context(idle_socket(http, process.url))
        with_sockets = process.memory
        assert (with_sockets - at_rest) / IDLE_SOCKETS < 0.2 * MIB

        clients = [
            await stack.enter_async_context(connected(process.url, transports=["websocket"]))
            for _ in range(SESSIONS + 2)
        ]
        answers = [await client.start(insights=False) for client in clients]
        assert [answer.get("error") for answer in answers[SESSIONS:]] == ["server_busy"] * 2
        speakers = clients[:SESSIONS]
        memory = []
        for _minute in range(MINUTES):
            await asyncio.gather(*(speak(client) for client in speakers))
            memory.append(process.memory)
        assert (memory[0] - with_sockets) / SESSIONS < 8 * MIB
        # Text, and nothing else, adds up: less than the six minutes of audio between the two
        # medians. The allocator keeps some megabytes more or less, for all sessions together.
        growth = median(memory[-3:]) - median(memory[1:4])
        assert growth / SESSIONS < 6 * len(PCM) * 3 / 4, memory
        finals = await asyncio.gather(*(end(client) for client in speakers))
        assert len({final for final in finals}) == 1
        assert finals[0].count("Thank you for joining the meeting.") == MINUTES


async def speak(client: Client) -> None:
    """A minute, as fast as the server takes it."""
    if not client.all("audio_started"):
        await client.start()
    for start in range(0, len(PCM), SECOND):
        assert (await client.call("audio_chunk", {"buffer": PCM[start : start + SECOND]}))["ok"]


async def end(client: Client) -> str:
    await client.call("end_audio")
    return str((await client.first("audio_final"))["transcript"])


@asynccontextmanager
async def idle_socket(http: aiohttp.ClientSession, url: str) -> AsyncIterator[None]:
    """A Socket.IO connection that says nothing, without the weight of a client library."""
    async with http.ws_connect(f"{url}/socket.io/?EIO=4&transport=websocket") as socket:
        await socket.receive()
        await socket.send_str("40")
        assert (await socket.receive()).data.startswith("40")
        yield
