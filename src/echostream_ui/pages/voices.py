"""The voices that are known by name, and how to forget them."""

from collections.abc import Mapping, Sequence
from itertools import groupby

import streamlit as st

from echostream_ui.library.voices import KnownVoice, Voices
from echostream_ui.pages.session import current_store
from echostream_ui.recording.told import told
from echostream_ui.words.wording import count, day, duration, plain


@told
def main() -> None:
    st.title("Known voices", anchor=False)
    voices = current_store().voices
    if voices is None:
        st.info("This library keeps no voices: it is not on this machine.")
        return
    st.write(
        "When you name a speaker, you can have the voice remembered. Where it is heard again, the"
        " name is suggested. Voices stay in this library, and nothing sends them anywhere."
    )
    names = _by_name(voices.known())
    if not names:
        st.info("No voice is known yet.", icon=":material/record_voice_over:")
        return
    for name, known in names.items():
        _row(voices, name, known)
    if st.button("Forget all voices", icon=":material/delete:"):
        _forget_all(voices, len(names))


def _by_name(known: Sequence[KnownVoice]) -> Mapping[str, list[KnownVoice]]:
    return {name: list(of) for name, of in groupby(known, key=lambda each: each.name)}


def _row(voices: Voices, name: str, known: Sequence[KnownVoice]) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        with st.container():
            st.markdown(f"**{plain(name)}**")
            heard = duration(sum(each.seconds for each in known))
            since = day(min(each.created_at for each in known), st.context.timezone)
            st.caption(f"{heard} of speech, from {count(len(known), 'recording')}, since {since}")
        if st.button(f"Forget {plain(name)}", icon=":material/delete:", key=f"forget-{name}"):
            voices.forget_names([name])
            st.rerun()


@st.dialog("Forget all voices?")
@told
def _forget_all(voices: Voices, people: int) -> None:
    st.write(
        f"{count(people, 'person is', 'people are')} recognised no longer. The names in your"
        " recordings stay."
    )
    with st.container(horizontal=True):
        wanted = st.button("Forget all", type="primary", icon=":material/delete:")
        if st.button("Keep them"):
            st.rerun()
    if wanted:
        voices.forget_all()
        st.rerun()


main()
