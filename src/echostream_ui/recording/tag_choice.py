"""The controls that choose tags: those in use as buttons, new ones as text. Nothing unfolds, so
nothing can cover the button that saves."""

from collections.abc import Sequence

import streamlit as st

from echostream_ui.words.wording import plain

_MOST_OFFERED = 30
_LONGEST_TAG = 60
_LONGEST_TEXT = 500


def ask(label: str, own: Sequence[str], known: Sequence[str], *, key: str) -> tuple[str, ...]:
    """Shows the tags of `known` (the most frequent first), of which `own` are chosen at first, and
    a field for others. Returns what is chosen and typed."""
    offered = list(dict.fromkeys([*own, *known[:_MOST_OFFERED]]))
    chosen = choose(label, offered, list(own), key=f"{key}-known") if offered else []
    typed = st.text_input(
        "New tags",
        max_chars=_LONGEST_TEXT,
        key=f"{key}-new",
        placeholder="Separated by commas",
    )
    return tuple(dict.fromkeys([*chosen, *tags_of(typed)]))


def choose(label: str, offered: Sequence[str], chosen: Sequence[str], *, key: str) -> list[str]:
    """Shows tags as buttons; returns those that are chosen."""
    return st.pills(
        label, offered, selection_mode="multi", default=chosen, format_func=plain, key=key
    )


def tags_of(typed: str) -> list[str]:
    """Returns the tags in a text that separates them by commas."""
    tags = (" ".join(part.split())[:_LONGEST_TAG] for part in typed.split(","))
    return [tag for tag in tags if tag]
