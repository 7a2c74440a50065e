"""Actions on several recordings at once: ask, tag, move, export, delete."""

import io
import zipfile
from collections.abc import Sequence

import streamlit as st

from echostream_ui.documents import FORMATS, LABELS, Format, Options, export, file_name
from echostream_ui.finding import folder_choice
from echostream_ui.library.media import Media
from echostream_ui.library.store import Store
from echostream_ui.pages import about
from echostream_ui.recording import tag_choice, undo
from echostream_ui.services import services
from echostream_ui.words.wording import count


def show(store: Store, chosen: Sequence[Media], known_tags: Sequence[str]) -> None:
    """Shows how many are selected, and the buttons."""
    st.markdown(f"**{count(len(chosen), 'recording')} selected**", width="content")
    if st.button("Ask", icon=":material/question_answer:"):
        about.ask(about.selected(chosen))
    if st.button("Tag", icon=":material/label:"):
        ask_tags(store, chosen, known_tags)
    if st.button("Move", icon=":material/drive_file_move:"):
        folder_choice.move(store, chosen)
    if st.button("Export", icon=":material/download:"):
        ask_format(store, chosen)
    if st.button("Delete", icon=":material/delete:"):
        undo.delete(store, chosen)
        st.rerun()


@st.dialog("Tag recordings", dismissible=False)
def ask_tags(store: Store, chosen: Sequence[Media], known: Sequence[str]) -> None:
    carried = list(dict.fromkeys(tag for media in chosen for tag in media.tags))
    with st.form("tags", border=False):
        add = tag_choice.ask("Add", (), known, key="bulk-tags")
        remove = tag_choice.choose("Remove", carried, (), key="bulk-remove") if carried else []
        with st.container(horizontal=True):
            is_saved = st.form_submit_button("Save", type="primary")
            is_over = st.form_submit_button("Cancel")
    if is_saved:
        store.tag([media.id for media in chosen], add, remove)
    if is_saved or is_over:
        st.rerun()


@st.dialog("Export recordings")
def ask_format(store: Store, chosen: Sequence[Media]) -> None:
    done = [media for media in chosen if media.state == "completed"]
    if not done:
        st.write("None of these is done yet.")
        return
    wanted = st.selectbox("Format", FORMATS, format_func=LABELS.__getitem__)
    if len(done) < len(chosen):
        st.caption(f"{count(len(chosen) - len(done), 'recording')} not done yet and left out.")
    st.download_button(
        f"Download {count(len(done), 'recording')}",
        lambda: archive(store, done, wanted),
        file_name="recordings.zip",
        mime="application/zip",
        on_click="ignore",  # rerunning the dialog would remove the file before it is fetched
        type="primary",
        icon=":material/download:",
    )


def archive(store: Store, media: Sequence[Media], as_format: Format) -> bytes:
    """Returns a zip file with a document for each recording, under unique names."""
    packed = io.BytesIO()
    options = Options(st.context.timezone, more_letters=services().settings.pdf_font)
    names: set[str] = set()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for one in media:
            analysis = store.analysis(one.id)
            if analysis is not None and analysis.response is not None:
                document = export(one, analysis, as_format, options)
                file.writestr(unused(file_name(one, as_format), names), document)
    return packed.getvalue()


def unused(name: str, names: set[str]) -> str:
    stem, dot, suffix = name.rpartition(".")
    number = 1
    while name in names:
        number += 1
        name = f"{stem} ({number}){dot}{suffix}"
    names.add(name)
    return name
