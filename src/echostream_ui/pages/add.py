"""Add recordings: files, links, the microphone. Work continues after the user leaves the page."""

import time
from collections.abc import Callable
from datetime import UTC, date, datetime

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from echostream_ui.components.going import link
from echostream_ui.intake import AlreadyThere
from echostream_ui.intake.feeds import Episode
from echostream_ui.library.media import UNFINISHED, Media
from echostream_ui.library.search import Query
from echostream_ui.library.store import Store, StoreError
from echostream_ui.library.values import Json
from echostream_ui.pages import duplicates, podcast, presets
from echostream_ui.pages.session import current_store
from echostream_ui.recording import options
from echostream_ui.services import services
from echostream_ui.words.problems import words
from echostream_ui.words.wording import count, end_of, local, plain, progress, sentences

_REFRESH_S = 1.0
_SHOWN = 50
FORMATS = (
    "MP3, M4A, AAC, WAV, FLAC, OGG, Opus, WMA, AMR, MP4, MOV, MKV, WebM, AVI, and nearly everything"
    " else that plays."
)


def main() -> None:
    store = current_store()
    st.title("Add recordings", anchor=False)
    request = ask_options(store)
    files, address, feed, microphone = st.tabs(
        [
            ":material/upload_file: Files",
            ":material/link: Links",
            ":material/podcasts: Podcasts",
            ":material/mic: Microphone",
        ]
    )
    with files:
        add_files(store, request)
    with address:
        add_addresses(store, request)
        show_episodes(store, request, "links")
    with feed:
        podcast.ask()
        show_episodes(store, request, "podcasts")
    with microphone:
        add_clip(store, request)
    duplicates.show(take)
    show_items(store)


def ask_options(store: Store) -> Json:
    """Shows presets and options; returns what is asked of the API."""
    presets.choose(store)
    with st.expander("Options", icon=":material/tune:"):
        request = options.ask(presets.OPTIONS)
        recorded_at = st.date_input(
            "Recorded on",
            None,
            max_value=today(),
            key="add_recorded_at",
            help="Due times such as “Friday” then get dates.",
        )
        presets.show_keeping(store, request)
    return request | ({"recordedAt": recorded_at.isoformat()} if recorded_at else {})


def today() -> date:
    """The day where the user is."""
    return local(datetime.now(UTC), st.context.timezone).date()


def add_files(store: Store, request: Json) -> None:
    with st.form("add_files", clear_on_submit=True, border=False):
        chosen = st.file_uploader(
            "Drop audio or video here, one or several files",
            accept_multiple_files=True,
            key="add_uploader",
        )
        st.caption(FORMATS)
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
            "Links to audio or video files or to podcasts, one per line",
            placeholder="https://example.com/talk.mp3",
        )
        if st.form_submit_button("Add", type="primary"):
            addresses = text.split()
            wrong = [one for one in addresses if not one.startswith(("http://", "https://"))]
            for one in wrong:
                st.error(f"{plain(one)} is not a web address: it begins with https:// or http://.")
            right = [one for one in addresses if one not in wrong]
            files = podcast.without_feeds(right)
            take(files, lambda one: services().intake.add_url(store, one, request))


def show_episodes(store: Store, request: Json, place: podcast.Place) -> None:
    podcast.show(
        place, lambda episodes: take(episodes, lambda one: add_episode(store, one, request))
    )


def add_episode(store: Store, episode: Episode, request: Json) -> str:
    """Adds an episode of a podcast. It was recorded when it was published, unless the user knows
    better."""
    day = {"recordedAt": episode.published_at.date().isoformat()} if episode.published_at else {}
    return services().intake.add_url(store, episode.url, day | request, title=episode.title)


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


def take(things: list[UploadedFile] | list[str] | list[Episode], add: Callable[..., str]) -> None:
    """Adds the things one by one. If one cannot be added, the others still are."""
    added: list[str] = st.session_state.setdefault("added", [])
    for thing in things:
        try:
            added.append(add(thing))
        except AlreadyThere as twice:
            duplicates.hold(thing, twice.media, add)
        except (StoreError, OSError) as error:
            name = name_of(thing)
            why = words(error) if isinstance(error, StoreError) else f"{error.strerror}."
            st.error(f"{plain(name)} could not be added: {sentences(why)}")


def name_of(thing: UploadedFile | str | Episode) -> str:
    if isinstance(thing, Episode):
        return thing.title
    return thing if isinstance(thing, str) else thing.name


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
        link(
            "recording.py",
            "Open",
            key=f"open_{media.id}",
            query={"id": media.id},
            kind="primary",
        )
        return
    if st.button("Try again", key=f"retry_{media.id}", icon=":material/refresh:"):
        intake.retry(store, media.id)
        st.rerun(scope="fragment")
    if st.button("Remove", key=f"remove_{media.id}", icon=":material/delete:"):
        intake.to_bin(store, [media.id])
        st.rerun(scope="fragment")


main()
