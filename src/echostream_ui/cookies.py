"""Cookies that scripts cannot read."""

from typing import Literal

from starlette.requests import HTTPConnection
from starlette.responses import Response


def set_cookie(
    response: Response,
    asked: HTTPConnection,
    name: str,
    value: str,
    *,
    lasts_s: int,
    samesite: Literal["lax", "strict"],
    path: str = "/",
) -> None:
    """Sets a cookie, which only goes over HTTPS if that is how the browser got here."""
    told = asked.headers.get("x-forwarded-proto")
    response.set_cookie(
        name,
        value,
        max_age=lasts_s,
        path=path,
        httponly=True,
        samesite=samesite,
        secure="https" in (asked.url.scheme, told),
    )
