"""Times, lengths, dates and sizes in words."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from echostream_ui.intake.progress import Progress
from echostream_ui.words import wording


@pytest.mark.parametrize(
    ("seconds", "clock", "duration"),
    [
        (0, "0:00", "0 s"),
        (59.6, "0:59", "1 min"),
        (61, "1:01", "1 min 1 s"),
        (3599, "59:59", "59 min 59 s"),
        (3723, "1:02:03", "1 h 2 min"),
        (14400, "4:00:00", "4 h"),
    ],
)
def test_places_and_lengths(seconds: float, clock: str, duration: str) -> None:
    assert wording.clock(seconds) == clock
    assert wording.duration(seconds) == duration


@pytest.mark.parametrize(
    ("timezone", "words"),
    [
        ("Asia/Tokyo", "4 March 2026, 05:30"),
        (None, "3 March 2026, 20:30"),
        ("Nowhere/Here", "3 March 2026, 20:30"),
    ],
)
def test_dates_are_the_readers_own(timezone: str | None, words: str) -> None:
    moment = datetime(2026, 3, 3, 20, 30, tzinfo=UTC)
    assert wording.day_and_time(moment, timezone) == words


def test_sizes_and_counts() -> None:
    assert [wording.size(each) for each in (0, 640_000, 3_400_000, 2_000_000_000)] == [
        "1 kB",
        "640 kB",
        "3.4 MB",
        "2.0 GB",
    ]
    assert wording.count(1, "recording", "recordings") == "1 recording"
    assert wording.count(1200, "recording", "recordings") == "1,200 recordings"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("*a*\n :red[b] $c$", r"\*a\* \:red\[b\] \$c\$"),
        ("We ship v1.2 at 14:05 - or so!", "We ship v1.2 at 14:05 - or so!"),
        ("1. first", r"1\. first"),
        ("# first", r"\# first"),
        ("- a -> b --", r"\- a -\> b -\-"),
        ("&lt; & co", r"\&lt; & co"),
    ],
)
def test_markdown_is_shown_as_it_is(text: str, shown: str) -> None:
    assert wording.plain(text) == shown


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "a few seconds left"),
        (12, "about 10 seconds left"),
        (47, "about 50 seconds left"),
        (58, "about 1 minute left"),
        (118, "about 2 minutes left"),
        (3599, "about 1 h left"),
        (4830, "about 1 h 20 min left"),
    ],
)
def test_the_time_left_is_no_finer_than_an_estimate_can_be(seconds: float, words: str) -> None:
    assert wording.left(seconds) == words


def test_progress_in_words() -> None:
    assert wording.progress(None, 0) == "Waiting for its turn"
    assert wording.progress(Progress("transcribing", 0.63, 0), 5) == "Transcribing, 63%"
    in_line = Progress("queued", None, 0, ahead=2)
    assert wording.progress(in_line, 12) == "Waiting for its turn, 2 before it"
    assert wording.progress(replace(in_line, ahead=0), 12) == "Waiting for its turn, next in line"
    assert wording.progress(Progress("transcribing", None, 0), 12) == "Transcribing, 0:12 so far"
    known = Progress("transcribing", 0.63, 0, left_s=20)
    assert wording.progress(known, 5) == "Transcribing, 63%, about 20 seconds left"


def test_the_end_of_a_text_stays_where_it_is_for_a_while() -> None:
    text = " ".join(f"word{number}" for number in range(300))
    assert wording.end_of(text[:599]) == text[:599]
    begun = {wording.end_of(text[:length])[:20] for length in range(600, 800)}
    assert len(begun) == 1
    assert wording.end_of(text).startswith("… word")
    assert wording.end_of("日本" * 1000).startswith("… 日本")
