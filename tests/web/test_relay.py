"""Relays to the process that has a live session: none stays open that nobody uses."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from conftest import running
from echostream.errors import ResumeFailed
from echostream.web import live
from echostream.web.peers import Peers
from fakes import fake_pipeline
from web.support import WAIT_S, settings_of

POLL = "/socket.io/?EIO=4&transport=polling"
RESUME = ["start_audio", {"audioId": "call", "resumeSecret": "1-of-another-process"}]


class HeldRelay:
    """Answers a call once `answering` is set, with `answer` or, if that is None, with an error."""

    asked, answering, closed = threading.Event(), threading.Event(), threading.Event()
    answer: dict[str, Any] | None = None

    def __init__(self, _tell: object) -> None:
        pass

    async def open(self, _peers: Peers, _owner: int, _token: str | None) -> None:
        pass

    async def call(self, _event: str, _data: dict[str, Any]) -> dict[str, Any]:
        self.asked.set()
        await asyncio.to_thread(self.answering.wait, WAIT_S)
        if self.answer is None:
            raise ResumeFailed("the process that had this session is gone")
        return self.answer

    async def aclose(self) -> None:
        self.closed.set()


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    monkeypatch.setattr(live, "Relay", HeldRelay)
    for each in (HeldRelay.asked, HeldRelay.answering, HeldRelay.closed):
        each.clear()
    with (
        running(settings_of(), fake_pipeline(), Peers(tmp_path, 0)) as url,
        httpx.Client(base_url=url, timeout=2 * WAIT_S) as found,
    ):
        yield found


@pytest.mark.parametrize("answer", [None, {"ok": False}, {"ok": True}])
def test_a_relay_that_is_of_no_use_is_closed(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any] | None
) -> None:
    """With the last answer it is of no use because the client has left."""
    monkeypatch.setattr(HeldRelay, "answer", answer)
    session = f"{POLL}&sid={json.loads(client.get(POLL).text[1:])['sid']}"
    client.post(session, content="40")
    assert client.get(session).text.startswith("40")

    def resume() -> None:
        with suppress(httpx.HTTPError):
            client.post(session, content=f"42{json.dumps(RESUME)}")

    asking = threading.Thread(target=resume)
    asking.start()
    assert HeldRelay.asked.wait(WAIT_S)
    if answer == {"ok": True}:
        client.post(session, content="1")
    assert not HeldRelay.closed.is_set()
    HeldRelay.answering.set()
    asking.join(WAIT_S)

    assert HeldRelay.closed.wait(WAIT_S)
