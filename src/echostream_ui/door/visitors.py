"""Who has signed in: a signed cookie says so, until it expires or they sign out.

The key is in a file beside the library, so that a restart signs nobody out. It is mixed with the
password: with another password all cookies are void.
"""

import asyncio
import hashlib
import hmac
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from itsdangerous import BadSignature, TimestampSigner

from echostream.private_files import make_private_folder, open_private

LASTS_S = 14 * 24 * 3600
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who has signed in with one browser. `until_s` is when that ends, since the epoch."""

    id: str
    until_s: float


class Visitors:
    """For one event loop."""

    def __init__(self, folder: Path, password: str) -> None:
        """Keeps its key in `folder`. Raises OSError if that cannot be written."""
        key = hmac.digest(key_in(folder), password.encode(errors="surrogatepass"), "sha256")
        self._signer = TimestampSigner(key, salt="echostream door", digest_method=hashlib.sha256)
        self._left = _Left(folder / "signed-out")
        self._open: dict[str, set[asyncio.Event]] = {}

    def admit(self) -> str:
        """The cookie of a new visitor."""
        return self._signer.sign(secrets.token_urlsafe(16)).decode()

    def find(self, cookie: str | None) -> Visitor | None:
        """Returns whose cookie this is; None if it is none of ours, has expired or was signed
        out."""
        try:
            found, since = self._signer.unsign(cookie or "", max_age=LASTS_S, return_timestamp=True)
        except BadSignature:
            return None
        visitor = Visitor(found.decode(), since.timestamp() + LASTS_S)
        return None if visitor.id in self._left else visitor

    def sign_out(self, visitor: Visitor) -> None:
        """Makes the cookie void, also in copies, and ends what is open with it."""
        self._left.add(visitor)
        for ended in self._open.get(visitor.id, ()):
            ended.set()

    @contextmanager
    def watched(self, visitor: Visitor) -> Iterator[asyncio.Event]:
        """Gives an event that is set when the visitor signs out."""
        ended = asyncio.Event()
        self._open.setdefault(visitor.id, set()).add(ended)
        try:
            yield ended
        finally:
            self._open[visitor.id].discard(ended)
            if not self._open[visitor.id]:
                del self._open[visitor.id]


class _Left:
    """Visitors who have signed out, until their cookies expire by themselves. A file keeps them
    over a restart."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._until_s: dict[str, float] = {}
        lines = file.read_text().splitlines() if file.exists() else []
        for line in lines:
            name, _, until = line.partition(" ")
            if until.replace(".", "", 1).isdigit() and float(until) > time.time():
                self._until_s[name] = float(until)
        with open_private(file, "w") as kept:
            kept.writelines(f"{name} {until}\n" for name, until in self._until_s.items())

    def __contains__(self, name: str) -> bool:
        return name in self._until_s

    def add(self, visitor: Visitor) -> None:
        self._until_s[visitor.id] = visitor.until_s
        # With a full disk they are only signed out until the next start.
        with suppress(OSError), open_private(self._file, "a") as kept:
            kept.write(f"{visitor.id} {visitor.until_s}\n")


def key_in(folder: Path) -> bytes:
    """The folder's key, made now if there is none. Two processes that start agree on one.
    Raises OSError if it cannot be read or kept."""
    make_private_folder(folder)
    file, made = folder / "key", folder / f"key-{secrets.token_hex(8)}"
    if not file.exists():
        with open_private(made, "xb") as new:
            new.write(secrets.token_bytes(_KEY_BYTES))
        with suppress(FileExistsError):  # the other one was first
            file.hardlink_to(made)
        made.unlink()
    key = file.read_bytes()
    if len(key) != _KEY_BYTES:
        raise OSError(f"{file} is damaged; delete it, and everybody signs in again")
    return key
