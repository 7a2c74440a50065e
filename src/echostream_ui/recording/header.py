"""The facts about a recording, and the actions on it as a whole."""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from echostream_ui.components.going import go
from echostream_ui.library.analysis import Analysis
from echostream_ui.library.media import Media
from echostream_ui.library.names import speaker_of, speakers_of
from echostream_ui.library.search import NO_FOLDER
from echostream_ui.library.store import Store
from echostream_ui.library.values import Json
from echostream_ui.recording import (
    again,
    edits,
    folder_field,
    known_voices,
    share,
    tag_choice,
    takeaway,
    undo,
)
from echostream_ui.recording.told import told
from echostream_ui.words import wording
from echostream_ui.words.languages import language_name

_FIRST_WORDS_CHARS = 80


def show(store: Store, media: Media, analysis: Analysis | None) -> None:
    """Shows title, facts, tags and actions. What needs a transcript is shown if `analysis` is
    given.

    The page has the same elements whatever there is to show: if one came or went, Streamlit would
    put the player on the page anew.
    """
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.container():
            st.title(wording.plain(media.title), anchor=False)
        with st.container(horizontal=True, width="content", gap="small"):
            _actions(store, media, analysis)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        facts = " · ".join(_facts(media, analysis.response if analysis else None))
        st.caption(wording.plain(facts), width="content")
        if folder := _folder(store, media):
            st.badge(wording.in_badge(folder), color="gray", icon=":material/folder:")
        for tag in media.tags:
            st.badge(wording.in_badge(tag), color="gray", icon=":material/label:")
    with st.container():
        if analysis is not None:
            known_voices.suggest(store, analysis, partial(edits.keep_names, store, media.id))


def _actions(store: Store, media: Media, analysis: Analysis | None) -> None:
    if analysis is not None:
        share.button(media)
        takeaway.show(store, media, analysis)
    if st.button("Edit details", icon=":material/edit:"):
        _edit_details(store, media)
    speakers = speakers_of(analysis) if analysis else []
    if analysis and speakers and st.button("Name speakers", icon=":material/group:"):
        _name_speakers(store, analysis, speakers)
    if analysis is not None:
        again.button(store, media, analysis)
    if st.button("Delete", icon=":material/delete:"):
        undo.delete(store, [media])
        go("")


def _folder(store: Store, media: Media) -> str | None:
    """The name of its folder."""
    found = store.folders.all() if media.folder else ()
    return next((each.name for each in found if each.id == media.folder), None)


def _facts(media: Media, response: Json | None) -> list[str]:
    facts = [wording.day_and_time(media.created_at, st.context.timezone)]
    if media.duration_s is not None:
        facts.append(wording.duration(media.duration_s))
    if media.language:
        facts.append(language_name(media.language))
    facts.append(media.source_name if media.source in ("file", "url") else "")
    if not facts[-1]:
        facts[-1] = wording.SOURCE_WORDS[media.source]
    if response and response.get("engine"):
        facts.append(f"Transcribed by {response['engine']}")
    return facts


# A click beside a dialog must not lose what was typed in it: only its buttons close it.
@st.dialog("Edit details", dismissible=False)
@told
def _edit_details(store: Store, media: Media) -> None:
    known = store.facets().tags
    with st.form("details", border=False):
        title = st.text_input("Title", media.title, max_chars=300)
        tags = tag_choice.ask("Tags", media.tags, known, key=f"tags-{media.id}")
        folder, new_folder = folder_field.ask(store, media.folder or NO_FOLDER)
        if not _is_saved():
            return
    title = " ".join(title.split())
    if not title:
        st.error("A recording needs a title.")
        return
    into = store.folders.add(new_folder) if new_folder else folder or None
    store.update_media(media.id, title=title, tags=tags)
    if into != media.folder:
        store.folders.move([media.id], into)
    st.rerun()


def _is_saved() -> bool:
    """Shows a form's buttons; returns whether it is to be saved. *Cancel* closes the dialog."""
    with st.container(horizontal=True):
        is_saved = st.form_submit_button("Save", type="primary")
        if st.form_submit_button("Cancel"):
            st.rerun()
    return is_saved


@st.dialog("Name speakers", dismissible=False)
@told
def _name_speakers(store: Store, analysis: Analysis, speakers: Sequence[str]) -> None:
    st.write("Leave a name empty to restore the recognised one.")
    with st.form("speakers", border=False):
        names, to_remember = {}, {}
        for speaker in speakers:
            names[speaker] = st.text_input(
                wording.plain(speaker),
                analysis.speakers.get(speaker, ""),
                max_chars=100,
                placeholder=_first_words(analysis, speaker),
            )
            to_remember[speaker] = known_voices.ask_remember(store, analysis, speaker)
        if not _is_saved():
            return
    kept = {speaker: " ".join(name.split()) for speaker, name in names.items() if name.strip()}
    others = {each: name for each, name in analysis.speakers.items() if each not in names}
    edits.keep_names(store, analysis.media_id, others | kept)
    known_voices.keep(store, analysis, kept, to_remember)
    st.rerun()


def _first_words(analysis: Analysis, speaker: str) -> str:
    """What somebody says first, to recognise them by."""
    said = (analysis.response or {}).get("segments", ())
    text = next((each["text"] for each in said if speaker_of(each, analysis) == speaker), "")
    return f"Says: {text.strip()[:_FIRST_WORDS_CHARS]}"
