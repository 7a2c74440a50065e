"""LocalAgreement, alone: examples, and properties over whatever an engine might say."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echostream.domain import Word
from echostream.streaming.agreement import LocalAgreement, overlap

VOCABULARY = ("we", "will", "ship", "ship", "it", "very", "very", "soon", "no", "no")


def spoken(*texts: str, start_s: float = 0.0, word_s: float = 0.4) -> list[Word]:
    """Words said one after the other at an even pace."""
    return [
        Word(start_s + number * word_s, start_s + (number + 1) * word_s, text)
        for number, text in enumerate(texts)
    ]


def texts(words: Sequence[Word]) -> list[str]:
    return [word.text for word in words]


class TestConfirm:
    def test_needs_two_hypotheses_that_agree(self) -> None:
        agreement = LocalAgreement()
        assert agreement.confirm(spoken("we", "will")) == []
        assert texts(agreement.tentative) == ["we", "will"]
        assert texts(agreement.confirm(spoken("we", "will", "ship"))) == ["we", "will"]
        assert texts(agreement.tentative) == ["ship"]

    def test_stops_at_the_first_difference(self) -> None:
        agreement = LocalAgreement()
        agreement.confirm(spoken("we", "wheel", "ship"))
        assert texts(agreement.confirm(spoken("we", "will", "ship"))) == ["we"]

    def test_looks_past_capitals_and_punctuation(self) -> None:
        agreement = LocalAgreement()
        agreement.confirm(spoken("Hello", "world"))
        assert texts(agreement.confirm(spoken("hello,", "world."))) == ["hello,", "world."]

    def test_does_not_say_a_word_again_that_has_moved(self) -> None:
        agreement = LocalAgreement()
        agreement.confirm(spoken("we", "will"))
        agreement.confirm(spoken("we", "will"))
        moved = spoken("we", "will", "ship", start_s=0.3)
        assert texts(agreement.confirm_all(moved)) == ["ship"]

    def test_does_not_repeat_what_lies_before_it(self) -> None:
        agreement = LocalAgreement()
        agreement.confirm_all(spoken("we", start_s=2.0))
        again = spoken("we", "we", "we", "we", "we", "ship", word_s=0.5)
        assert texts(agreement.confirm_all(again)) == ["ship"]

    def test_does_not_lose_a_word_that_is_said_twice(self) -> None:
        agreement = LocalAgreement()
        agreement.confirm(spoken("very"))
        agreement.confirm(spoken("very"))
        assert texts(agreement.confirm_all(spoken("very", "very", "good"))) == ["very", "good"]

    def test_keeps_what_it_has_confirmed_when_the_engine_thinks_again(self) -> None:
        agreement = LocalAgreement()
        agreement.confirm(spoken("recognise", "speech"))
        assert texts(agreement.confirm(spoken("recognise", "speech"))) == ["recognise", "speech"]
        again = spoken("wreck", "a", "nice", "beach", "today", word_s=0.2)
        assert texts(agreement.confirm_all(again)) == ["today"]

    def test_tells_marks_that_stand_alone_apart(self) -> None:
        agreement = LocalAgreement()
        agreement.confirm(spoken("…"))
        assert agreement.confirm(spoken("?")) == []
        assert texts(agreement.confirm(spoken("?"))) == ["?"]


class TestConfirmAll:
    def test_takes_a_word_that_ends_at_the_time(self) -> None:
        agreement = LocalAgreement()
        assert texts(agreement.confirm_all(spoken("we", "will"), until_s=0.4)) == ["we"]

    def test_can_stop_short_of_the_end(self) -> None:
        agreement = LocalAgreement()
        assert texts(agreement.confirm_all(spoken("we", "will", "sh"), until_s=0.9)) == [
            "we",
            "will",
        ]
        assert texts(agreement.tentative) == ["sh"]


class TestForgetBefore:
    def test_matches_hypotheses_that_begin_later(self) -> None:
        agreement = LocalAgreement()
        agreement.confirm_all(spoken("we", "will", "ship", "it"))
        agreement.forget_before(0.8)
        later = spoken("ship", "it", "soon", start_s=0.8)
        assert texts(agreement.confirm_all(later)) == ["soon"]

    def test_knows_no_time_once_all_is_forgotten(self) -> None:
        agreement = LocalAgreement()
        assert agreement.confirmed_until_s is None
        agreement.confirm_all(spoken("we"))
        assert agreement.confirmed_until_s == 0.4
        agreement.confirm_all(spoken("we", "will"))
        assert agreement.confirmed_until_s == 0.8
        agreement.forget_before(0.8)
        assert agreement.confirmed_until_s is None


def test_an_overlap_may_be_nothing_at_all() -> None:
    assert overlap(spoken("we"), []) == 0
    assert overlap([], spoken("we")) == 0
    assert overlap(spoken("we", "will"), spoken("later", start_s=30.0)) == 0


def test_of_texts_that_match_as_well_the_time_decides() -> None:
    """One word differs, whether the overlap ends with "will", "quill" or "ship"."""
    again = spoken("will", "quill", "ship")
    assert overlap(spoken("will", "ship"), again) == 2


def test_a_word_that_is_heard_later_costs_no_other() -> None:
    again = [Word(0, 0.3, "we"), Word(0.3, 0.5, "uh"), Word(0.5, 0.8, "ship"), Word(0.8, 1.2, "it")]
    assert overlap(spoken("we", "ship"), again) == 3


def test_a_word_that_is_no_longer_heard_costs_no_other() -> None:
    again = [Word(0.3, 0.9, "we"), Word(0.9, 1.5, "ship"), Word(1.5, 1.9, "it")]
    assert overlap(spoken("we", "will", "ship"), again) == 2


Timed = tuple[float, float, str]


@pytest.mark.parametrize(
    ("confirmed", "again", "length"),
    [
        # A word that ends a second later is the same one; a wrong word weighs as much.
        ([(0, 0.25, "we")], [(1, 1.25, "we")], 1),
        ([(0, 0.25, "we")], [(1.25, 1.5, "we")], 0),
        ([(0, 0.25, "we")], [(1, 2, "we")], 0),
        # What ends a second earlier has been said, whatever it is.
        ([(0.5, 1.5, "we")], [(0, 0.25, "we"), (0.25, 0.5, "go")], 2),
        # What begins a second later has not.
        ([(0, 0.5, "we"), (0.5, 1, "go")], [(1, 2, "we"), (2, 3, "go")], 1),
        # Half of the words may be others. If more are, only times count: the middle of a word.
        ([(0, 0.5, "we"), (0.5, 1, "we")], [(1, 1.5, "we")], 1),
        ([(0.5, 1, "we")], [(0, 1, "go")], 1),
        ([(0.5, 1, "we")], [(0.5, 1.5, "go")], 0),
        ([(0.5, 1, "we")], [(0.25, 1.5, "go")], 1),
        # No words at all reach from where the confirmed ones begin.
        ([(0, 0.25, "we"), (0.25, 0.5, "go")], [(1, 2, "go")], 1),
        # A word that is missing or new costs as much as one that is another.
        ([(0, 0.5, "we"), (0.75, 1.25, "go")], [(1, 2, "we")], 1),
        ([(0.5, 1.5, "we")], [(0.25, 0.5, "we"), (0.5, 1.5, "go"), (1.75, 2, "go")], 2),
    ],
)
def test_how_much_of_a_hypothesis_has_been_said(
    confirmed: list[Timed], again: list[Timed], length: int
) -> None:
    assert overlap([Word(*each) for each in confirmed], [Word(*each) for each in again]) == length


@st.composite
def growing(draw: st.DrawFn) -> tuple[list[Word], list[list[Word]]]:
    """What was said, and hypotheses over ever more of it: times that shake, tails that are wrong
    once in a while."""
    said = spoken(*draw(st.lists(st.sampled_from(VOCABULARY), min_size=1, max_size=30)))
    lengths = sorted(draw(st.lists(st.integers(0, len(said)), max_size=12)))
    hypotheses = []
    for number, length in enumerate(lengths):
        shake_s = draw(st.floats(-0.15, 0.15))
        heard = [Word(w.start_s + shake_s, w.end_s + shake_s, w.text) for w in said[:length]]
        if heard and draw(st.booleans()):
            # Never the same wrong word twice in a row, or it would be rightly confirmed.
            heard.append(Word(heard[-1].end_s, heard[-1].end_s + 0.4, f"noise{number}"))
        hypotheses.append(heard)
    return said, hypotheses


@given(growing())
def test_growing_hypotheses_come_to_what_was_said(
    case: tuple[list[Word], list[list[Word]]],
) -> None:
    said, hypotheses = case
    agreement = LocalAgreement()
    confirmed: list[Word] = []
    for hypothesis in hypotheses:
        confirmed += agreement.confirm(hypothesis)
        assert texts(confirmed) == texts(said)[: len(confirmed)]
    confirmed += agreement.confirm_all(said)
    assert texts(confirmed) == texts(said)


@st.composite
def hypothesis_of_anything(draw: st.DrawFn) -> list[Word]:
    words = draw(st.lists(st.sampled_from((*VOCABULARY, "", "…")), max_size=8))
    return spoken(*words, start_s=draw(st.floats(0, 5)), word_s=draw(st.floats(0.01, 1)))


@given(st.lists(hypothesis_of_anything(), max_size=8), hypothesis_of_anything())
def test_whatever_comes_the_newest_words_are_confirmed_or_tentative(
    hypotheses: list[list[Word]], last: list[Word]
) -> None:
    agreement = LocalAgreement()
    for hypothesis in hypotheses:
        before = agreement.confirmed_until_s
        agreed = agreement.confirm(hypothesis)
        # What it gives is a stretch of the hypothesis, and what is left of that is tentative.
        tail = [*agreed, *agreement.tentative]
        assert tail == hypothesis[len(hypothesis) - len(tail) :]
        if not agreed:
            assert agreement.confirmed_until_s == before
    certain = agreement.confirm_all(last)
    assert certain == last[len(last) - len(certain) :]
    # Said once more, no more than the last second can be taken for new.
    until_s = agreement.confirmed_until_s
    assert all(word.end_s > until_s - 1.0 for word in agreement.confirm_all(last))
