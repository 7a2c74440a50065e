"""The insights into a recording, each with its evidence, and the user's changes to them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import streamlit as st

from echostream_ui.components.player import goto, points
from echostream_ui.library.names import renamed, renamed_insights, since_insights
from echostream_ui.library.store import ActionItem, Analysis, Json, Media, Store, StoreError
from echostream_ui.library.transcript import Line
from echostream_ui.recording import ask, making
from echostream_ui.recording.sentiment_chart import SELECTION, bars_of, chart_of, described
from echostream_ui.recording.told import told
from echostream_ui.words.problems import words
from echostream_ui.words.wording import SENTIMENT_WORDS, in_badge, iso_day, plain, sentences

_TABS = ("Summary", "Action items", "Sentiment", "Ask")
_TABS_WITHOUT_INSIGHTS = ("Insights", "Ask")
_LISTS = (("key_points", "Key points"), ("decisions", "Decisions"), ("questions", "Questions"))


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
            _action_items(store, media.id, lines)
        with others[1]:
            _sentiment(media, insights, lines)
    with last:
        ask.show(store, [media.id], key=f"ask-{media.id}")


def _first(store: Store, analysis: Analysis, lines: Mapping[int, Line]) -> None:
    if analysis.insights is None:
        _none(analysis)
    else:
        insights = renamed_insights(analysis.insights, since_insights(analysis))
        _summary(insights, lines)
        making.show_maker((insights.get("details") or {}).get("meta") or {})
    making.show_again(store, analysis)


def _none(analysis: Analysis) -> None:
    if analysis.request.get("insights") is False:
        st.info("No insights were requested for this recording.", icon=":material/lightbulb:")
    else:
        st.info("This recording has no insights.", icon=":material/lightbulb:")


def _summary(insights: Json, lines: Mapping[int, Line]) -> None:
    details = insights.get("details") or {}
    if insights.get("summary"):
        st.markdown(plain(insights["summary"]))
    if insights.get("topics"):
        with st.container(horizontal=True, gap="small"):
            for topic in insights["topics"]:
                st.badge(in_badge(topic), color="blue")
    for name, heading in _LISTS:
        _statements(heading, details.get(name) or (), lines, key=f"points-{name}")
    for section in details.get("sections") or ():
        key = f"section-{section['key']}"
        _statements(section["title"], section["items"], lines, key=key)


def _statements(
    heading: str, found: Sequence[Json], lines: Mapping[int, Line], *, key: str
) -> None:
    if found:
        st.header(plain(heading), anchor=False)
        statements = [(point["text"], point.get("evidence", ())) for point in found]
        points(heading, statements, lines, key=key)


@st.fragment
@told
def _action_items(store: Store, media_id: str, lines: Mapping[int, Line]) -> None:
    """Reads the items itself, so that ticking one does not rerun the whole page."""
    analysis = store.analysis(media_id)
    items = analysis.action_items if analysis else ()
    if problem := st.session_state.pop("item-problem", None):
        st.error(sentences(problem))
    if items:
        done = sum(item.done for item in items)
        st.caption(f"{done} of {len(items)} done")
    else:
        st.caption("No action items were found.")
    changed = since_insights(analysis) if analysis else {}
    for place, item in enumerate(items):
        _action_item(store, media_id, place, item, renamed(item.text, changed), lines)


def _action_item(
    store: Store,
    media_id: str,
    place: int,
    item: ActionItem,
    text: str,
    lines: Mapping[int, Line],
) -> None:
    """Shows an item, whose `text` has the speakers' present names."""
    key = f"item-{media_id}-{place}-{hash(item.text)}"
    # A speaker's new name is the owner's, too: the field is another one then, and shows it.
    owner = f"{key}-owner-{item.owner}"
    names = {"done": f"{key}-done", "owner": owner, "due": f"{key}-due"}

    def keep(field: str) -> None:
        _keep_item(store, media_id, item.text, field, st.session_state[names[field]])

    with st.container(border=True, gap="small"):
        st.checkbox(plain(text), item.done, key=names["done"], on_change=keep, args=("done",))
        with st.container(horizontal=True, gap="small"):
            for field, label in (("owner", "Owner"), ("due", "Due")):
                st.text_input(
                    plain(f"{label}: {text}"),
                    getattr(item, field) or "",
                    key=names[field],
                    placeholder=label,
                    label_visibility="collapsed",
                    max_chars=100,
                    on_change=keep,
                    args=(field,),
                )
            if item.due_date:
                st.caption(f":material/event: {iso_day(item.due_date)}")
        if item.evidence:
            points("Evidence", [("", item.evidence)], lines, key=f"{key}-evidence")


def _keep_item(store: Store, media_id: str, text: str, field: str, value: str | bool) -> None:
    """Changes one field of the item with this text, in the latest stored items."""
    if isinstance(value, str):
        value = value.strip()
    change = {field: value if field == "done" else value or None}
    if field == "due":  # its date was that of the words before
        change["due_date"] = None
    try:
        analysis = store.analysis(media_id)
        items = analysis.action_items if analysis else ()
        changed = tuple(
            replace(item, **change) if item.text == text else item  # type: ignore[arg-type]
            for item in items
        )
        store.update_analysis(media_id, action_items=changed)
    except StoreError as error:
        st.session_state["item-problem"] = words(error)


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
