"""Tokens to words: spaces stand where the engine put them, in every language."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echostream.domain import Word, joined
from echostream.engine.whisper.words import SpokenWord, Token, words_of


def tokens(*texts: str) -> list[Token]:
    return [
        Token(text, (number,), 0.5 * number, 0.5 * number + 0.5, 0.9)
        for number, text in enumerate(texts)
    ]


def as_text(words: list[SpokenWord]) -> str:
    return joined(Word(w.start_s, w.end_s, w.text, space_before=w.space_before) for w in words)


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ((" C", "'", "est", " évident", ","), ["C'est", "évident,"]),
        ((" est", "-", "ce", " qu", "'", "il", " l", "'", "a", " dit", " ?"), None),
        ((" 70", " %", " of", " it", "."), ["70 %", "of", "it."]),
        ((" follow", "-", "up"), ["follow-up"]),
        ((' "', "Yes", ',"', " she", " said", "."), ['"Yes,"', "she", "said."]),
        ((" ¿", "Qué", "?"), ["¿Qué?"]),
        ((" $", "5", ".", "50"), ["$5.50"]),
        ((" -", " Hello", "."), ["- Hello."]),
        ((" well", " –", " no"), ["well –", "no"]),
        (("今", "日", "は", "。", "元", "気"), ["今", "日", "は。", "元", "気"]),
        (("「", "東京", "」", "です"), ["「東京」", "です"]),
        (("この", " Go", "ogle", " News", "で"), ["この", "Google", "News", "で"]),
        (("今", " 日", " は"), ["今", "日", "は"]),
        ((" สวัสดี", "ครับ", " ผม"), ["สวัสดี", "ครับ", "ผม"]),
        ((" שלום", ",", " מה", " נשמע", "?"), ["שלום,", "מה", "נשמע?"]),
        ((" ", "Word"), ["Word"]),
        ((" https", "://", "a", ".", "b", "/", "c"), ["https://a.b/c"]),
        ((".",), ["."]),
        ((), []),
    ],
)
def test_words(texts, words):
    found = words_of(tokens(*texts))
    if words is not None:
        assert [word.text for word in found] == words
    raw = "".join(texts).strip()
    expected = "今日は" if texts == ("今", " 日", " は") else raw
    assert as_text(found) == expected


def test_times_are_those_of_what_is_said():
    [first, second] = words_of(tokens(' "', "Yes", ',"', " no"))
    assert (first.start_s, first.end_s) == (0.5, 1.0)
    assert (second.start_s, second.end_s) == (1.5, 2.0)
    assert (first.tokens, second.tokens) == ((0, 1, 2), (3,))


PIECES = st.sampled_from(
    [
        " the",
        "ing",
        ".",
        ",",
        " 7",
        " %",
        "'",
        "-",
        ' "',
        "(",
        " (",
        ")",
        "日",
        "本",
        "。",
        " ",
        "「",
    ]
)


@given(st.lists(PIECES, max_size=12))
def test_nothing_is_lost_or_added(texts):
    found = words_of(tokens(*texts))
    assert as_text(found).replace(" ", "") == "".join(texts).replace(" ", "")
    assert all(word.text == word.text.strip() != "" for word in found)
    said = [number for word in found for number in word.tokens]
    assert said == sorted(said)
