"""The API processes of one host. Each has a number, and a private Unix socket that the others
connect to. They share the port, so any of them may get any connection of a client."""

import asyncio
import re
import secrets
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

import httpx2 as httpx
from starlette.types import Scope

_ID = re.compile(r"([0-9]{1,4})-[A-Za-z0-9_-]+", re.ASCII)
_ID_BYTES = 16
_ASK_S = 5.0
"""Longest wait for the answer of a peer."""

# Without it httpx would load the machine's certificates, which takes 30 ms each time.
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@dataclass(frozen=True, slots=True)
class Peers:
    """What a process knows about itself and the others. Only their user can open `folder`."""

    folder: Path
    number: int

    def socket_path(self, number: int) -> Path:
        """The Unix socket of process `number`. That process may have died."""
        return self.folder / f"{number}.sock"

    def listen(self) -> socket.socket:
        """Opens our own Unix socket; replaces one left by a predecessor with the same number."""
        path = self.socket_path(self.number)
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        return listener

    def transport(self, number: int) -> httpx.AsyncHTTPTransport:
        """HTTP to process `number`, with a new connection for each request: the peer may close a
        kept connection just as it is used, and on a Unix socket a new one costs almost nothing."""
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        return httpx.AsyncHTTPTransport(
            uds=str(self.socket_path(number)), limits=limits, verify=_NO_TLS
        )

    def others(self) -> list[int]:
        """The numbers of the other processes that have, or had, a socket."""
        found = {int(path.stem) for path in self.folder.glob("*.sock")}
        return sorted(found - {self.number})

    def new_id(self) -> str:
        """Returns a session id that cannot be guessed and names the process that owns it."""
        return f"{self.number}-{secrets.token_urlsafe(_ID_BYTES)}"

    def other_owner(self, session_id: str) -> int | None:
        """The process that owns a session; None if it is ours or nobody's."""
        match = _ID.fullmatch(session_id)
        owner = int(match[1]) if match else self.number
        return None if owner == self.number else owner

    async def ask(self, path: str, authorization: str | None) -> dict[int, httpx.Response]:
        """Sends `GET path` to all other processes, with the client's own authorization. Processes
        that do not answer are left out."""
        numbers = self.others()
        answers = await asyncio.gather(*(self._ask(one, path, authorization) for one in numbers))
        return {one: answer for one, answer in zip(numbers, answers, strict=True) if answer}

    async def _ask(
        self, number: int, path: str, authorization: str | None
    ) -> httpx.Response | None:
        headers = {"Authorization": authorization} if authorization is not None else {}
        async with httpx.AsyncClient(transport=self.transport(number), timeout=_ASK_S) as client:
            try:
                return await client.get(f"http://localhost{path}", headers=headers)
            except httpx.TransportError:
                return None


def is_from_peer(scope: Scope) -> bool:
    """Whether a request came over the Unix socket, where ASGI gives a path and no port."""
    server = scope.get("server")
    return server is not None and server[1] is None
