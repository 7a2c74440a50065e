"""Words to segments: sentences, none across a pause, none of more than 15 s."""

import pytest

from echostream.domain import Segment, Word, joined
from echostream.engine.segments import Segmenter, TimedWord, ends_sentence


def segments_of(*words: tuple[str, float, float], duration_s: float = 100.0) -> list[Segment]:
    segmenter = Segmenter(duration_s)
    found = list(segmenter.add(TimedWord(Word(start, end, text)) for text, start, end in words))
    return [*found, *segmenter.close()]


def evenly(text: str, each_s: float = 0.4) -> list[tuple[str, float, float]]:
    return [(word, n * each_s, (n + 1) * each_s) for n, word in enumerate(text.split())]


@pytest.mark.parametrize(
    ("text", "following", "ends"),
    [
        ("done.", "We", True),
        ("done.", "we", False),
        ("Dr.", "Smith", False),
        ("J.", "Smith", False),
        ("done?”", "we", True),
        ("3.5", "percent", False),
        ("終わり。", "次", True),
        ("تم؟", "نعم", True),
        ("done,", "We", False),
    ],
)
def test_what_ends_a_sentence(text, following, ends):
    assert ends_sentence(text, following) == ends


def test_sentences_are_segments():
    found = segments_of(*evenly("We met Dr. Smith. Did you? Yes."))
    assert [one.text for one in found] == ["We met Dr. Smith.", "Did you?", "Yes."]


def test_no_segment_reaches_over_a_pause():
    found = segments_of(("so", 0.0, 0.5), ("then", 1.4, 2.0), ("we", 43.0, 43.4))
    assert [one.text for one in found] == ["so then", "we"]
    assert (found[0].end_s, found[1].start_s) == (2.0, 43.0)


def test_long_sentences_are_cut_at_clauses():
    words = [f"w{n}," if n == 25 else f"w{n}" for n in range(60)]
    found = segments_of(*evenly(" ".join(words)))
    assert found[0].text.endswith("w25,")
    assert all(one.end_s - one.start_s <= 15 for one in found)
    assert joined(found) == " ".join(words)


def test_without_a_clause_the_longest_pause_is_taken():
    starts = [n * 0.5 + (0.3 if n > 22 else 0) for n in range(40)]
    words = [(f"w{n}", start_s, start_s + 0.5) for n, start_s in enumerate(starts)]
    assert segments_of(*words)[0].text.endswith("w22")


def test_no_time_lies_past_the_end_or_before_the_last():
    found = segments_of(
        ("one", 1.0, 2.0), ("two", 1.5, 1.2), ("three.", 7.9, 14.6), duration_s=8.46
    )
    [segment] = [one for one in found if "three" in one.text]
    assert segment.end_s == 8.46
    times = [time for one in found for word in one.words for time in (word.start_s, word.end_s)]
    assert times == sorted(times)


def test_each_language_is_a_segment_of_its_own():
    segmenter = Segmenter(10)
    words = [
        TimedWord(Word(0, 1, "Hello"), "en"),
        TimedWord(Word(1, 2, "world"), "en"),
        TimedWord(Word(2, 3, "hallo"), "de"),
    ]
    found = [*segmenter.add(words), *segmenter.close()]
    assert [(one.text, one.language) for one in found] == [("Hello world", "en"), ("hallo", "de")]


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [("Hello", "world", "Hello world"), ("今日", "は", "今日は"), ("この", "Google", "このGoogle")],
)
def test_the_first_word_of_a_window_is_joined_by_its_script(before, after, text):
    segmenter = Segmenter(10)
    found = [
        *segmenter.add([TimedWord(Word(0, 1, before, space_before=False), begins_window=True)]),
        *segmenter.add([TimedWord(Word(1, 2, after, space_before=False), begins_window=True)]),
        *segmenter.close(),
    ]
    assert joined(found) == text
