"""The page that asks for the password. It needs nothing else of the server, nor scripts to work."""

import secrets
from html import escape
from http import HTTPStatus
from pathlib import Path
from string import Template

from starlette.responses import HTMLResponse

_PAGE = Template(Path(__file__).with_name("sign_in.html").read_text(encoding="utf-8"))


def sign_in_page(
    base: str, wanted: str, problem: str = "", status: int = HTTPStatus.UNAUTHORIZED
) -> HTMLResponse:
    """`wanted` is the path that was asked for, which the form leads to."""
    nonce = secrets.token_urlsafe()
    page = _PAGE.substitute(
        action=escape(f"{base}/sign-in"),
        wanted=escape(wanted),
        problem=escape(problem),
        invalid="true" if problem else "false",
        nonce=nonce,
    )
    allowed = f"style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self'"
    rest = "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; img-src data:"
    headers = {
        "Content-Security-Policy": f"default-src 'none'; {allowed}; {rest}",
        # It has the address of whatever page was asked for, and must not stand in for that later.
        "Cache-Control": "no-store",
    }
    return HTMLResponse(page, status, headers)
