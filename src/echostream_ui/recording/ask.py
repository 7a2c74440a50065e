"""Questions about one or several recordings, and their answers."""

from collections.abc import Sequence

import streamlit as st

from echostream_ui.api_client import ApiError
from echostream_ui.asking import Answer, Passage, Writing
from echostream_ui.components.answer import answer, place, without_marks
from echostream_ui.library.store import Store
from echostream_ui.library.values import Json
from echostream_ui.services import services
from echostream_ui.words.makers import answered_by
from echostream_ui.words.problems import words
from echostream_ui.words.wording import plain, sentences

_LOOK_S = 0.5
_MOST_ANSWERS = 20
_LONGEST_QUESTION = 2000


def show(store: Store, media_ids: Sequence[str], *, key: str, is_elsewhere: bool = False) -> None:
    """Shows a box for questions, and the answers of this visit, the newest first. Passages are
    played on this page, or are links to their recordings if that `is_elsewhere`."""
    is_writing = f"{key}-writing" in st.session_state
    st.fragment(_show, run_every=_LOOK_S if is_writing else None)(
        store, media_ids, key, is_elsewhere
    )


def _show(store: Store, media_ids: Sequence[str], key: str, is_elsewhere: bool) -> None:
    state = st.session_state
    before: list[Answer] = state.setdefault(f"{key}-answers", [])
    writing: Writing | None = state.get(f"{key}-writing")
    if writing is None:
        _ask(store, media_ids, key, before)
    elif (now := writing.look()).is_over:
        del state[f"{key}-writing"]
        state[f"{key}-answers"] = [*before, now][-_MOST_ANSWERS:]
        st.rerun()
    else:
        _unfinished(now)
        if st.button("Stop", key=f"{key}-stop", icon=":material/stop_circle:"):
            writing.stop()
            del state[f"{key}-writing"]
            st.rerun()
    for number, each in reversed(list(enumerate(before))):
        with st.container(border=True, gap="small"):
            st.markdown(f"**{plain(each.question)}**")
            _finished(each, len(media_ids), f"{key}-answer-{number}", is_elsewhere)


def _ask(store: Store, media_ids: Sequence[str], key: str, before: Sequence[Answer]) -> None:
    with (
        st.form(f"{key}-form", clear_on_submit=True, border=False),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        question = st.text_input(
            "Your question",
            max_chars=_LONGEST_QUESTION,
            key=f"{key}-question",
        )
        is_asked = st.form_submit_button("Ask", type="primary", icon=":material/question_answer:")
    if is_asked and question.strip():
        st.session_state[f"{key}-writing"] = services().ask(
            store, media_ids, question.strip(), before
        )
        st.rerun()


def _unfinished(now: Answer) -> None:
    with st.container(border=True, gap="small"):
        st.markdown(f"**{plain(now.question)}**")
        if now.text:
            st.text(without_marks(now.text))
        else:
            st.markdown(":material/hourglass_top: Looking for the answer…")


def _finished(found: Answer, recordings: int, key: str, is_elsewhere: bool) -> None:
    if found.error is not None:
        _unanswered(found.error)
        return
    if not found.passages:
        subject = "This recording does" if recordings == 1 else "These recordings do"
        st.info(f"{subject} not hold the answer.", icon=":material/search_off:")
    answer(found.text, [_place(each, is_elsewhere) for each in found.passages], key=key)
    st.caption(plain(answered_by(found.meta or {})))


def _unanswered(error: BaseException) -> None:
    """Says why. What is only busy, or not set up, is a hint and no fault."""
    code = error.code if isinstance(error, ApiError) else None
    if code == "server_busy":
        st.info("The API is busy. Ask again in a moment.", icon=":material/hourglass_top:")
    elif code == "no_language_model":
        st.info(sentences(words(error)), icon=":material/lightbulb:")
    else:
        st.error(sentences(words(error)), icon=":material/error:")


def _place(passage: Passage, is_elsewhere: bool) -> Json:
    if not is_elsewhere:
        return place(passage.line_id, passage.start_s, passage.text)
    return place(
        passage.line_id,
        passage.start_s,
        passage.text,
        media=passage.media_id,
        title=passage.title,
    )
