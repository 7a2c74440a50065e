"""Tokens with names: each name is a client of its own, which sees only what it has made."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import SecretStr

from echostream.checks import check_token

ADMINISTRATOR = "administrator"
"""Name of whoever has API_BEARER_TOKEN."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LEAST_CHARS, _LEAST_DIFFERENT_CHARS = 12, 6


@dataclass(frozen=True, slots=True)
class NamedToken:
    """A token and the name of its client."""

    name: str
    token: SecretStr


def read_tokens(lines: Iterable[str]) -> tuple[NamedToken, ...]:
    """Reads tokens written as `name:token`, one in each line. Empty lines and those that begin with
    `#` are left out.

    Raises ValueError if one is malformed, weak, or there twice. The message has no token in it.
    """
    written = (line.strip() for line in lines)
    found = tuple(_read(line) for line in written if line and not line.startswith("#"))
    check_apart(found)
    return found


def check_apart(tokens: Iterable[NamedToken]) -> None:
    """Raises ValueError if two have the same name or the same token."""
    names: dict[str, str] = {}
    for each in tokens:
        if each.name in names.values():
            raise ValueError(f"the name {each.name!r} is there twice")
        secret = each.token.get_secret_value()
        if secret in names:
            raise ValueError(f"{names[secret]!r} and {each.name!r} have the same token")
        names[secret] = each.name


def _read(line: str) -> NamedToken:
    name, colon, token = line.partition(":")
    # What has no colon may be a token, so it is not repeated.
    if not colon or not _NAME.fullmatch(name):
        raise ValueError("must be name:token, the name of at most 64 letters, digits, '_' and '-'")
    if name == ADMINISTRATOR:
        raise ValueError(f"the name {ADMINISTRATOR!r} is that of API_BEARER_TOKEN")
    try:
        check_token(token)
    except ValueError as error:
        raise ValueError(f"the token of {name!r} {error}") from None
    if len(token) < _LEAST_CHARS or len(set(token)) < _LEAST_DIFFERENT_CHARS:
        raise ValueError(
            f"the token of {name!r} is too easy to guess: use at least {_LEAST_CHARS} characters, "
            "for example those of: openssl rand -hex 24"
        )
    return NamedToken(name, SecretStr(token))
