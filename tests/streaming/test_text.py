"""Confirmed words as text that only grows."""

from hypothesis import given
from hypothesis import strategies as st

from echostream.domain import Transcript, Word
from echostream.streaming.text import GrowingText


def said(*texts: str, each_s: float = 0.5) -> list[Word]:
    return [Word(n * each_s, (n + 1) * each_s, text) for n, text in enumerate(texts)]


def transcript(text: GrowingText) -> Transcript:
    text.end_segment()
    return Transcript(text.segments, "en", 1.0, "fake", "fake")


def test_a_sentence_is_a_segment() -> None:
    text = GrowingText()
    assert text.add(said("Hello", "world.", "Next")) == "Hello world. Next"
    assert [one.text for one in text.segments] == ["Hello world."]
    assert text.unfinished_before(1.5) == "Next"
    assert text.unfinished_before(1.4) == ""
    text.end_segment()
    assert [one.text for one in text.segments] == ["Hello world.", "Next"]
    assert [one.id for one in text.segments] == [0, 1]
    assert (text.segments[0].start_s, text.segments[0].end_s) == (0.0, 1.0)


def test_a_pause_ends_a_segment() -> None:
    text = GrowingText()
    text.add(said("no"))
    text.end_segment()
    text.end_segment()
    assert text.add(said("punctuation")) == " punctuation"
    text.end_segment()
    assert [one.text for one in text.segments] == ["no", "punctuation"]


def test_a_segment_is_not_endless() -> None:
    text = GrowingText()
    text.add(said(*["on"] * 200))
    text.end_segment()
    assert len(text.segments) == 7
    assert all(one.end_s - one.start_s <= 15 for one in text.segments)


def test_spaces_stand_where_the_engine_put_them() -> None:
    text = GrowingText()
    spaced = [Word(0, 1, "Google", space_before=True), Word(1, 2, "News", space_before=True)]
    unspaced = [Word(2, 3, "で", space_before=False), Word(3, 4, "す。", space_before=False)]
    assert text.add([*spaced, *unspaced]) == "Google Newsです。"
    assert text.add([Word(4, 5, "次", space_before=False)]) == "次"
    assert transcript(text).text == "Google Newsです。次"


def test_languages_are_counted_by_what_was_said_in_them() -> None:
    text = GrowingText()
    for language, count in (("en", 2), ("und", 9), ("de", 3)):
        text.language = language
        text.add(said(*["ja"] * count))
    assert text.languages == ("de", "en")


words = st.lists(st.sampled_from(["a", "b.", "c?", "日", "。"]), max_size=6)


@given(st.lists(st.tuples(words, st.booleans(), st.sampled_from(["en", "zh", "und"]))))
def test_appending_gives_the_transcript(turns: list[tuple[list[str], bool, str]]) -> None:
    text, appended = GrowingText(), ""
    for texts, pause, language in turns:
        appended += text.add(said(*texts))
        text.language = language
        if pause:
            text.end_segment()
    assert appended == transcript(text).text
