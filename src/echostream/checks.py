"""Checks of single settings, and how errors are reported."""

import base64
from urllib.parse import urlsplit

from pydantic import ValidationError

PLACEHOLDERS = {"changeme", "change-me", "your-token", "your_token_here", "secret", "xxx"}
_SECRET_PREFIX = "whsec_"  # noqa: S105 - the public part of every secret
_MIN_KEY_BYTES, _MAX_KEY_BYTES = 24, 64


def check_token(token: str) -> None:
    """Raises ValueError if the token protects nothing. The message does not contain it."""
    if token.lower() in PLACEHOLDERS:
        raise ValueError("is a placeholder; set a token of your own or leave it unset")
    # Headers cannot carry anything else, so no client could send it.
    if not token.isascii() or not token.isprintable() or token != token.strip() or not token:
        raise ValueError("must be printable ASCII without spaces around it")


def check_url(url: str, *schemes: str) -> None:
    """Raises ValueError if the URL has another scheme, no host or an invalid port. The message does
    not contain the URL, which may have a password."""
    wanted = " or ".join(f"{scheme}://" for scheme in schemes)
    if not url.startswith(tuple(f"{scheme}://" for scheme in schemes)):
        raise ValueError(f"must begin with {wanted}")
    try:
        parts = urlsplit(url)
        is_whole = bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_whole = False
    if not is_whole:
        raise ValueError(f"must be {wanted} with a host and, optionally, a valid port")


def check_webhook_secret(secret: str) -> None:
    """Raises ValueError, without the secret in its message, for one that cannot sign.

    Stricter than the library, which skips over characters that are not base64.
    """
    prefix, encoded = secret[: len(_SECRET_PREFIX)], secret[len(_SECRET_PREFIX) :]
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except ValueError:
        key = b""
    if prefix != _SECRET_PREFIX or not _MIN_KEY_BYTES <= len(key) <= _MAX_KEY_BYTES:
        raise ValueError(
            f"must be {_SECRET_PREFIX} and {_MIN_KEY_BYTES} to {_MAX_KEY_BYTES} random bytes in "
            f'base64; make one with: echo "{_SECRET_PREFIX}$(openssl rand -base64 32)"'
        )


def complaint(error: ValidationError) -> str:
    """The first error in the settings, as a line for the user."""
    first = error.errors()[0]
    said = first["msg"].removeprefix("Value error, ")
    # If two settings contradict each other, only the message names them.
    return f"setting {str(first['loc'][0]).upper()}: {said}" if first["loc"] else f"setting {said}"
