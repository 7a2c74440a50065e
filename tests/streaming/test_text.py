"""Confirmed words as text that only grows."""

from hypothesis import given
from hypothesis import strategies as st

from echostream.domain import Transcript, Word
from echostream.streaming.text import GrowingText


def said(*texts: str, each_s: float = 0.5) -> list[Word]:
    return [Word(n * each_s, (n + 1) * each_s, text) for n, text in enumerate(texts)]


def transcript(text: GrowingText) -> Transcript:
    return Transcript(text.segments, "en", 1.0, "fake", "fake")


def test_a_sentence_is_a_segment() -> None:
    text = GrowingText()
    assert text.add(said("Hello", "world.", "Next")) == "Hello world. Next"
    assert [one.text for one in text.segments] == ["Hello world.", "Next"]
    assert [one.id for one in text.segments] == [0, 1]
    assert (text.segments[0].start_s, text.segments[0].end_s) == (0.0, 1.0)
    assert text.unfinished == "Next"


def test_a_pause_ends_a_segment() -> None:
    text = GrowingText()
    text.add(said("no"))
    text.end_segment()
    text.end_segment()
    assert text.add(said("punctuation")) == " punctuation"
    assert [one.text for one in text.segments] == ["no", "punctuation"]


def test_a_segment_is_not_endless() -> None:
    text = GrowingText()
    text.add(said(*["on"] * 200))
    assert len(text.segments) == 4
    assert all(one.end_s - one.start_s <= 30 for one in text.segments)


def test_languages_without_spaces() -> None:
    text = GrowingText()
    text.language = "ja"
    assert text.add(said("今", "日", "は。", "元", "気")) == "今日は。 元気"
    assert text.joined(said("で", "す")) == "です"


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
