"""Clients of the stock JavaScript socket.io-client, led from Python."""

import base64
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from node_packages import with_packages
from web.support import WAIT_S

Event = dict[str, Any]

TRANSPORTS: dict[str, dict[str, Any]] = {
    "default": {},
    "polling": {"transports": ["polling"]},
    "websocket": {"transports": ["websocket"]},
}
"""Options of the three ways in which clients connect."""


def binary(content: bytes) -> dict[str, str]:
    """Bytes as an argument of an event."""
    return {"base64": base64.b64encode(content).decode()}


class SocketClients:
    """One Node program with any number of clients, which have names. What happens to them is in
    `events`, in its order; `node/client.mjs` says what there is."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._heard = threading.Condition()
        self.events: list[Event] = []
        self._calls = 0

    def connect(self, client: str, url: str, **options: Any) -> None:
        """`io(url, options)`; does not wait for the connection."""
        self._tell(client, connect=url, options=options)

    def emit(self, client: str, *event: Any) -> None:
        self._tell(client, emit=event)

    def call(self, client: str, *event: Any) -> Any:
        """`emit`, and what the server acknowledges it with."""
        self._calls += 1
        self._tell(client, call=event, number=self._calls)
        return self.hear(client, "answer", number=self._calls)["answer"]

    def messages(self, client: str, name: str) -> list[Any]:
        """What came with the events of this name so far."""
        events = [event["event"] for event in self.heard(client, "event")]
        return [event[1] for event in events if event[0] == name]

    def message(self, client: str, name: str) -> Any:
        """What came with the first event of this name, waited for."""
        return self._wait(lambda: next(iter(self.messages(client, name)), None), name)

    def knock(self, client: str, namespace: str) -> None:
        """Have the server answer a request of the client, on its session."""
        self._tell(client, knock=namespace)
        self.hear(client, "knocked", namespace=namespace)

    def disconnect(self, client: str) -> None:
        self._tell(client, disconnect=True)

    def hear(self, client: str, on: str, *, after: int = 0, **fields: Any) -> Event:
        """The first event of this kind and of these fields among `events[after:]`, waited for."""
        wanted = {"client": client, "on": on, **fields}.items()

        def find() -> Event | None:
            for event in self.events[after:]:
                if all(event.get(key) == value for key, value in wanted):
                    return event
            return None

        found: Event = self._wait(find, str(dict(wanted)))
        return found

    def _wait(self, find: Callable[[], Any], what: str) -> Any:
        """What `find` gives, once it is something."""
        give_up = time.monotonic() + WAIT_S
        with self._heard:
            while (found := find()) is None:
                assert self._heard.wait(max(0, give_up - time.monotonic())), f"no {what} came"
        return found

    def heard(self, client: str, on: str, *, after: int = 0) -> list[Event]:
        """Events of this kind so far."""
        return [
            event for event in self.events[after:] if (event["client"], event["on"]) == (client, on)
        ]

    def listen(self) -> None:
        """Take in what the program says, to its end."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._heard:
                self.events.append(json.loads(line))
                self._heard.notify_all()

    def _tell(self, client: str, **command: Any) -> None:
        assert self._process.stdin is not None
        print(json.dumps({"client": client, **command}), file=self._process.stdin, flush=True)


@contextmanager
def socket_clients(config: pytest.Config) -> Iterator[SocketClients]:
    """The program with no clients yet; ended with all of them on leaving."""
    program = with_packages(config, Path(__file__).parent / "node")
    with subprocess.Popen(
        ["node", str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        clients = SocketClients(process)
        listener = threading.Thread(target=clients.listen, name="socket clients")
        listener.start()
        try:
            yield clients
        finally:
            process.kill()
            listener.join(WAIT_S)
