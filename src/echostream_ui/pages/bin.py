"""The bin: recordings that were deleted, and can be brought back for a while."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import streamlit as st

from echostream_ui.components.going import link
from echostream_ui.components.recordings import recordings
from echostream_ui.finding.rows import chosen_in, list_key, row_of
from echostream_ui.library.media import BIN_DAYS, Media
from echostream_ui.library.search import Query, Row
from echostream_ui.library.store import Store
from echostream_ui.pages.session import current_store
from echostream_ui.recording.told import told
from echostream_ui.services import services
from echostream_ui.words.wording import count, plain

ROWS = 50
_NAMED = 5


def main() -> None:
    store = current_store()
    st.title("Bin", anchor=False)
    query = Query(in_bin=True, sort="deleted_at", limit=ROWS)
    found = store.search(query)
    if not found.total:
        st.info("The bin is empty.", icon=":material/delete:")
        show_way_back()
        return
    st.write(f"What is deleted stays here for {BIN_DAYS} days, then it is gone for good.")
    actions = st.container(horizontal=True, vertical_alignment="center")
    table = st.container()
    pages = -(-found.total // ROWS)
    if pages > 1 and (place := min(st.pagination(pages, key="bin_page"), pages)) > 1:
        found = store.search(replace(query, offset=(place - 1) * ROWS))
    key = list_key("bin_list", found.rows)
    with actions:
        show_actions(store, chosen_in(key, found.rows), found.total)
    with table:
        show_table(found.rows, key)


def show_way_back() -> None:
    link("library.py", "Go to the library", key="library", icon=":material/arrow_back:")


def show_table(rows: Sequence[Row], key: str) -> None:
    recordings(
        [row_of(row, st.context.timezone) for row in rows],
        key=key,
        on_more=lambda _media_id: None,
    )


@told
def show_actions(store: Store, chosen: Sequence[Media], total: int) -> None:
    if not chosen:
        st.caption(f"{count(total, 'recording')}.", width="content")
        if st.button("Empty the bin", icon=":material/delete_forever:"):
            confirm(store, store.in_bin_since(datetime.now(UTC)), ())
        show_way_back()
        return
    st.markdown(f"**{count(len(chosen), 'recording')} selected**", width="content")
    ids = [media.id for media in chosen]
    if st.button("Restore", type="primary", icon=":material/restore_from_trash:"):
        services().intake.restore(store, ids)
        st.rerun()
    if st.button("Delete for good", icon=":material/delete_forever:"):
        confirm(store, ids, [media.title for media in chosen])


@st.dialog("Delete for good?")
@told
def confirm(store: Store, media_ids: Sequence[str], titles: Sequence[str]) -> None:
    st.write(
        f"{count(len(media_ids), 'recording')} with audio, transcript and insights will be gone."
        " This cannot be undone."
    )
    st.markdown("\n".join(f"- {plain(title)}" for title in titles[:_NAMED]))
    if len(titles) > _NAMED:
        st.caption(f"and {len(titles) - _NAMED:,} more")
    with st.container(horizontal=True):
        if st.button("Delete for good", type="primary", key="confirmed"):
            services().intake.delete(store, media_ids)
            st.rerun()
        if st.button("Keep"):
            st.rerun()


main()
