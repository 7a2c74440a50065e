"""Topics in languages whose nouns nothing here knows: the keywords that YAKE finds."""

import re
from collections.abc import Iterable, Sequence

from echostream.insights.offline.sentences import TERMINAL

_MARKS = re.compile(rf"[{re.escape(''.join(TERMINAL))}\"\u201c\u201d()\[\]]+")
_CANDIDATES = 30
_MOST = 5
_LONGEST_CHARS = 40
_ENOUGH_CHARS = 40_000
"""More text is thinned out evenly: YAKE's time grows faster than the text."""


def keywords_of(texts: Sequence[str], language: str) -> tuple[str, ...]:
    """Up to five phrases of one or two words, the most important first, in lower case."""
    import yake  # lazily: it loads networkx

    extractor = yake.KeywordExtractor(
        lan=language[:2].lower() or "en", n=2, top=_CANDIDATES, dedup_lim=0.95
    )
    text = "\n".join(_line(text) for text in _thinned(texts))
    ranked = [str(phrase) for phrase, _ in extractor.extract_keywords(text)]
    return tuple(_without_overlaps(phrase for phrase in ranked if _is_short(phrase)))


def _line(text: str) -> str:
    """`text` as a line that YAKE takes for one sentence.

    In lower case, because it favours capitals, which in speech mark names and sentences. Only the
    first letter is one, and no dot is left: it would join lines again and again, in a time that
    grows with the square of their number.
    """
    plain = " ".join(_MARKS.sub(" , ", text).lower().split())
    return f"{plain[:1].upper()}{plain[1:]}!"


def _thinned(texts: Sequence[str]) -> Sequence[str]:
    step = 1 + sum(map(len, texts)) // _ENOUGH_CHARS
    return [text[:_ENOUGH_CHARS] for text in texts[::step]]


def _is_short(phrase: str) -> bool:
    """In scripts without spaces YAKE takes a sentence for a word."""
    return len(phrase) <= _LONGEST_CHARS and not any(end in phrase for end in TERMINAL)


def _without_overlaps(phrases: Iterable[str]) -> list[str]:
    chosen: list[str] = []
    taken: set[str] = set()
    for phrase in phrases:
        if len(chosen) < _MOST and not taken & set(phrase.split()):
            taken |= set(phrase.split())
            chosen.append(phrase)
    return chosen
