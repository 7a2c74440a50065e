"""What both the API's settings and the web frontend's are held against, and how a fault is told."""

from urllib.parse import urlsplit

from pydantic import ValidationError

_PLACEHOLDERS = {"changeme", "change-me", "your-token", "your_token_here", "secret", "xxx"}


def check_token(token: str) -> None:
    """Raises ValueError, without the token in its message, for one that protects nothing."""
    if token.lower() in _PLACEHOLDERS:
        raise ValueError("is a placeholder; set a token of your own or leave it unset")
    # Headers carry nothing else, so that no client could ever send it.
    if not token.isascii() or not token.isprintable() or token != token.strip() or not token:
        raise ValueError("must be printable ASCII without spaces around it")


def check_url(url: str, *schemes: str) -> None:
    """Raises ValueError, without the URL in its message since it may hold a password, for one that
    has another scheme, no host, or a port that is none."""
    wanted = " or ".join(f"{scheme}://" for scheme in schemes)
    if not url.startswith(tuple(f"{scheme}://" for scheme in schemes)):
        raise ValueError(f"must begin with {wanted}")
    try:
        parts = urlsplit(url)
        is_whole = bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_whole = False
    if not is_whole:
        raise ValueError(f"must be {wanted} with a host and, where it has one, a valid port")


def complaint(error: ValidationError) -> str:
    """The first thing that is wrong with the settings, as a line for the user."""
    first = error.errors()[0]
    said = first["msg"].removeprefix("Value error, ")
    # Where two do not go together there is no name but what is said.
    return f"setting {str(first['loc'][0]).upper()}: {said}" if first["loc"] else f"setting {said}"
