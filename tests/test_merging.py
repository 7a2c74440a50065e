"""Channels and given text put together with what was transcribed."""

import pytest

from echostream.domain import Segment, Transcript, joined, letters
from echostream.merging import merged_channels, text_segments, with_text_before


def transcript(*segments: Segment, language: str = "en") -> Transcript:
    return Transcript(segments, language, 60.0, "whisper", "base", (language,))


def test_channels_are_merged_in_time_each_a_speaker():
    left = transcript(Segment(0, 5.0, 6.0, "Fine."), Segment(1, 9.0, 12.0, "Good."))
    right = transcript(Segment(0, 1.0, 3.0, "Wie geht es?"), language="de")
    whole = merged_channels([left, right])
    assert whole.text == "Wie geht es? Fine. Good."
    assert [one.id for one in whole.segments] == [0, 1, 2]
    assert [one.channel for one in whole.segments] == [1, 0, 0]
    assert [one.speaker for one in whole.segments] == ["A", "B", "B"]
    assert [(one.id, one.channel, one.seconds) for one in whole.speakers] == [
        ("A", 1, 2.0),
        ("B", 0, 4.0),
    ]
    assert (whole.language, whole.languages) == ("en", ("en", "de"))


def test_a_silent_channel_is_no_speaker():
    whole = merged_channels([transcript(Segment(0, 0.0, 1.0, "Hello.")), transcript()])
    assert len(whole.speakers) == 1


def test_letters():
    assert [letters(place) for place in (0, 1, 25, 26, 27, 52)] == ["A", "B", "Z", "AA", "AB", "BA"]


@pytest.mark.parametrize(
    "text",
    [
        "One. Two! Three",
        "今日は。元気ですか？はい",
        "Größe 東京。 次",
        "no end",
        "a\n\nb",
        "",
        "  ",
    ],
)
def test_text_as_segments_gives_the_text_back(text):
    assert joined(text_segments(text)) == " ".join(text.split())


@pytest.mark.parametrize(
    ("given", "new", "whole"),
    [
        ("We met.", "We left.", "We met. We left."),
        ("今日は。", "次です。", "今日は。次です。"),
        ("", "We left.", "We left."),
        ("We met.", "", "We met."),
    ],
)
def test_given_text_comes_first(given, new, whole):
    segments = (Segment(0, 0.0, 1.0, new),) if new else ()
    found = with_text_before(given, transcript(*segments))
    assert found.text == whole
    assert [one.id for one in found.segments] == list(range(len(found.segments)))
