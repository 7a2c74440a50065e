"""How a recording's insights were made, and the controls to make them again."""

from dataclasses import replace

import streamlit as st

from echostream_ui.library.action_items import replaced
from echostream_ui.library.analysis import Analysis
from echostream_ui.library.store import Store
from echostream_ui.library.values import Json
from echostream_ui.library.written_insights import told_of_replaced
from echostream_ui.recording import model_choice, template_choice
from echostream_ui.recording.insights_again import Wanted, make_again, name_of
from echostream_ui.services import services
from echostream_ui.words.makers import OFFLINE, lacking, made_by
from echostream_ui.words.problems import words
from echostream_ui.words.wording import plain, sentences

_LOOK_S = 1.0


def show_how_to_add_a_model(meta: Json) -> None:
    """Says so, and what to do about it, if no language model made the insights."""
    if meta.get("provider") == "extractive":
        st.info(OFFLINE, icon=":material/format_quote:")


def show_maker(meta: Json) -> None:
    """Says what made the insights, of how much of the text, and what is missing."""
    if reason := lacking(meta):
        st.warning(plain(reason), icon=":material/warning:")
    if told := made_by(meta, template_choice.titles()):
        st.caption(plain(told))


def show_again(store: Store, analysis: Analysis) -> None:
    """Shows the controls, or that insights are being made: a fragment that polls."""
    is_running = services().background.is_running(name_of(analysis.media_id))
    st.fragment(_again, run_every=_LOOK_S if is_running else None)(store, analysis)


def _again(store: Store, analysis: Analysis) -> None:
    media_id = analysis.media_id
    background, name = services().background, name_of(media_id)
    problem = f"again-problem-{media_id}"
    was_running = st.session_state.get(f"again-{media_id}", False)
    is_running = background.is_running(name)
    st.session_state[f"again-{media_id}"] = is_running
    if error := background.take_error(name):
        st.session_state[problem] = words(error)
    if was_running and not is_running:
        if problem not in st.session_state:
            _remember_what_was_replaced(store, media_id)
        st.rerun()
    if is_running:
        st.status("Generating insights from the current text…", state="running")
        return
    if st.session_state.get(problem):
        st.error(sentences(st.session_state[problem]), icon=":material/error:")
    elif news := st.session_state.get(f"again-news-{media_id}"):
        st.success(plain(news), icon=":material/auto_awesome:")
    before = _before(analysis)
    wanted = template_choice.ask(*st.columns(2), before, key=f"again-{media_id}")
    wanted = replace(wanted, model=model_choice.ask(before.model, key=f"again-{media_id}-model"))
    label = "Generate insights again" if analysis.insights else "Generate insights"
    help_text = (
        "From the text with your edits and names. Summary, lists and sections are replaced; what"
        " you have written there can be put back. Action items that you have added, edited or"
        " ticked off stay as they are."
    )
    if st.button(label, icon=":material/auto_awesome:", help=help_text):
        for old in (problem, f"again-news-{media_id}"):
            st.session_state.pop(old, None)
        st.session_state[f"again-{media_id}"] = True
        st.session_state[f"again-before-{media_id}"] = store.analysis(media_id)
        background.start(name, lambda: make_again(services().api, store, media_id, wanted))
        st.rerun()


def _remember_what_was_replaced(store: Store, media_id: str) -> None:
    """Keeps for this visit what newer insights replaced, and what stayed of the ones before."""
    before: Analysis | None = st.session_state.pop(f"again-before-{media_id}", None)
    after = store.analysis(media_id)
    if before and before.insights and after:
        items = replaced(before.action_items, after.action_items)
        texts = told_of_replaced(before, after)
        news = " ".join(filter(None, ("Summary, lists and sections are new.", texts, items)))
        st.session_state[f"again-news-{media_id}"] = news


def _before(analysis: Analysis) -> Wanted:
    """What the insights that are shown were asked for."""
    before = Wanted.before(analysis.request)
    meta = ((analysis.insights or {}).get("details") or {}).get("meta") or {}
    made_with = [
        each for each in services().templates.offered if each["name"] == meta.get("template")
    ]
    return before if before.template or not made_with else replace(before, template=made_with[0])
