"""The insights into a recording, each with its evidence, and the user's changes to them."""

from collections.abc import Mapping
from dataclasses import replace

import streamlit as st

from echostream_ui.components.player import goto, points
from echostream_ui.library.store import ActionItem, Analysis, Json, Media, Store, StoreError
from echostream_ui.library.transcript import Line
from echostream_ui.recording.insights_again import make_again, name_of
from echostream_ui.recording.sentiment_chart import SELECTION, bars_of, chart_of, described
from echostream_ui.recording.told import told
from echostream_ui.services import services
from echostream_ui.words.problems import words
from echostream_ui.words.wording import SENTIMENT_WORDS, plain

_LOOK_S = 1.0
_PROVIDERS = {
    "extractive": "EchoStream itself, without a language model",
    "gemini": "Google Gemini",
    "openai": "a language model",
}


def show(store: Store, media: Media, analysis: Analysis, lines: Mapping[int, Line]) -> None:
    has_text = any(line.text for line in lines.values())
    insights = analysis.insights
    if insights is None:
        _none(analysis, has_text)
    else:
        details = insights.get("details") or {}
        tabs = st.tabs(["Summary", "Action items", "Sentiment"])
        with tabs[0]:
            _summary(insights, details, lines)
        with tabs[1]:
            _action_items(store, media.id, lines)
        with tabs[2]:
            _sentiment(media, insights, details, lines)
        _made_by(details.get("meta") or {})
    if has_text:
        is_running = services().background.is_running(name_of(media.id))
        st.fragment(_again, run_every=_LOOK_S if is_running else None)(
            store, media.id, is_first=insights is None
        )


def _none(analysis: Analysis, has_text: bool) -> None:
    if not has_text:
        st.info("There is no text to generate insights from.", icon=":material/voice_over_off:")
    elif analysis.request.get("insights") is False:
        st.info("No insights were requested for this recording.", icon=":material/lightbulb:")
    else:
        st.info("This recording has no insights.", icon=":material/lightbulb:")


def _summary(insights: Json, details: Json, lines: Mapping[int, Line]) -> None:
    if insights.get("summary"):
        st.markdown(plain(insights["summary"]))
    if insights.get("topics"):
        with st.container(horizontal=True, gap="small"):
            for topic in insights["topics"]:
                st.badge(plain(topic), color="blue")
    for name, heading in (
        ("key_points", "Key points"),
        ("decisions", "Decisions"),
        ("questions", "Questions"),
    ):
        if found := details.get(name):
            st.subheader(heading, anchor=False)
            statements = [(point["text"], point.get("evidence", ())) for point in found]
            points(heading, statements, lines, key=f"points-{name}")


@st.fragment
@told
def _action_items(store: Store, media_id: str, lines: Mapping[int, Line]) -> None:
    """Reads the items itself, so that ticking one does not rerun the whole page."""
    analysis = store.analysis(media_id)
    items = analysis.action_items if analysis else ()
    if problem := st.session_state.pop("item-problem", None):
        st.error(problem)
    if items:
        done = sum(item.done for item in items)
        st.caption(f"{done} of {len(items)} done")
    else:
        st.caption("No action items were found.")
    for place, item in enumerate(items):
        _action_item(store, media_id, place, item, lines)


def _action_item(
    store: Store, media_id: str, place: int, item: ActionItem, lines: Mapping[int, Line]
) -> None:
    key = f"item-{media_id}-{place}-{hash(item.text)}"
    names = {"done": f"{key}-done", "owner": f"{key}-owner", "due": f"{key}-due"}

    def keep(field: str) -> None:
        _keep_item(store, media_id, item.text, field, st.session_state[names[field]])

    with st.container(border=True, gap="small"):
        st.checkbox(plain(item.text), item.done, key=names["done"], on_change=keep, args=("done",))
        with st.container(horizontal=True, gap="small"):
            for field, label in (("owner", "Owner"), ("due", "Due")):
                st.text_input(
                    f"{label}: {item.text}",
                    getattr(item, field) or "",
                    key=names[field],
                    placeholder=label,
                    label_visibility="collapsed",
                    max_chars=100,
                    on_change=keep,
                    args=(field,),
                )
        if item.evidence:
            points("Evidence", [("", item.evidence)], lines, key=f"{key}-evidence")


def _keep_item(store: Store, media_id: str, text: str, field: str, value: str | bool) -> None:
    """Changes one field of the item with this text, in the latest stored items."""
    if isinstance(value, str):
        value = value.strip()
    change = {field: value if field == "done" else value or None}
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
def _sentiment(media: Media, insights: Json, details: Json, lines: Mapping[int, Line]) -> None:
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


def _made_by(meta: Json) -> None:
    provider, model = str(meta.get("provider") or ""), meta.get("model")
    name = _PROVIDERS.get(provider, provider) + (f" ({model})" if model else "")
    if meta.get("degraded"):
        reason = str(meta.get("degraded_reason") or "the reason is not known").rstrip(".")
        st.warning(
            f"These insights stand in for better ones, which failed: {plain(reason)}. They were"
            f" made by {plain(name)}. Make them again once that is mended.",
            icon=":material/warning:",
        )
    elif name:
        st.caption(f"Made by {plain(name)}.")
    coverage = meta.get("coverage", 1.0)
    if coverage < 0.995:
        st.caption(f"Only {coverage:.0%} of the text was read for them.")


def _again(store: Store, media_id: str, *, is_first: bool) -> None:
    """Shows a button to generate insights, or that they are being made: a fragment that polls."""
    background, name = services().background, name_of(media_id)
    problem = f"again-problem-{media_id}"
    was_running = st.session_state.get(f"again-{media_id}", False)
    is_running = background.is_running(name)
    st.session_state[f"again-{media_id}"] = is_running
    if error := background.take_error(name):
        st.session_state[problem] = words(error)
    if was_running and not is_running:
        st.rerun()
    if is_running:
        st.status("Generating insights from the current text…", state="running")
        return
    if st.session_state.get(problem):
        st.error(st.session_state[problem], icon=":material/error:")
    label = "Make insights" if is_first else "Make insights again"
    if st.button(label, icon=":material/auto_awesome:", help="From the text with your edits."):
        st.session_state.pop(problem, None)
        st.session_state[f"again-{media_id}"] = True
        background.start(name, lambda: make_again(services().api, store, media_id))
        st.rerun()
