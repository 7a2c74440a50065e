"""Add recordings: files, links, the microphone. Work continues after the user leaves the page."""

import time
from collections.abc import Callable
from datetime import UTC, date, datetime

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from echostream_ui.api_client import Options
from echostream_ui.intake import AlreadyThere
from echostream_ui.library.store import UNFINISHED, Json, Media, Query, Store, StoreError
from echostream_ui.pages import duplicates, opening, speakers
from echostream_ui.pages.session import current_store
from echostream_ui.recording import template_choice
from echostream_ui.recording.insights_again import Wanted
from echostream_ui.services import services
from echostream_ui.words.languages import NAMES
from echostream_ui.words.problems import words
from echostream_ui.words.wording import count, end_of, local, plain, progress, sentences

_REFRESH_S = 1.0
_SHOWN = 50


def main() -> None:
    opening.follow()
    store = current_store()
    st.title("Add recordings", anchor=False)
    request = ask_options()
    files, address, microphone = st.tabs(
        [":material/upload_file: Files", ":material/link: Links", ":material/mic: Microphone"]
    )
    with files:
        add_files(store, request)
    with address:
        add_addresses(store, request)
    with microphone:
        add_clip(store, request)
    duplicates.show(take)
    show_items(store)


def ask_options() -> Json:
    with st.expander("Options", icon=":material/tune:"):
        left, right = st.columns(2)
        spoken = left.selectbox(
            "Language",
            sorted(NAMES, key=NAMES.__getitem__),
            index=None,
            format_func=NAMES.__getitem__,
            placeholder="Detect",
            key="add_language",
            persist_state="session",
        )
        translate = right.toggle(
            "Translate into English", key="add_translate", persist_state="session"
        )
        insights = right.toggle(
            "Generate insights", True, key="add_insights", persist_state="session"
        )
        who = speakers.ask(left, "add_speakers")
        wanted = Wanted()
        if insights:
            wanted = template_choice.ask(*st.columns(2), Wanted(), key="add")
        recorded_at = left.date_input(
            "Recorded on",
            None,
            max_value=today(),
            key="add_recorded_at",
            help="Due times such as “Friday” then get dates.",
        )
        prompt = st.text_input(
            "Names and terms that are likely to be said",
            max_chars=2000,
            key="add_prompt",
            persist_state="session",
            placeholder="EchoStream, Mrs Petrova, quarterly review",
        )
        model, offered = None, services().models
        if len(offered) > 1:
            model = st.selectbox("Model", offered, key="add_model", persist_state="session")
    return Options(
        language=spoken,
        task="translate" if translate else "transcribe",
        prompt=prompt or None,
        insights=insights,
        model=model,
        template=wanted.template,
        insights_language=wanted.language,
        recorded_at=recorded_at,
        **who,
    ).as_json()


def today() -> date:
    """The day where the user is."""
    return local(datetime.now(UTC), st.context.timezone).date()


def add_files(store: Store, request: Json) -> None:
    with st.form("add_files", clear_on_submit=True, border=False):
        chosen = st.file_uploader(
            "Audio or video, one or several files", accept_multiple_files=True, key="add_uploader"
        )
        if st.form_submit_button("Add", type="primary") and chosen:
            take(
                chosen,
                lambda file, **more: services().intake.add_file(
                    store, file.name, file, request, **more
                ),
            )


def add_addresses(store: Store, request: Json) -> None:
    with st.form("add_addresses", clear_on_submit=True, border=False):
        text = st.text_area(
            "Links to audio or video files, one per line",
            placeholder="https://example.com/talk.mp3",
        )
        if st.form_submit_button("Add", type="primary"):
            addresses = text.split()
            wrong = [one for one in addresses if not one.startswith(("http://", "https://"))]
            for one in wrong:
                st.error(f"{plain(one)} is not a web address: it begins with https:// or http://.")
            right = [one for one in addresses if one not in wrong]
            take(right, lambda one: services().intake.add_url(store, one, request))


def add_clip(store: Store, request: Json) -> None:
    with st.form("add_clip", clear_on_submit=True, border=False):
        clip = st.audio_input("Record a note", sample_rate=16_000)
        name = st.text_input("Title", placeholder="Note")
        if st.form_submit_button("Add", type="primary") and clip:
            title = " ".join(name.split())
            now = request | {"recordedAt": today().isoformat()}
            take(
                [clip],
                lambda file, **more: services().intake.add_file(
                    store, f"{title or 'Note'}.wav", file, now, "microphone", title=title, **more
                ),
            )


def take(things: list[UploadedFile] | list[str], add: Callable[..., str]) -> None:
    """Adds the things one by one. If one cannot be added, the others still are."""
    added: list[str] = st.session_state.setdefault("added", [])
    for thing in things:
        try:
            added.append(add(thing))
        except AlreadyThere as twice:
            duplicates.hold(thing, twice.media, add)
        except (StoreError, OSError) as error:
            name = thing if isinstance(thing, str) else thing.name
            why = words(error) if isinstance(error, StoreError) else f"{error.strerror}."
            st.error(f"{plain(name)} could not be added: {sentences(why)}")


@st.fragment(run_every=_REFRESH_S)
def show_items(store: Store) -> None:
    """Shows all unfinished, failed and cancelled recordings, and those done in this visit."""
    under_way = store.search(Query(states=UNFINISHED, limit=_SHOWN, descending=False))
    ended = store.search(Query(states=("failed", "cancelled"), limit=_SHOWN))
    added = [store.media(media_id) for media_id in st.session_state.get("added", [])]
    done = [media for media in added if media is not None and media.state == "completed"]
    items = [row.media for row in (*under_way.rows, *ended.rows)] + done[::-1]
    if not items:
        return
    st.header("Under way" if under_way.total else "Recently added", anchor=False)
    if under_way.total > _SHOWN:
        st.caption(f"{count(under_way.total, 'recording')}, the first {_SHOWN} of them:")
    for media in items:
        show_item(store, media)


def show_item(store: Store, media: Media) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        if media.state in UNFINISHED:
            show_under_way(store, media)
        else:
            show_ended(store, media)


def show_under_way(store: Store, media: Media) -> None:
    intake = services().intake
    now = intake.progress(media.id)
    with st.container(gap="xsmall"):
        said = f"**{plain(media.title)}** · {progress(now, time.time())}"
        if now and now.share is not None:
            st.progress(now.share, said)
        else:
            st.markdown(f":material/hourglass_top: {said}")
        if now and now.trouble:
            st.caption(f":material/warning: {sentences(now.trouble)}")
        elif now and now.text:
            st.caption(plain(end_of(now.text)))
    if st.button("Cancel", key=f"cancel_{media.id}", icon=":material/close:"):
        intake.cancel(store, media.id)
        st.rerun(scope="fragment")


def show_ended(store: Store, media: Media) -> None:
    intake = services().intake
    with st.container(gap="xsmall"):
        st.markdown(f"**{plain(media.title)}**")
        if media.state == "failed":
            st.caption(f":material/error: {sentences(media.message or '')}")
        else:
            st.caption("Done" if media.state == "completed" else "Cancelled")
    if media.state == "completed":
        if st.button("Open", key=f"open_{media.id}", type="primary"):
            opening.ask(media.id)
        return
    if st.button("Try again", key=f"retry_{media.id}", icon=":material/refresh:"):
        intake.retry(store, media.id)
        st.rerun(scope="fragment")
    if st.button("Remove", key=f"remove_{media.id}", icon=":material/delete:"):
        intake.to_bin(store, [media.id])
        st.rerun(scope="fragment")


main()
