"""Summary, lists and sections of the insights, and what the user writes instead."""

from collections.abc import Mapping

import streamlit as st

from echostream_ui.components.notes import notes, part_of
from echostream_ui.library.analysis import Analysis
from echostream_ui.library.store import Store
from echostream_ui.library.transcript import Line
from echostream_ui.library.values import Json
from echostream_ui.library.written_insights import (
    SUMMARY,
    earlier_points,
    generation_of,
    is_written,
    parts_of,
    points_of,
    shown_insights,
    with_part,
)
from echostream_ui.recording.saving import save
from echostream_ui.recording.told import told


@st.fragment
@told
def show(store: Store, media_id: str, lines: Mapping[int, Line]) -> None:
    """Shows them. Reads them itself, so that editing one does not rerun the whole page."""
    analysis = store.analysis(media_id)
    shown = shown_insights(analysis) if analysis else None
    if analysis is None or shown is None:
        return
    key = f"notes-{media_id}"

    def edited(change: Json) -> None:
        def edit(latest: Analysis) -> Json:
            part, before, points = change["part"], change["before"], change["points"]
            return {"insights": with_part(latest, part, before, points)}

        save(store, media_id, f"{key}-reply", change, edit)

    notes(
        [
            part_of(
                part,
                None if part == SUMMARY else heading,
                points_of(shown, part),
                lines,
                is_written=is_written(analysis, part),
                earlier=earlier_points(analysis, part),
            )
            for part, heading in parts_of(shown).items()
        ],
        shown.get("topics") or (),
        key=key,
        recording=media_id,
        generation=generation_of(analysis),
        reply=st.session_state.get(f"{key}-reply"),
        on_edit=edited,
    )
