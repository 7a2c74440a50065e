"""Lines that a search has found, as the list shows them."""

import pytest

from echostream_ui.finding.rows import parts_of, row_of, shortened
from echostream_ui.library.search import MARK_END, MARK_START, Match, Row
from recordings import media


def mark(text: str) -> str:
    return text.replace("[", MARK_START).replace("]", MARK_END)


def test_a_line_is_opened_at_its_time_and_its_first_hit():
    match = Match(3723.04, mark("We [met] at [noon]"))
    shown = row_of(Row(media(), all_matches=7), None, matches=[match])
    [line] = shown.matches
    assert (line.clock, line.at, line.query) == ("1:02:03", "3723.04", "met")
    assert line.parts == (("We ", False), ("met", True), (" at ", False), ("noon", True))
    assert (shown.query, shown.all_matches) == ("met", 7)


@pytest.mark.parametrize(("start_s", "at"), [(0.0, "0"), (100.0, "100"), (0.1234, "0.123")])
def test_times_are_as_the_recordings_page_reads_them(start_s, at):
    [line] = row_of(Row(media()), None, matches=[Match(start_s, mark("[x]"))]).matches
    assert line.at == at


@pytest.mark.parametrize(
    ("before", "after"),
    [("", ""), ("word " * 50, ""), ("", " word" * 50), ("word " * 50, " word" * 50),
     ("語" * 300, "語" * 300), ("word " * 50, f" {'[hit] ' * 50}")],
)  # fmt: skip
def test_of_a_long_line_what_is_around_the_first_hit_is_shown(before, after):
    cut = shortened(mark(f"{before}[hit]{after}"))
    parts = list(parts_of(cut))
    assert ("hit", True) in parts
    assert len(cut) <= 202
    assert cut.startswith("…") == (len(before) > 60)
    assert cut.endswith("…") == (len(after) > 100)
    assert not any(MARK_START in text or MARK_END in text for text, _ in parts)
    words = {word for text, _ in parts for word in text.strip(" …").split()}
    assert words <= {"word", "hit"} or "語" in before  # none is cut in two
