"""Action items, decisions and questions: the passages that the models point at, few and certain.

An annotator marks a passage, and so does this: the likeliest sentence, and the ones near it that
take part. One sentence of the passage is quoted.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from echostream.domain import ActionItem, Point
from echostream.insights.offline.cleaning import cleaned
from echostream.insights.offline.commitments import (
    as_sentence,
    decides,
    is_question,
    plainly,
    promises,
    reading_of,
)
from echostream.insights.offline.due_phrases import due_of
from echostream.insights.offline.lexicon import word_set
from echostream.insights.offline.model import Scores
from echostream.insights.offline.sentences import Sentence
from echostream.insights.offline.stopping import stoppable
from echostream.insights.offline.vocabulary import class_of, spoken_words

_MODAL = (
    "(?:will|would|going to|to be|should|shall|must|can|could|need to|needs to|have to|has to|"
    "got to|get to|want to|supposed to)(?! not)"
)
_ADVERB = "(?: (?:guys|two|all|both|are|am|is|just|also|then|have|probably|might|now))*"
_SOMEBODY = "(?:i|we|you|us|yourself|(?:<name>|<role>)(?: and (?:<name>|<role>))?)"
_ENGAGES = re.compile(
    rf"\b(?<!<){_SOMEBODY}{_ADVERB} {_MODAL}\b|<(?:name|role)>{_ADVERB} {_MODAL}\b|"
    r"^(?:please|action item)\b|\b(?:let us|let me|remember to|ask <name>)\b|"
    r"<name> (?:agreed|promised|volunteered) to|^<role>|\bplease\b|"
    r"^(?:and |so |then |just |okay )*(?:<>|do|look|make|write|send|check|prepare) "
)
"""What a sentence must have to say that somebody will act, in the words of `vocabulary`."""

_CEREMONY = re.compile(
    r"\b(?:thank|welcome|look forward|note that|begin with a|adjourn|start with|i (?:would|will) "
    r"like to|i have to say|i will (?:be|ask|start|take|come|show|go|talk|turn)|"
    r"(?:we|you) will (?:see|find|talk|remember|look|come|go|have|get|be able)|"
    r"let us (?:see|say)|(?:can|could) see)\b|^(?:and |so )*if "
)
"""What is said to open, close and steer."""

_STEERS = re.compile(
    r"\b(?:adjourn|(?:i|we) will (?:now |then )?(?:begin|proceed|continue|move on|go on)|"
    r"(?:last|another|one more) chance|(?:go|goes|went) a long way|"
    r"wonder(?:ing)? (?:if|whether|why|how)|(?:can|could|will|would) you (?:please )?"
    r"(?:answer|explain|repeat|clarify|comment|confirm|say|tell (?:me|us))|"
    r"(?:can|could)(?: not|'t)?(?: you| all| everybody| everyone| still)* hear|on mute|"
    r"(?:see|share) (?:my|your|the) screen)\b|"
    r"^(?:and |so |but )?what (?:i|we) (?:can't|cannot|can not|don't|do not)\b",
    re.I,
)
"""What is said in debates to give somebody the floor, to ask, and to promise more of the same; and
in calls about the call."""

_ASKS_ABOUT_TALK = re.compile(
    r"\byou mean\b|\b(?:want me to|can i|may i)\b|"
    r"^(?:so |and |but |or |well )*(?:who(?:'s| is) [\w']+|is (?:this|that|it) [\w' ]{1,12})\?*$",
    re.I,
)

_SETTLES = re.compile(
    r"\b(?:agreed?|decide|decided|decision|approved?|chose|chosen|settled?|go (?:with|for)|"
    r"going (?:with|for)|stick (?:with|to)|let us|should|will be|going to be|i think|"
    r"we (?:are|will|should|could|can|would|have|need|want|do not|just)|so (?:we|it|that))\b"
)
"""What a sentence must have to settle something, if it does not say so in so many words."""

_I_ACT = re.compile(r"\bi(?:'m| am| will| can|'ve| have)?\b", re.I)

_LIGHT = word_set(
    """
    a the an i you we he she it they me us my your our this that there here will would can could
    should do does did is are was were am be have has to of in on for and so but or not okay yeah
    just then now what who when how which why where with let please if like <name>
    """
)
"""Words that say nothing about what is to be done."""

_FEWEST_CONTENTS = 2
_FEWEST_QUESTION_CONTENTS = 2
_WHOLE_QUESTION_CONTENTS = 4


@dataclass(frozen=True, slots=True)
class _Bar:
    """The least probability: of the likeliest sentence, and of one that clearly says so.

    `reach` sentences around the likeliest belong to the passage if they have `share` of `least`;
    the next passage begins behind them. What clearly says so is a passage of its own.
    """

    least: float
    least_if_plain: float
    reach: int
    share: float


_ACTION = _Bar(0.15, 0.3, 6, 0.2)
_ACTION_IF_NO_SPEAKERS = _Bar(0.25, 0.3, 6, 0.15)
"""Without speakers, sentences of several people are joined, and say more than one of them did."""

_DECISION = _Bar(0.35, 0.2, 8, 0.2)
_MOST_EVIDENCE = 50
"""What is said again and again."""

_QUESTION = 0.5
_SHORT_QUESTION = 0.8
_MANY_SENTENCES = 100
"""So long a recording has questions enough to leave out the short ones that are not likelier."""
_EXCHANGE = 3
"""Sentences between two questions, at most, that ask for the same in other words."""
_MOST_QUESTIONS = 6
"""Chosen on the AMI development meetings, and read on the committee meetings of QMSum."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was agreed or asked, in order of time, with repetitions joined."""

    action_items: tuple[ActionItem, ...]
    decisions: tuple[Point, ...]
    questions: tuple[Point, ...]


def find(sentences: Sequence[Sentence], scores: Scores) -> Found:
    texts = [plainly(sentence.text) for sentence in sentences]
    plain = np.array([decides(text) for text in stoppable(texts)], bool)
    return Found(
        _action_items(sentences, texts, scores["actions"] * ~plain),
        _decisions(sentences, texts, scores["decisions"], plain),
        _questions(sentences, texts, scores["questions"]),
    )


def _passages(
    likely: NDArray[np.float64], plain: NDArray[np.bool_], bar: _Bar
) -> Iterator[tuple[int, list[int]]]:
    """The likeliest sentences, each with the places of its passage, in order of time."""
    taken = np.zeros(len(likely), bool)
    found: list[tuple[int, list[int]]] = []
    for peak in stoppable(map(int, np.argsort(-likely, kind="stable"))):
        if likely[peak] < min(bar.least, bar.least_if_plain):
            break
        if taken[peak] or likely[peak] < (bar.least_if_plain if plain[peak] else bar.least):
            continue
        first, end = max(0, peak - bar.reach), peak + bar.reach + 1
        around = np.flatnonzero(likely[first:end] >= bar.share * bar.least) + first
        found.append((peak, [peak] if plain[peak] else [int(at) for at in around if not plain[at]]))
        taken[first:end] |= ~plain[first:end]
        taken[peak] = True
    return iter(sorted(found))


def _action_items(
    sentences: Sequence[Sentence], texts: Sequence[str], likely: NDArray[np.float64]
) -> tuple[ActionItem, ...]:
    items: dict[str, ActionItem] = {}
    speakers = any(sentence.speaker is not None for sentence in sentences)
    bar = _ACTION if speakers else _ACTION_IF_NO_SPEAKERS
    plain = np.array([_is_plain_task(text) for text in stoppable(texts)], bool)
    promised = np.array([promises(text) for text in stoppable(texts)], bool)
    likely = np.where(promised, np.maximum(likely, bar.least_if_plain), likely)
    for peak, passage in _passages(likely, plain, bar):
        if _STEERS.search(texts[peak]):
            continue
        ranked = sorted(passage, key=lambda place: (place != peak, -likely[place]))
        quoted = next((place for place in ranked if _is_quotable(texts[place])), None)
        if quoted is not None:
            item = _action_item(sentences[quoted], texts[quoted], _ids(sentences, passage))
            earlier = items.get(item.text.lower())
            items[item.text.lower()] = _with_evidence(earlier, item) if earlier else item
    return tuple(items.values())


def _is_plain_task(text: str) -> bool:
    """Whether it names who is to act, or by when, and may be read without its neighbours."""
    reading = reading_of(text)
    return reading is not None and (reading.owner is not None or due_of(text) is not None)


def _is_quotable(text: str) -> bool:
    reading = reading_of(text)
    if _STEERS.search(text):
        return False
    return (reading is not None and reading.owner is not None) or promises(text) or _engages(text)


def _engages(text: str) -> bool:
    words = [class_of(word) for word in spoken_words(text)]
    said = " ".join(words)
    contents = sum(word not in _LIGHT for word in words)
    return (
        contents >= _FEWEST_CONTENTS
        and _ENGAGES.search(said) is not None
        and _CEREMONY.search(said) is None
        and not text.lower().startswith(("chair", "mr. speaker", "madam"))
    )


def _action_item(sentence: Sentence, text: str, ids: tuple[int, ...]) -> ActionItem:
    reading = reading_of(text)
    said = text[reading.start :] if reading else text
    owner = reading.owner if reading else None
    if owner is None and _I_ACT.search(text):
        owner = sentence.speaker
    return ActionItem(_quoted(said), owner, due_of(text), ids)


def _decisions(
    sentences: Sequence[Sentence],
    texts: Sequence[str],
    likely: NDArray[np.float64],
    plain: NDArray[np.bool_],
) -> tuple[Point, ...]:
    points: dict[str, Point] = {}
    for peak, passage in _passages(likely, plain, _DECISION):
        if _contents(texts[peak]) >= _FEWEST_CONTENTS and (plain[peak] or _settles(texts[peak])):
            _add(points, _quoted(sentences[peak].text), _ids(sentences, passage))
    return tuple(points.values())


def _contents(text: str) -> int:
    """How many words say what it is about: "it is decided" does not."""
    return sum(word not in _LIGHT for word in map(class_of, spoken_words(text)))


def _settles(text: str) -> bool:
    said = " ".join(map(class_of, spoken_words(text)))
    return _SETTLES.search(said) is not None and not is_question(text)


def _questions(
    sentences: Sequence[Sentence], texts: Sequence[str], likely: NDArray[np.float64]
) -> tuple[Point, ...]:
    """The questions most likely to matter, one of each exchange."""
    short_bar = _SHORT_QUESTION if len(sentences) >= _MANY_SENTENCES else _QUESTION
    asked = [
        place
        for place in map(int, np.flatnonzero(likely >= _QUESTION))
        if is_question(texts[place])
        and _ASKS_ABOUT_TALK.search(texts[place]) is None
        and likely[place] >= _bar_for(texts[place], short_bar)
    ]
    best: list[int] = []
    for place in sorted(asked, key=lambda place: -likely[place]):
        if len(best) < _MOST_QUESTIONS and all(abs(place - each) > _EXCHANGE for each in best):
            best.append(place)
    points: dict[str, Point] = {}
    for place in sorted(best):
        _add(points, _quoted(sentences[place].text), sentences[place].segment_ids)
    return tuple(points.values())


def _bar_for(text: str, short_bar: float) -> float:
    """How likely a question has to be: "is that right?" is about nothing."""
    contents = _contents(text)
    if contents < _FEWEST_QUESTION_CONTENTS:
        return math.inf
    return _QUESTION if contents >= _WHOLE_QUESTION_CONTENTS else short_bar


def _quoted(text: str) -> str:
    return as_sentence(cleaned(text) or text)


def _ids(sentences: Sequence[Sentence], places: Sequence[int]) -> tuple[int, ...]:
    said = (segment_id for place in places for segment_id in sentences[place].segment_ids)
    return tuple(dict.fromkeys(said))


def _with_evidence(item: ActionItem, again: ActionItem) -> ActionItem:
    return replace(item, evidence=_together(item.evidence, again.evidence))


def _add(points: dict[str, Point], text: str, ids: tuple[int, ...]) -> None:
    known = points.get(text.lower(), Point(text, ()))
    points[text.lower()] = replace(known, evidence=_together(known.evidence, ids))


def _together(ids: tuple[int, ...], more: tuple[int, ...]) -> tuple[int, ...]:
    if len(ids) >= _MOST_EVIDENCE:
        return ids
    return tuple(dict.fromkeys((*ids, *more)))[:_MOST_EVIDENCE]
