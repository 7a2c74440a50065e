"""What a recording is about: the noun phrases that people would write on an agenda.

Which words are nouns is read off the recording itself, by the company they keep: "the", "of" and
"our" stand before nouns, "I", "will" and "to" before verbs, "is" and "very" before adjectives.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from echostream.insights.offline.lexicon import FIRST_NAMES, TALK, word_set
from echostream.insights.offline.stopping import stoppable
from echostream.insights.offline.vocabulary import FILLERS, class_of

_WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*|[^\w\s]|\d+")
_NO_NOUN = re.compile(r"\b(?:of course|in terms of|at the moment|for example)\b", re.I)
_MOST = 5
_MOST_IF_LONG = 3
_LONG_SENTENCES = 150
_LONGEST_WORDS = 3
_SHORTEST_CHARS = 3
_PARTS = 20
"""The recording is cut into as many; a topic is spoken about in several of them."""

_COVERED = 0.4
"""A word is replaced by a phrase that contains it and has at least this share of its uses."""

_BEFORE_NOUNS = word_set(
    """
    the a an this that these those my your our their his her its of for with in on about from by
    between into over under per and or some any no each every both more most other another new
    different same without against towards two three four
    """
)
_BEFORE_OTHERS = word_set(
    """
    i you he she we they it to will would can could should shall must may might do does did not
    don't didn't doesn't can't won't is are was were be been am very too so quite really just
    always never also i'm you're we're they're it's that's isn't let's who
    """
)
_AFTER_PHRASES = frozenset(("of", "and", "or", "in", "is", "are", "was", "for", "on", "with", "to"))
_ON_AGENDAS = word_set(
    """
    document information plan presentation presentations process project questionnaire report
    reports research review schedule meeting meetings group work
    """
)
"""Nouns of any meeting: a topic only as a part of a phrase."""

_INTRODUCES = word_set(
    """
    agenda discuss discussed discussing discussion talk talked talking present presentation
    presentations presenting item topic topics issue issues question questions start next
    regarding concerning welcome summarize summary decide
    """
)
"""A sentence with one of these words may name what comes."""

_INTRODUCED = 20
_EARLY = 10
"""What a use counts in such a sentence, and what in the first tenth, where the agenda is read."""

_BY_LENGTH = (1, 4, 5)
"""What a phrase of one, two or three words counts."""

_HOLLOW = word_set(
    """
    anybody anyone bunch couple detail example fact guy guys half hand home interest
    interesting mean moment none note obviously okay opinion order others particular past probably
    rest sense sir madam side thank thanks today type version view whole word words chair
    honourable member members minister mister gentleman lady speaker colleague colleagues answer
    agenda discussion discussions topic topics issue issues option options role roles basics brief
    introduction folder laptop laptops blank pen expert limitation limitations
    laugh mic voice piece call true guess
    alright terms ones means per cent mm-hmm low real flat front top pretty multi young favourite
    instance corner yellow meeting meetings group work project report reports plan document
    information hmm yep nope dunno stuff everything nothing somebody
    """
)
"""Nouns that say nothing on an agenda."""


def topics_of(texts: Sequence[str]) -> tuple[str, ...]:
    """Up to five phrases, the most important first, in their usual case; three in a long recording,
    where those that follow seldom are what it was about.
    """
    limit = _MOST if len(texts) < _LONG_SENTENCES else _MOST_IF_LONG
    sentences = [_WORD.findall(_NO_NOUN.sub(" ", text.replace("_", ""))) for text in texts]
    nouns = _nouns(sentences)
    uses: Counter[str] = Counter()
    said: Counter[str] = Counter()
    parts: defaultdict[str, set[int]] = defaultdict(set)
    forms: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for number, words in enumerate(stoppable(sentences)):
        weight = _INTRODUCED if not _INTRODUCES.isdisjoint(map(str.lower, words)) else 1
        weight *= _EARLY if 10 * number < len(sentences) else 1
        for start, phrase in _phrases(words, nouns):
            folded = " ".join(phrase).lower()
            uses[folded] += 1
            said[folded] += weight
            parts[folded].add(_PARTS * number // len(sentences))
            forms[folded][" ".join(phrase)] += 1 if start else 0
    ranked = sorted(uses, key=lambda phrase: (-_importance(phrase, said, parts), phrase))
    repeated = [phrase for phrase in ranked if uses[phrase] > 1]
    chosen = _without_overlaps(repeated if len(repeated) >= 3 else ranked, uses)
    return tuple(_usual_case(phrase, forms[phrase]) for phrase in chosen[:limit])


def _nouns(sentences: Iterable[Sequence[str]]) -> frozenset[str]:
    """The words that mostly stand where nouns stand."""
    as_noun: Counter[str] = Counter()
    as_other: Counter[str] = Counter()
    for words in stoppable(sentences):
        folded = ["", *(word.lower() for word in words), ""]
        for before, word, after in zip(folded, folded[1:], folded[2:], strict=False):
            if not _may_be_noun(word):
                continue
            ends = not after[:1].isalpha() or after in _AFTER_PHRASES
            if before in _BEFORE_NOUNS:
                as_noun[word] += 2 if ends else 1
            elif before in _BEFORE_OTHERS:
                as_other[word] += 2
            elif _may_be_noun(before) and ends:
                as_noun[word] += 1
    return frozenset(word for word, count in as_noun.items() if count > as_other[word])


def _may_be_noun(word: str) -> bool:
    return (
        len(word) >= _SHORTEST_CHARS
        and word[0].isalpha()
        and "'" not in word
        and (class_of(word)[0] == "<" or word in _ON_AGENDAS)
        and class_of(word) not in {"<date>", "<name>", "<number>", "<ly>"}
        and word not in FILLERS
    )


def _phrases(words: Sequence[str], nouns: frozenset[str]) -> Iterator[tuple[int, Sequence[str]]]:
    """Every run of up to three words that ends in a noun, with the place where it starts."""
    for end, word in enumerate(words):
        if not _heads(word.lower(), nouns):
            continue
        for length in range(1, _LONGEST_WORDS + 1):
            start = end - length + 1
            if start < 0 or not _may_be_noun(words[start].lower()):
                break
            if _begins(
                words[start].lower(), words[start - 1].lower() if start else "", nouns, length
            ):
                yield start, words[start : end + 1]


def _heads(word: str, nouns: frozenset[str]) -> bool:
    return word in nouns and (word in _ON_AGENDAS or (word not in TALK and word not in _HOLLOW))


def _begins(word: str, before: str, nouns: frozenset[str], length: int) -> bool:
    if word in FIRST_NAMES or (word not in _ON_AGENDAS and (word in _HOLLOW or word in TALK)):
        return False
    if length == 1 and word in _ON_AGENDAS:
        return False
    return length == 1 or word in nouns or before in _BEFORE_NOUNS


def _importance(phrase: str, said: Counter[str], parts: dict[str, set[int]]) -> float:
    """Often said, all over the recording, and of more than one word."""
    return said[phrase] * len(parts[phrase]) * _BY_LENGTH[phrase.count(" ")]


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
    taken: set[str] = set()
    for phrase in phrases:
        stems = {word.rstrip("s") for word in phrase.split()}
        if phrase in covered or taken & stems:
            continue
        taken |= stems
        chosen.append(phrase)
    return chosen


def _usual_case(phrase: str, forms: Counter[str]) -> str:
    """The case most used inside sentences: `API`, `Berlin`, but `budget` even if it starts one."""
    form, count = forms.most_common(1)[0]
    return form if count else phrase
