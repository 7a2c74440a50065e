"""Subtitle cues: short enough to be read, where the words are said, none over another."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echostream.domain import Segment, Transcript, Word, joined
from echostream.exports import CueOptions, export
from echostream.exports.cues import Cue, columns, cues


def segment(text: str, start_s: float = 0.0, each_s: float = 0.4, **more) -> Segment:
    words = tuple(
        Word(start_s + n * each_s, start_s + (n + 1) * each_s, word)
        for n, word in enumerate(text.split())
    )
    return Segment(0, words[0].start_s, words[-1].end_s, text, words, **more)


def spaceless(text: str, each_s: float = 0.15) -> Segment:
    words = tuple(
        Word(n * each_s, (n + 1) * each_s, letter, space_before=False)
        for n, letter in enumerate(text)
    )
    return Segment(0, 0.0, words[-1].end_s, text, words)


def text_of(found: list[Cue]) -> str:
    return " ".join(line for cue in found for line in cue.lines)


ROLL_CALL = (
    "Anderson, present, Baker, present, Carter, present, Dawson, present, Ellis, present, Foster,"
    " present, Grant, present, Harris, present, Irwin, present, Jones, present."
)


def test_a_long_segment_becomes_several_cues():
    found = cues([segment(ROLL_CALL, each_s=0.9)])
    assert len(found) >= 3
    assert text_of(found) == ROLL_CALL
    for cue in found:
        assert cue.end_s - cue.start_s <= 7.0
        assert len(cue.lines) <= 2
        assert all(columns(line) <= 42 for line in cue.lines)
        assert cue.lines[-1].endswith((",", "."))


def test_lines_and_cues_end_at_sentences_and_clauses():
    first, second = "We agreed to move the release to March.", "It rained, and then we went home."
    assert cues([segment(f"{first} {second}", each_s=0.3)])[0].lines == (first, second)
    found = cues([segment(f"{first} {second}", each_s=0.6)])
    assert [" ".join(cue.lines) for cue in found] == [first, second]


def test_no_cue_reaches_over_a_pause():
    words = (Word(7.0, 8.4, "before"), Word(48.5, 52.0, "after."))
    found = cues([Segment(0, 7.0, 52.0, "before after.", words)], duration_s=52.5)
    assert [(cue.start_s, cue.end_s) for cue in found] == [(7.0, 8.4), (48.5, 52.0)]


def test_a_short_word_stays_for_a_second_where_there_is_room():
    found = cues([segment("No.", 1.0, 0.2), segment("Yes.", 1.5, 0.2), segment("So", 30.0, 0.2)])
    assert (found[-1].start_s, found[-1].end_s) == (30.0, 31.0)
    assert all(before.end_s <= after.start_s for before, after in pairwise(found))


def test_no_cue_is_longer_than_the_audio():
    assert cues([segment("The end.", 8.0, 0.2)], duration_s=8.46)[-1].end_s == 8.46


def test_japanese_is_broken_without_spaces_and_by_its_rules():
    text = "本日はお忙しい中お集まりいただき、ありがとうございます。それでは、会議を始めましょう。"
    found = cues([spaceless(text)])
    assert "".join(line for cue in found for line in cue.lines) == text
    for cue in found:
        assert all(columns(line) <= 42 for line in cue.lines)
        assert all(line[0] not in "、。ーっゃゅょ" for line in cue.lines)


@pytest.mark.parametrize("text", [ROLL_CALL, "本日はお忙しい中、ありがとうございます。" * 4])
def test_segments_without_words_are_spread_over_their_time(text):
    found = cues([Segment(0, 10.0, 28.0, text)])
    assert found[0].start_s == 10.0
    assert abs(found[-1].end_s - 28.0) < 1.0
    assert "".join(text_of(found).split()) == "".join(text.split())


def test_an_edited_text_is_not_shown_by_the_words_it_had():
    said = segment("we will sip it")
    edited = Segment(0, said.start_s, said.end_s, "we will ship it", said.words)
    assert text_of(cues([edited])) == "we will ship it"


def test_speakers_do_not_share_a_cue():
    both = [segment("Hello there.", speaker="A"), segment("Hi.", 1.0, speaker="B")]
    transcript = Transcript(tuple(both), "en", 5.0, "whisper", "base")
    assert [cue.speaker for cue in cues(both)] == ["A", "B"]
    assert "<v A>Hello there." in export(transcript, None, "vtt")
    assert "A: Hello there." in export(transcript, None, "srt")


@pytest.mark.parametrize("as_format", ["txt", "srt", "vtt", "md"])
@pytest.mark.parametrize(
    "text",
    [
        "مرحبا، كيف حالك؟ أنا بخير.",
        "שלום, מה שלומך?",
        "« C'est 70 % », dit-il…",
        "はい。「東京」です！",
    ],
)
def test_punctuation_and_scripts_survive_every_export(as_format, text):
    transcript = Transcript((Segment(0, 0.0, 4.0, text),), "und", 5.0, "whisper", "base")
    document = export(transcript, None, as_format).replace("\n", " ")
    assert text in document


WORDS = st.lists(
    st.tuples(
        st.sampled_from(["a", "word", "sentence.", "clause,", "日本", "。", "x" * 50, "and"]),
        st.floats(0, 2.5),
        st.floats(0.02, 2),
        st.booleans(),
    ),
    min_size=1,
    max_size=30,
)


@given(WORDS, st.integers(10, 60), st.floats(1, 10))
def test_whatever_is_said_fits(said, line_chars, cue_s):
    words, at = [], 0.0
    for text, pause_s, length_s, spaced in said:
        words.append(Word(at + pause_s, at + pause_s + length_s, text, space_before=spaced))
        at = words[-1].end_s
    options = CueOptions(line_chars, cue_s)
    whole = Segment(0, words[0].start_s, at, joined(words), tuple(words))
    found = cues([whole], options, duration_s=at + 0.5)
    assert "".join("".join(cue.lines).replace(" ", "") for cue in found) == "".join(
        word.text for word in words
    )
    assert all(before.end_s <= after.start_s for before, after in pairwise(found))
    for cue in found:
        assert 0 <= cue.start_s < cue.end_s <= at + 0.5
        assert 1 <= len(cue.lines) <= 2
        is_one_word = " " not in "".join(cue.lines)
        if not is_one_word:
            assert cue.end_s - cue.start_s <= max(cue_s, 1 + sum(map(len, cue.lines)) / 20) + 1e-6
        assert all(line == line.strip() != "" for line in cue.lines)


@pytest.mark.parametrize("most", [1, 2, 3, 4])
@pytest.mark.parametrize(
    "said", [segment(ROLL_CALL, each_s=0.1), spaceless("字幕を読む" * 40, 0.05)]
)
def test_a_cue_has_no_more_lines_than_asked_for(said: Segment, most: int) -> None:
    found = cues([said], CueOptions(20, 60.0, most))
    assert "".join(text_of(found).split()) == "".join(said.text.split())
    assert max(len(cue.lines) for cue in found) == most
    assert all(columns(line) <= 20 for cue in found for line in cue.lines)


def test_lines_of_a_cue_are_even() -> None:
    (cue,) = cues([segment("aaaa bbbb cccc dddd eeee ffff", each_s=0.1)], CueOptions(13, 60.0, 3))
    assert cue.lines == ("aaaa bbbb", "cccc dddd", "eeee ffff")
