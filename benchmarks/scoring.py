"""Word error rates that count what was heard, not how it was written.

Whisper writes "70%" and "$1,200" where the reference has words, so numbers are spelled out in both
texts first. The same rules apply to all sides of a comparison.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import jiwer

# fmt: off
_SMALL = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
]
_TENS = [
    "zero", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
]
# fmt: on
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
_CURRENCIES = {"$": "dollars", "€": "euros", "£": "pounds"}
_SPELLINGS = {"ok": "okay", "mr": "mister", "mrs": "missus", "dr": "doctor"}
_FIGURES = re.compile(r"([$€£])?(\d[\d,]*)(?:\.(\d+))?(st|nd|rd|th)?\s*(%)?")
_UNSPACED = {"ja", "zh", "yue", "th"}


@dataclass(frozen=True, slots=True)
class Score:
    """The errors and the number of words (characters if the language has no spaces)."""

    words: int
    substitutions: int
    deletions: int
    insertions: int

    @property
    def wer(self) -> float:
        return (self.substitutions + self.deletions + self.insertions) / max(1, self.words)


def score(reference: str, heard: str, language: str = "en") -> Score:
    """Compares two texts, word by word or character by character."""
    found: jiwer.WordOutput | jiwer.CharacterOutput
    if language in _UNSPACED:
        found = jiwer.process_characters(_letters(reference), _letters(heard))
    else:
        found = jiwer.process_words(plain(reference, language), plain(heard, language))
    return Score(
        found.hits + found.substitutions + found.deletions,
        found.substitutions,
        found.deletions,
        found.insertions,
    )


def total(scores: Iterable[Score]) -> Score:
    each = list(scores)
    return Score(
        sum(one.words for one in each),
        sum(one.substitutions for one in each),
        sum(one.deletions for one in each),
        sum(one.insertions for one in each),
    )


def plain(text: str, language: str = "en") -> str:
    """Returns the text in lower case without punctuation; in English, with numbers as words."""
    text = text.lower().replace("’", "'")
    if language == "en":
        text = _FIGURES.sub(_spelled, re.sub(r"(\d):(\d\d)\b", r"\1 \2", text))
        text = re.sub(r"\b(hundred|thousand) and\b", r"\1", text)
    words = re.sub(r"[^\w\s']", " ", text).split()
    return " ".join(_SPELLINGS.get(word, word) for word in words)


def _letters(text: str) -> str:
    return re.sub(r"[\W_]", "", text.lower())


def _spelled(found: re.Match[str]) -> str:
    currency, whole, fraction, ordinal, percent = found.groups()
    digits = whole.replace(",", "")
    # Telephone numbers, door numbers and the like are read digit by digit.
    words = (
        [_SMALL[int(digit)] for digit in digits]
        if len(digits) > 6 or (digits.startswith("0") and len(digits) > 1)
        else _number(int(digits))
    )
    if fraction:
        words += ["point", *(_SMALL[int(digit)] for digit in fraction)]
    if ordinal:
        words[-1] = _ordinal(words[-1])
    if currency:
        words.append(_CURRENCIES[currency])
    if percent:
        words.append("percent")
    return f" {' '.join(words)} "


def _number(value: int) -> list[str]:
    """Spells a number in American English, without "and"."""
    if value < 20:
        return [_SMALL[value]]
    if value < 100:
        return [_TENS[value // 10], *(_number(value % 10) if value % 10 else [])]
    size, name = (100, "hundred") if value < 1000 else (1000, "thousand")
    rest = _number(value % size) if value % size else []
    return [*_number(value // size), name, *rest]


def _ordinal(word: str) -> str:
    if word.endswith("y"):
        return f"{word[:-1]}ieth"
    return _ORDINALS.get(word, f"{word}th")
