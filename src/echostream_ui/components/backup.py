"""Buttons to download the whole library, and to import one."""

from echostream_ui.components.player import component


def backup(ticket: str, *, key: str) -> bool:
    """Shows the buttons; `ticket` is for one import. Returns whether it has been used."""
    shown = component("backup")(key=key, data={"ticket": ticket}, on_used_change=lambda: None)
    return bool(shown.used)
