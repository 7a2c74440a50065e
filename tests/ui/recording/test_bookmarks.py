"""Changes of bookmarks on a recording's page."""

from echostream_ui.library.analysis import Bookmark
from echostream_ui.recording.bookmarks import changed

MARKED = (Bookmark(1.0, "one"), Bookmark(2.0))


def test_a_note_is_changed_or_removed_with_its_bookmark() -> None:
    assert changed(MARKED, 2.0, "  two\n words ") == (MARKED[0], Bookmark(2.0, "two words"))
    assert changed(MARKED, 1.0, "") == (Bookmark(1.0), MARKED[1])
    assert changed(MARKED, 1.0, None) == (MARKED[1],)
    assert changed(MARKED, 7.0, "gone meanwhile") == MARKED
