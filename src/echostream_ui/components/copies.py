"""Buttons that put a text onto the clipboard."""

from collections.abc import Mapping

from echostream_ui.components.player import component


def copies(texts: Mapping[str, str], *, key: str) -> None:
    """Shows a button for each text, by its label."""
    data = {"copies": [{"label": label, "text": text} for label, text in texts.items()]}
    component("copies", "clipboard")(key=key, data=data)
