"""Who may use the API: finds the client that a token belongs to, and hears of revoked tokens."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import structlog
from pydantic import SecretStr

from echostream.errors import EchoStreamError
from echostream.named_tokens import ADMINISTRATOR, NamedToken, check_apart, read_tokens
from echostream.settings import Settings

log = structlog.get_logger(__name__)

_LOOK_EVERY_S = 1.0
_MAX_FILE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Caller:
    """A client. Jobs and live sessions belong to its name, which is empty if the API is open.

    After a change of its token it is another caller: sockets opened with the old one end.
    """

    name: str
    is_administrator: bool = False
    token: SecretStr | None = None

    @property
    def owner(self) -> str | None:
        """Whose jobs they are that this client makes; None for nobody's."""
        return self.name or None

    @property
    def scope(self) -> str | None:
        """Whose idempotency keys it uses. None for those that had no owner before names existed."""
        return None if self.is_administrator else self.name

    def may_see(self, owner: object) -> bool:
        """Whether it may see, change and list what belongs to `owner`. What belongs to nobody, such
        as jobs that other programs have added, is everybody's."""
        return self.is_administrator or owner is None or owner == self.name


EVERYBODY = Caller("", is_administrator=True)
"""Whoever asks, if no token is set."""


class Keyring:
    """The tokens of the settings and of their file, which is read again as long as `watch` runs."""

    def __init__(self, settings: Settings) -> None:
        """Raises EchoStreamError, with a message for the operator, if the file cannot be used."""
        self.is_open = not settings.needs_token
        self._file = settings.api_tokens_file
        self._fixed = settings.named_tokens
        self._fault = ""
        try:
            self._callers = self._read()
        except ValueError as error:
            raise EchoStreamError(f"API_TOKENS_FILE: {error}") from error

    @property
    def names(self) -> list[str]:
        return [caller.name for caller in self._callers.values()]

    def caller_of(self, authorization: str) -> Caller | None:
        """The client whose token the value of an `Authorization` header has; None if there is none.
        Every token is compared, in constant time."""
        if self.is_open:
            return EVERYBODY
        scheme, _, token = authorization.partition(" ")
        digest = _digest(token.strip())
        found = None
        for known, caller in self._callers.items():
            if hmac.compare_digest(known, digest):
                found = caller
        return found if scheme.lower() == "bearer" else None

    def knows(self, caller: Caller) -> bool:
        """Whether its token is still valid."""
        return self.is_open or caller in self._callers.values()

    async def watch(self, changed: Callable[[], Awaitable[None]]) -> None:
        """Reads the file again every second, and calls `changed` after each change of it.

        A signal would reach one process of several, and a moment of the file's date is not enough
        where files are mounted. If the file cannot be used, the tokens read before stay valid.
        """
        while self._file is not None:
            await asyncio.sleep(_LOOK_EVERY_S)
            try:
                callers = self._read()
            except ValueError as error:
                self._complain(str(error))
                continue
            self._fault = ""
            if callers != self._callers:
                self._callers = callers
                log.info("tokens_changed", names=self.names)
                try:
                    await changed()
                except Exception as error:  # the next change must not go unnoticed
                    log.error("revoked_not_ended", exc_info=error)

    def _read(self) -> dict[bytes, Caller]:
        """Returns the clients by the digests of their tokens. Raises ValueError."""
        named = [*self._fixed, *(_read_file(self._file) if self._file else ())]
        check_apart(named)
        return {
            _digest(each.token.get_secret_value()): Caller(
                each.name, each.name == ADMINISTRATOR, each.token
            )
            for each in named
        }

    def _complain(self, fault: str) -> None:
        if fault != self._fault:
            log.error("tokens_not_read", reason=fault)
        self._fault = fault


def _read_file(file: Path) -> tuple[NamedToken, ...]:
    """Raises ValueError."""
    try:
        if not file.is_file():  # a pipe would be waited for
            raise ValueError("there is no such file")
        with file.open("rb") as opened:
            content = opened.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ValueError(f"the file cannot be read: {error.strerror}") from error
    if len(content) > _MAX_FILE_BYTES:
        raise ValueError("the file is too large")
    # What is not text is no valid token either.
    return read_tokens(content.decode(errors="replace").splitlines())


def _digest(token: str) -> bytes:
    """All are of one length, so that comparing them does not tell the length of a token."""
    # JSON may have half a character in it, which has no bytes in UTF-8.
    return sha256(token.encode(errors="surrogatepass")).digest()
