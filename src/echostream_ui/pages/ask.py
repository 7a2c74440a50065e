"""*Ask*: questions about several recordings at once."""

import streamlit as st

from echostream_ui.components.going import link
from echostream_ui.pages import about
from echostream_ui.pages.about import About
from echostream_ui.pages.session import current_store
from echostream_ui.recording import ask
from echostream_ui.words.wording import count, day, plain


def main() -> None:
    store = current_store()
    st.title("Ask", anchor=False)
    found = about.current(store)
    if not found.media:
        st.info("None of these recordings has a text yet.", icon=":material/search_off:")
        link("library.py", "Go to the library", key="library", kind="primary")
        return
    show_about(found)
    media_ids = [media.id for media in found.media]
    ask.show(store, media_ids, key=f"ask-{hash(tuple(media_ids))}", is_elsewhere=True)


def show_about(found: About) -> None:
    """Says which recordings are asked about, and how to choose others."""
    about = count(len(found.media), "recording")
    if found.total > len(found.media):
        about = f"the first {len(found.media)} of {count(found.total, 'recording')}"
    with st.expander(f"About {about}", icon=":material/library_music:"):
        titles = (
            f"- {plain(one.title)}, {day(one.created_at, st.context.timezone)}"
            for one in found.media
        )
        st.markdown("\n".join(titles))
        st.caption("To ask about others, search or select them in the library.")


main()
