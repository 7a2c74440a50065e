"""One text from several channels: nothing is lost, nothing said twice, all in order of time."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echostream.streaming.events import Label, Partial
from echostream.streaming.interleaving import Interleaving

NEVER, OVER = 0.0, float("inf")


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def partial(start_s: float, text: str, tentative: str = "") -> Partial:
    return Partial(text, start_s, start_s + 1, 1, tentative, lag_ms=500)


def told(text: Interleaving, *settled_s: float) -> list[Partial]:
    return list(text.ready(settled_s))


def test_text_waits_for_what_may_be_earlier() -> None:
    text = Interleaving(2)
    text.note(0, partial(2.0, "Fine."))
    [waits] = told(text, 3.0, 1.0)
    assert (waits.text, waits.tentative, waits.channel, waits.seq) == ("", "Fine.", 0, 0)
    text.note(1, partial(1.0, "How are you?"))
    first, second = told(text, 3.0, 2.5)
    assert (first.text, first.channel, first.speaker, first.seq) == ("How are you?", 1, "A", 1)
    assert (second.text, second.channel, second.speaker, second.seq) == (" Fine.", 0, "B", 2)
    assert second.tentative == ""
    assert second.labels == (Label(2, "B"),)


def test_a_channel_that_has_settled_keeps_nobody_waiting() -> None:
    text = Interleaving(2)
    text.note(1, partial(2.0, "Hello."))
    assert [one.text for one in told(text, 2.0, NEVER)] == ["Hello."]


def test_text_does_not_wait_for_ever() -> None:
    clock = Clock()
    text = Interleaving(2, most_wait_s=5, clock=clock)
    text.note(0, partial(2.0, "Hello."))
    assert text.rest_s == 5
    clock.now_s += 4
    assert [one.text for one in told(text, 3.0, NEVER)] == [""]
    assert text.rest_s == 1
    clock.now_s += 1
    [late] = told(text, 3.0, NEVER)
    assert (late.text, late.lag_ms) == ("Hello.", 5_500)
    assert text.rest_s is None


def test_each_channel_has_a_tentative_text_of_its_own() -> None:
    text = Interleaving(2)
    text.note(0, partial(1.0, "", "I th"))
    text.note(1, partial(1.0, "", "So"))
    assert [(one.channel, one.tentative) for one in told(text, NEVER, NEVER)] == [
        (0, "I th"),
        (1, "So"),
    ]
    text.note(0, partial(1.0, "I think", "that"))
    [waits] = told(text, NEVER, NEVER)
    assert (waits.channel, waits.text, waits.tentative) == (0, "", "I think that")
    [first] = told(text, 2.0, 2.0)
    assert (first.channel, first.text, first.tentative) == (0, "I think", "that")
    assert told(text, 2.0, 2.0) == []


@pytest.mark.parametrize(
    ("texts", "whole"),
    [
        (["Yes.", "No."], "Yes. No."),
        (["はい。", "いいえ。"], "はい。いいえ。"),
        (["Yes.", "いいえ。"], "Yes.いいえ。"),
    ],
)
def test_how_texts_are_joined(texts: list[str], whole: str) -> None:
    text = Interleaving(2)
    for number, said in enumerate(texts):
        text.note(number, partial(number, said))
    assert "".join(one.text for one in told(text, OVER, OVER)) == whole


@given(
    said=st.lists(
        st.tuples(st.integers(0, 2), st.floats(0.1, 3), st.sampled_from(["a", "bb", "c."])),
        max_size=12,
    ),
    reads=st.lists(st.booleans(), min_size=12, max_size=12),
)
def test_whatever_order_it_comes_in(said: list[tuple[int, float, str]], reads: list[bool]) -> None:
    """Each channel says its own texts one after the other, and is settled up to its last one."""
    text, settled = Interleaving(3), [0.0, 0.0, 0.0]
    expected: list[list[str]] = [[], [], []]
    found: list[Partial] = []
    for (number, pause_s, word), reads_now in zip(said, reads, strict=False):
        space = " " if expected[number] else ""
        text.note(number, Partial(f"{space}{word}", settled[number] + pause_s, 0, 0, "", 0))
        settled[number] += pause_s
        expected[number].append(word)
        if reads_now:
            found += told(text, *settled)
    found += told(text, OVER, OVER, OVER)
    spoken = [one for one in found if one.text]
    assert [one.seq for one in spoken] == list(range(1, len(said) + 1))
    for number in range(3):
        words = [one.text.strip() for one in spoken if one.channel == number]
        assert words == expected[number]
    assert all(one.start_s <= other.start_s for one, other in pairwise(spoken))
    whole = "".join(one.text for one in spoken)
    assert whole.split() == [one.text.strip() for one in spoken]
    assert not whole.startswith(" ")
    assert not any({one.channel: one.tentative for one in found}.values())
