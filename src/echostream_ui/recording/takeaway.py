"""What a user takes out of a recording: texts for the clipboard, and documents."""

from functools import partial

import streamlit as st

from echostream.exports import CueOptions, TextOptions, to_txt
from echostream_ui import documents
from echostream_ui.components.copies import copies
from echostream_ui.documents.domain import insights_of, transcript_of
from echostream_ui.library.analysis import Analysis
from echostream_ui.library.media import Media
from echostream_ui.library.store import Store
from echostream_ui.services import services

_AS_USUAL = "As usual"
_TIMES = {_AS_USUAL: None, "Yes": True, "No": False}


def show(store: Store, media: Media, analysis: Analysis) -> None:
    """Shows a menu to copy and one to export."""
    _copies(store, media, analysis)
    _exports(store, media, analysis)


def _copies(store: Store, media: Media, analysis: Analysis) -> None:
    # A long text goes to the browser only when somebody wants it.
    menu = st.popover("Copy", icon=":material/content_copy:", on_change="rerun", key="copy-menu")
    if not menu.open:
        return
    analysis = _latest(store, analysis)
    insights = insights_of(analysis, media.title)
    texts = {"Transcript": to_txt(transcript_of(analysis))}
    if insights and insights.summary:
        texts["Summary"] = insights.summary
    if insights and insights.details.action_items:
        texts["Action items"] = documents.action_items(analysis, insights)
    with menu:
        copies(texts, key="copies")


def _exports(store: Store, media: Media, analysis: Analysis) -> None:
    def export(as_format: documents.Format, options: documents.Options) -> bytes:
        return documents.export(media, _latest(store, analysis), as_format, options)

    with st.popover("Export", icon=":material/download:"):
        options = _export_options()
        for each in documents.FORMATS:
            st.download_button(
                documents.LABELS[each],
                # Made only on demand: nobody needs all of them each time the page is shown.
                partial(export, each, options),
                file_name=documents.file_name(media, each),
                mime=documents.MEDIA_TYPES[each],
                on_click="ignore",
                width="stretch",
                key=f"export-{each}",
            )


def _latest(store: Store, analysis: Analysis) -> Analysis:
    """A part of the page may have changed something since the page was drawn."""
    return store.analysis(analysis.media_id) or analysis


def _export_options() -> documents.Options:
    times = st.segmented_control(
        "Times before paragraphs",
        _TIMES,
        default=_AS_USUAL,
        key="export-times",
        help="As usual: plain text has none, other documents have them.",
    )
    speakers = st.checkbox("Names of the speakers", value=True, key="export-speakers")
    line, lines, seconds = st.columns(3, vertical_alignment="bottom")
    cue_options = CueOptions(
        line.number_input("Subtitles: characters a line", 10, 200, 42, key="cue-chars"),
        seconds.number_input("Subtitles: longest, in seconds", 1.0, 60.0, 7.0, key="cue-s"),
        lines.number_input("Subtitles: lines at most", 1, 4, 2, key="cue-lines"),
    )
    return documents.Options(
        st.context.timezone,
        cue_options,
        TextOptions(_TIMES[times or _AS_USUAL], speakers),
        services().settings.pdf_font,
    )
