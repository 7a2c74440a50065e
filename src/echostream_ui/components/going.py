"""Other pages: links to them, and ways there after something was done."""

import secrets
from typing import Literal, NoReturn

import streamlit as st

from echostream_ui.components.player import component


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
