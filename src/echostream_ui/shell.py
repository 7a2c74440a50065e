"""The document that every page of ours begins as: Streamlit's own, with our style sheet in it.

A style that a page's script sends arrives when the page is already drawn, and moves it.
"""

from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route
from streamlit.file_util import get_static_dir

PATHS = (
    "",
    "add",
    "live",
    "dashboard",
    "backup",
    "voices",
    "bin",
    "ask",
    "recording",
)
"""Of the pages, relative to the frontend's own. The first is the library."""

_STYLE = Path(__file__).with_name("shell.css")


def routes(base: str) -> list[Route]:
    """The routes of all pages. `base` is the path below which everything is served, without a slash
    at its end."""
    return [Route(f"{base}/{path}", _shell) for path in PATHS]


async def _shell(_request: Request) -> HTMLResponse:
    return HTMLResponse(_html(), headers={"Cache-Control": "no-cache"})


@cache
def _html() -> str:
    html = Path(get_static_dir(), "index.html").read_text(encoding="utf-8")
    style = _STYLE.read_text(encoding="utf-8")
    return html.replace("</head>", f"<style>{style}</style></head>")
