"""The insights into a recording, each with its evidence, and the user's changes to them."""

from collections.abc import Mapping

import streamlit as st

from echostream_ui.components.player import goto
from echostream_ui.library.analysis import Analysis
from echostream_ui.library.media import Media
from echostream_ui.library.store import Store
from echostream_ui.library.transcript import Line
from echostream_ui.library.values import Json
from echostream_ui.recording import ask, items, making, notes
from echostream_ui.recording.sentiment_chart import SELECTION, bars_of, chart_of, described
from echostream_ui.words.wording import SENTIMENT_WORDS

_TABS = ("Summary", "Action items", "Sentiment", "Ask")
_TABS_WITHOUT_INSIGHTS = ("Insights", "Ask")


def show(store: Store, media: Media, analysis: Analysis, lines: Mapping[int, Line]) -> None:
    """Shows the insights, and the controls to make them and to ask about the recording."""
    if not any(line.text for line in lines.values()):
        st.info("There is no text to generate insights from.", icon=":material/voice_over_off:")
        return
    insights = analysis.insights
    first, *others, last = st.tabs(_TABS if insights is not None else _TABS_WITHOUT_INSIGHTS)
    with first:
        _first(store, analysis, lines)
    if insights is not None:
        with others[0]:
            items.show(store, media.id, lines)
        with others[1]:
            _sentiment(media, insights, lines)
    with last:
        ask.show(store, [media.id], key=f"ask-{media.id}")


def _first(store: Store, analysis: Analysis, lines: Mapping[int, Line]) -> None:
    if analysis.insights is None:
        _none(analysis)
    else:
        meta = (analysis.insights.get("details") or {}).get("meta") or {}
        making.show_how_to_add_a_model(meta)
        notes.show(store, analysis.media_id, lines)
        making.show_maker(meta)
    making.show_again(store, analysis)


def _none(analysis: Analysis) -> None:
    if analysis.request.get("insights") is False:
        st.info("No insights were requested for this recording.", icon=":material/lightbulb:")
    else:
        st.info("This recording has no insights.", icon=":material/lightbulb:")


@st.fragment
def _sentiment(media: Media, insights: Json, lines: Mapping[int, Line]) -> None:
    details = insights.get("details") or {}
    overall = insights.get("sentiment") or {}
    if overall.get("label"):
        sure = f"{overall.get('score', 0):.0%} sure"
        st.markdown(f"On the whole: **{SENTIMENT_WORDS[overall['label']].lower()}** ({sure})")
    timeline = details.get("sentiment_timeline") or []
    end_s = media.duration_s or max((line.end_s for line in lines.values()), default=0.0)
    bars = bars_of(timeline, lines, end_s)
    if not bars:
        st.caption("This recording has no sentiment over time.")
        return
    words = described(timeline)
    event = st.altair_chart(
        chart_of(bars),
        key=f"sentiment-{media.id}",
        on_select="rerun",
        selection_mode=SELECTION,
        alt=f"Sentiment over time. {words}",
    )
    st.caption(f"{words} Choose a bar to play from there.")
    _follow_chart(event.get("selection", {}).get(SELECTION, []))


def _follow_chart(chosen: list[Json]) -> None:
    """Makes the player go to the chosen bar, once per choice."""
    state = st.session_state
    if chosen != state.get("sentiment-chosen"):
        state["sentiment-chosen"] = chosen
        state["sentiment-choices"] = state.get("sentiment-choices", 0) + 1
    if chosen:
        goto(int(chosen[0]["line"]), state["sentiment-choices"], key="sentiment-goto")
