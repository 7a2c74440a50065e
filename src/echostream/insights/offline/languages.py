"""Whether a transcript is in English, the one language that the offline provider reads."""

from collections.abc import Iterable
from itertools import islice

from echostream.domain import Transcript
from echostream.insights.evidence import tokens_of
from echostream.insights.offline.lexicon import word_set

_ENOUGH_SEGMENTS = 300
_FEWEST_WORDS = 8
_LEAST_SHARE = 0.12
"""English speech has at least 0.3 of these words, other languages less than 0.05."""

_ENGLISH = word_set(
    """
    the of and to that it is you we they this are was for on with have be not what so but or if
    there as at from will would can do don't it's i'm we're that's my your our his her their been
    has had were about which who when how all one just know think like yeah yes okay please
    """
)
"""Frequent words of English that no other frequent language has as frequent ones."""


def reads_english(transcript: Transcript) -> bool:
    """By the transcript's language; if it has none, or claims English, also by its words.

    Clients send text without saying its language, and a recogniser told the wrong language writes
    in another. A text too short to tell counts as what it claims to be.
    """
    language = transcript.language.lower()[:2]
    if language not in {"en", "", "un"}:
        return False
    words = _first_words(segment.text for segment in transcript.segments)
    if len(words) < _FEWEST_WORDS:
        return language == "en"
    return sum(word in _ENGLISH for word in words) >= _LEAST_SHARE * len(words)


def _first_words(texts: Iterable[str]) -> list[str]:
    return [word for text in islice(texts, _ENOUGH_SEGMENTS) for word in tokens_of(text[:5_000])]
