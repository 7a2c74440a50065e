"""The API processes of one host: each has a number, and a private Unix socket by which the others
reach it. They share the port, so that any of them may get any connection of a client."""

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
"""Longest wait for a peer that is asked about itself."""

# Without it httpx would load the machine's certificates, for 30 ms each time.
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@dataclass(frozen=True, slots=True)
class Peers:
    """What a process knows of itself and the others. `folder` is open to their user alone."""

    folder: Path
    number: int

    def socket_path(self, number: int) -> Path:
        """The Unix socket of process `number`. Nobody need listen there: it may have died."""
        return self.folder / f"{number}.sock"

    def listen(self) -> socket.socket:
        """Take our own Unix socket, from a predecessor of the same number if need be."""
        path = self.socket_path(self.number)
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        return listener

    def transport(self, number: int) -> httpx.AsyncHTTPTransport:
        """HTTP to process `number`, by a new connection for each request: one that is kept may be
        closed by the peer just as it is used, and on a Unix socket they cost next to nothing."""
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        return httpx.AsyncHTTPTransport(
            uds=str(self.socket_path(number)), limits=limits, verify=_NO_TLS
        )

    def others(self) -> list[int]:
        """The numbers of the other processes that have, or had, a socket."""
        found = {int(path.stem) for path in self.folder.glob("*.sock")}
        return sorted(found - {self.number})

    def new_id(self) -> str:
        """A session id that cannot be guessed and says whose the session is."""
        return f"{self.number}-{secrets.token_urlsafe(_ID_BYTES)}"

    def other_owner(self, session_id: str) -> int | None:
        """The process that a session belongs to; None where it is ours or nobody's."""
        match = _ID.fullmatch(session_id)
        owner = int(match[1]) if match else self.number
        return None if owner == self.number else owner

    async def ask(self, path: str, authorization: str | None) -> dict[int, httpx.Response]:
        """`GET path` of each other process, with the client's own authorization. Those that do not
        answer are left out."""
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
    """Whether a request came by the Unix socket, where ASGI gives a path and no port."""
    server = scope.get("server")
    return server is not None and server[1] is None
