"""Buttons to download the whole library, and to import one."""

from echostream_ui.components.player import component


def backup(ticket: str, query: str, *, key: str) -> None:
    """Shows the buttons. `ticket` is for the first import; each answer has one for the next.
    `query` is what the URL of the download needs."""
    component("backup")(key=key, data={"ticket": ticket, "query": query})
