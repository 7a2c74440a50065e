"""The whole library as a file, and back."""

import streamlit as st

from echostream_ui.components.backup import backup
from echostream_ui.pages.session import current_store
from echostream_ui.services import ARCHIVE, services


def main() -> None:
    store = current_store()
    st.title("Backup", anchor=False)
    st.write(
        "One file with everything: audio, transcripts, insights, your edits, names and tags."
        " Recordings that are under way and links to shared recordings are left out."
    )
    shared = services()
    backup(shared.import_tickets.issue(store), shared.route_query(ARCHIVE), key="backup")


main()
