"""Channels and given text put together with what was transcribed."""

from dataclasses import replace

import pytest

from echostream import merging
from echostream.domain import Caution, Segment, Transcript, joined, letters
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


def test_what_is_wrong_with_one_channel_is_told_of_the_whole():
    odd = Segment(0, 0.0, 1.0016, "Hello.")
    one, other = (replace(transcript(odd), warnings=(Caution(c, c),)) for c in "ab")
    whole = merged_channels([one, other])
    assert [each.code for each in whole.warnings] == ["a", "b"]
    assert [each.seconds for each in whole.speakers] == [1.002, 1.002]


def test_the_whole_is_as_long_as_the_longest_channel_and_has_the_language_of_the_most_speech():
    much = transcript(Segment(0, 0.0, 3.0, "Guten Tag."), language="de")
    little = replace(transcript(Segment(0, 9.0, 10.0, "Hello.")), duration_s=90.0)
    whole = merged_channels([little, much])
    assert (whole.duration_s, whole.language, whole.languages) == (90.0, "de", ("de", "en"))


def test_spaces_are_where_two_channels_meet():
    said = ("Yes.", "We 会う", "次", "No.")
    segments = [Segment(0, float(at), at + 1.0, text) for at, text in enumerate(said)]
    channels = [transcript(*segments[::2]), transcript(*segments[1::2])]
    assert merged_channels(channels).text == "Yes. We 会う次No."


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


def test_text_is_cut_into_lines_and_sentences():
    found = text_segments(" One. Two!\n\n今日は。次です。\nNo end ")
    assert [each.text for each in found] == ["One.", "Two!", "今日は。", "次です。", "No end"]
    assert [each.space_before for each in found] == [True, True, True, False, True]
    assert {(each.start_s, each.end_s) for each in found} == {(0.0, 0.0)}


def test_short_sentences_of_a_very_long_text_share_a_segment(monkeypatch):
    monkeypatch.setattr(merging, "_MOST_TEXT_SEGMENTS", 3)
    text = "A b. C d. E f. G h. I j. K l."  # 29 characters: no segment has fewer than 9
    assert text_segments("  ") == ()
    assert [each.text for each in text_segments(text)] == ["A b. C d.", "E f. G h.", "I j. K l."]
    assert len(text_segments("Abcdefgh. Abcdefgh. Abcdefghi.")) == 3


@pytest.mark.parametrize(
    ("given", "new", "whole"),
    [
        ("We met.", "We left.", "We met. We left."),
        ("今日は。", "次です。", "今日は。次です。"),
        ("Yes. 今日は。", "次です。", "Yes. 今日は。次です。"),
        ("今日は。Yes.", "We left.", "今日は。Yes. We left."),
        ("", "We left.", "We left."),
        ("We met.", "", "We met."),
        ("We met.", "We 会う", "We met. We 会う"),
    ],
)
def test_given_text_comes_first(given, new, whole):
    segments = (Segment(0, 0.0, 1.0, new),) if new else ()
    found = with_text_before(given, transcript(*segments))
    assert found.text == whole
    assert [one.id for one in found.segments] == list(range(len(found.segments)))


def test_only_the_first_segment_after_given_text_is_moved_up_to_it():
    new = (Segment(0, 0.0, 1.0, "次です。"), Segment(1, 1.0, 2.0, "We left."))
    assert with_text_before("今日は。", transcript(*new)).text == "今日は。次です。 We left."
    assert with_text_before("We met.", transcript(*new[::-1])).text == "We met. We left. 次です。"
