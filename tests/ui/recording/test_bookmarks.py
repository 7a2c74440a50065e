"""Changes of bookmarks on a recording's page."""

import math

import pytest

from echostream_ui.library.analysis import Bookmark
from echostream_ui.library.store import StoreError
from echostream_ui.recording.bookmarks import added, changed

MARKED = (Bookmark(1.0, "one"), Bookmark(2.0))


def test_a_note_is_changed_or_removed_with_its_bookmark() -> None:
    assert changed(MARKED, 2.0, "  two\n words ") == (MARKED[0], Bookmark(2.0, "two words"))
    assert changed(MARKED, 1.0, "") == (Bookmark(1.0), MARKED[1])
    assert changed(MARKED, 1.0, None) == (MARKED[1],)
    assert changed(MARKED, 7.0, "gone meanwhile") == MARKED


def test_a_new_one_takes_its_place_in_time() -> None:
    between = Bookmark(1.5, "two words")
    assert added(MARKED, 1.5, " two \n words ") == (MARKED[0], between, MARKED[1])
    assert added(MARKED, 1.0, "is marked already") == MARKED
    assert len(added((), 0.0, "x" * 2000)[0].note) == 1000


@pytest.mark.parametrize("at_s", [-1.0, math.nan, math.inf])
def test_a_time_that_is_none_is_refused(at_s: float) -> None:
    with pytest.raises(StoreError):
        added(MARKED, at_s, "")
