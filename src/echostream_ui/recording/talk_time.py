"""How long each speaker speaks."""

from collections.abc import Mapping

import streamlit as st

from echostream_ui.library.store import Json
from echostream_ui.words import wording


def show(response: Json, names: Mapping[str, str]) -> None:
    """Shows each speaker's share, or nothing for a single one. `names` are the user's."""
    if shares := shares_of(response, names):
        told = " · ".join(f"{wording.plain(name)} {share:.0%}" for name, share in shares)
        st.caption(f"Talk time: {told}")


def shares_of(response: Json, names: Mapping[str, str]) -> list[tuple[str, float]]:
    """Returns the speakers with their shares of the talk time, the largest first. Speakers with the
    same name are one."""
    seconds: dict[str, float] = {}
    for each in response.get("speakers") or ():
        name = names.get(each["id"]) or each.get("name") or each["id"]
        seconds[name] = seconds.get(name, 0.0) + each["seconds"]
    whole_s = sum(seconds.values())
    if len(seconds) < 2 or not whole_s:
        return []
    return sorted(((name, s / whole_s) for name, s in seconds.items()), key=lambda one: -one[1])
