"""Other pages: links to them, and ways there after something was done."""

import secrets
from typing import Literal, NoReturn

import streamlit as st

from echostream_ui.components.player import component

STYLE = """<style>
    [class*="st-key-link_"] a {
      min-height: 2.5rem; margin: 0; padding: 0 0.75rem; border-radius: 0.5rem;
      border: 1px solid light-dark(#1d253033, #e6e9ee33);
    }
    [class*="st-key-link_"] a:hover { border-color: light-dark(#2563b8, #7db1f7); }
    [class*="st-key-link_"] a:focus-visible {
      outline: 3px solid light-dark(#2563b8, #7db1f7); outline-offset: 1px;
    }
    [class*="st-key-link_primary"] a, [class*="st-key-link_primary"] a:is(:hover, :focus-visible) {
      background: light-dark(#2563b8, #7db1f7); border-color: transparent;
    }
    [class*="st-key-link_primary"] a * { color: light-dark(#ffffff, #12161c) !important; }
    </style>"""
"""What makes links look as buttons do, in the colours of `config.toml`."""


def link(
    page: str,
    label: str,
    *,
    key: str,
    query: dict[str, str] | None = None,
    icon: str | None = None,
    kind: Literal["primary", "secondary"] = "secondary",
) -> None:
    """Shows a link to a page, by its file, that looks like a button. `key` is unique in a page.

    A button that calls `st.switch_page` opens no other tab, and while a part of the page runs every
    few seconds its click is lost now and then, or leads to an empty page.
    """
    with st.container(key=f"link_{kind}_{key}", width="content"):
        st.page_link(page, label=label, icon=icon, query_params=query)


def go(page: str | None, **query: str) -> NoReturn:
    """Makes the browser open another page, by its path (`""` for the library, None for the one that
    is open), and ends the run. For what is done before the page changes; otherwise use `link`."""
    data = {"page": page, "query": query, "nonce": secrets.token_hex(8)}
    component("going", "pages")(key="going", data=data)
    st.stop()
