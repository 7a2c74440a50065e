"""What a terminal shows of live text."""

import io

import pytest
from rich.console import Console

from echostream.show import LiveText


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), record=True, width=80)


def test_speakers_begin_new_lines_also_where_they_are_known_late(console: Console) -> None:
    with LiveText(console) as text:
        text.update("Good morning.", "How", 800)
        text.update(" How are you?", "", 900)
        text.update("", "", 900, [(1, "A")])
        text.update(" Fine.", "", 700, [(2, "A")])
        text.update(" And you?", "", 700)
        text.update("", "", 700, [(3, "Ann"), (4, "Ann")])
    assert console.export_text().strip() == "A: Good morning. How are you?\nAnn: Fine. And you?"


def test_without_speakers_it_is_only_the_text(console: Console) -> None:
    with LiveText(console) as text:
        text.update("Good morning.", "How", 800)
        text.update(" How are you?", "", 900)
    assert console.export_text().strip() == "Good morning. How are you?"
