"""What a recording is about, in a few short phrases: YAKE's candidates, adapted to speech."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

from echostream.insights.offline.lexicon import FIRST_NAMES, TALK
from echostream.insights.offline.sentences import TERMINAL

_CANDIDATES = 60
_LONGEST_CHARS = 40
_COVERED = 0.5
"""A word is replaced by a phrase that contains it and has at least this share of its uses."""


def topics_of(sentences: Sequence[str], language: str, limit: int = 8) -> tuple[str, ...]:
    """Up to `limit` phrases of one or two words, the most important first, in their usual case."""
    import yake  # lazily: it loads numpy and networkx

    text = "\n".join(f"{sentence.rstrip('.')}." for sentence in sentences)
    extractor = yake.KeywordExtractor(
        lan=language[:2].lower() or "en", n=2, top=_CANDIDATES, dedup_lim=0.95
    )
    # In lower case, because YAKE favours capitals, which in speech only mark names and the starts
    # of sentences.
    ranked = [str(phrase) for phrase, _ in extractor.extract_keywords(text.lower())]
    usable = [phrase for phrase in ranked if _is_topic(phrase)]
    uses = _uses(text, usable)
    repeated = [phrase for phrase in usable if uses[phrase] > 1]
    chosen = _without_overlaps(repeated if len(repeated) >= 3 else usable, uses)
    return tuple(_usual_case(phrase, text) for phrase in chosen[:limit])


def _is_topic(phrase: str) -> bool:
    words = phrase.split()
    if len(phrase) > _LONGEST_CHARS or any(end in phrase for end in TERMINAL):
        return False  # in scripts without spaces YAKE treats a sentence as a word
    if any(word in FIRST_NAMES for word in words):
        return False
    return words[-1] not in TALK or (len(words) > 1 and words[0] not in TALK)


def _uses(text: str, phrases: Iterable[str]) -> Counter[str]:
    words = re.findall(r"[\w'-]+", text.lower())
    every = Counter(words)
    every.update(f"{first} {second}" for first, second in pairwise(words))
    return Counter({phrase: every[phrase] for phrase in phrases})


def _without_overlaps(phrases: Sequence[str], uses: Counter[str]) -> list[str]:
    """Each word once: in the phrase that covers most of its uses, else on its own."""
    covered = {
        word
        for phrase in phrases
        if " " in phrase
        for word in phrase.split()
        if uses[word] and uses[phrase] >= _COVERED * uses[word]
    }
    chosen: list[str] = []
    for phrase in phrases:
        if " " not in phrase and phrase in covered:
            continue
        taken = {word for other in chosen for word in other.split()}
        if not taken & set(phrase.split()):
            chosen.append(phrase)
    return chosen


def _usual_case(phrase: str, text: str) -> str:
    """The case most used in the text: `API`, `Berlin`, but `budget` even if it starts a line."""
    forms = Counter(re.findall(rf"(?<=\w ){re.escape(phrase)}\b", text, re.I))
    return forms.most_common(1)[0][0] if forms else phrase
