"""Insights without a language model and without a network.

YAKE finds topics, VADER sentiment, LexRank the summary and key points, and phrase patterns the
action items, decisions and questions. VADER and the patterns only know English: in other languages
sentiment is neutral with the confidence of a guess, and only questions with a question mark are
found.
"""

import asyncio
import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from statistics import fmean

from echostream.domain import (
    Details,
    Insights,
    InsightsMeta,
    Point,
    Sentiment,
    SentimentAt,
    Transcript,
)
from echostream.insights.base import no_speech
from echostream.insights.evidence import tokens_of
from echostream.insights.offline.commitments import as_sentence, find, find_questions, is_question
from echostream.insights.offline.lexicon import TALK
from echostream.insights.offline.sentences import Sentence, sentences_of
from echostream.insights.offline.topics import topics_of
from echostream.scripts import joined_texts

_KEY_POINTS = 8
_FEWEST_WORDS = 2
"""A sentence with fewer content words is a courtesy or an aside: "thank you for your time"."""

_ALIKE = 0.6
"""Sentences that share this much of their words (Jaccard index) say the same thing."""

_THRESHOLD = 0.05
"""VADER's own threshold: a compound score beyond it is positive or negative."""

_UNKNOWN = Sentiment("neutral", 0.33)
"""For languages that VADER does not know: one of three labels, at chance."""


class ExtractiveInsights:
    """Works offline and fails on no transcript. Hours of speech take a few seconds."""

    name = "extractive"
    model = None

    async def analyse(self, transcript: Transcript) -> Insights:
        """Insights of the whole transcript, computed in a thread."""
        if not transcript.text:
            return no_speech(self.name, self.model)
        return await asyncio.to_thread(_analyse, transcript)

    async def aclose(self) -> None:
        """Holds nothing to close."""


def _analyse(transcript: Transcript) -> Insights:
    sentences = sentences_of(transcript.segments)
    topics = topics_of([sentence.text for sentence in sentences], transcript.language)
    english = transcript.language.lower()[:2] == "en"
    found = find(sentences) if english else find_questions(sentences)
    central = _central(sentences)
    compounds = [_polarity()(s.text)["compound"] for s in sentences] if english else []
    details = Details(
        title=_title(topics, sentences),
        key_points=tuple(
            Point(as_sentence(sentences[place].text), sentences[place].segment_ids)
            for place in central
        ),
        decisions=found.decisions,
        questions=found.questions,
        action_items=found.action_items,
        sentiment_timeline=_timeline(transcript, sentences, compounds),
        meta=InsightsMeta(ExtractiveInsights.name, ExtractiveInsights.model, coverage=1.0),
    )
    return Insights(_summary(sentences, central), topics, _overall(sentences, compounds), details)


def _central(sentences: Sequence[Sentence]) -> list[int]:
    """Indices of the most central sentences, the most central one first."""
    from echostream.insights.offline.lexrank import centrality  # lazily: it loads numpy

    bags = [_content(sentence.text) for sentence in sentences]
    scores = centrality(bags)
    ranked = sorted(range(len(sentences)), key=lambda place: -scores[place])
    telling = [
        place
        for place in ranked
        if len(set(bags[place]) - TALK) >= _FEWEST_WORDS and not is_question(sentences[place].text)
    ] or ranked
    chosen: list[int] = []
    for place in telling:
        if len(chosen) == _KEY_POINTS:
            break
        if all(_overlap(bags[place], bags[other]) < _ALIKE for other in chosen):
            chosen.append(place)
    return chosen


def _summary(sentences: Sequence[Sentence], central: Sequence[int]) -> str:
    """The most central sentences in spoken order: three, or up to six in long recordings."""
    count = min(6, max(3, round(math.sqrt(len(sentences)) / 3)))
    return joined_texts(as_sentence(sentences[place].text) for place in sorted(central[:count]))


def _title(topics: Sequence[str], sentences: Sequence[Sentence]) -> str:
    if not topics:
        return " ".join(sentences[0].text.split()[:8]) if sentences else ""
    *most, last = topics[:3]
    title = f"{', '.join(most)} and {last}" if most else last
    return title[0].upper() + title[1:]


@lru_cache(maxsize=1)
def _stop_words() -> frozenset[str]:
    from yake import KeywordExtractor  # lazily: it loads numpy and networkx

    return frozenset(KeywordExtractor(lan="en").stopword_set)


def _content(text: str) -> list[str]:
    return [word for word in tokens_of(text) if word not in _stop_words()]


def _overlap(first: Sequence[str], second: Sequence[str]) -> float:
    one, other = set(first), set(second)
    return len(one & other) / max(1, len(one | other))


@lru_cache(maxsize=1)
def _polarity() -> Callable[[str], dict[str, float]]:
    """VADER's scorer; its lexicon takes a moment to load."""
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    scorer: Callable[[str], dict[str, float]] = SentimentIntensityAnalyzer().polarity_scores
    return scorer


def _timeline(
    transcript: Transcript, sentences: Sequence[Sentence], compounds: Sequence[float]
) -> tuple[SentimentAt, ...]:
    """The sentiment of each segment with text, from its sentences; unknown without `compounds`.

    Sentences are scored and not segments: VADER's score of a long text tends to an extreme, and
    its time grows with the square of the length.
    """
    said: dict[int, list[float]] = {}
    for sentence, compound in zip(sentences, compounds, strict=False):
        for segment_id in sentence.segment_ids:
            said.setdefault(segment_id, []).append(compound)
    timeline = []
    for segment in transcript.segments:
        if segment.text.strip():
            scores = said.get(segment.id)
            mood = _labelled(fmean(scores)) if scores else _UNKNOWN
            timeline.append(SentimentAt(segment.id, mood.label, mood.score))
    return tuple(timeline)


def _overall(sentences: Sequence[Sentence], compounds: Sequence[float]) -> Sentiment:
    """The sentiment of the whole: the mean over all sentences, weighted by their words."""
    if not compounds:
        return _UNKNOWN
    return _labelled(fmean(compounds, [len(sentence.text.split()) for sentence in sentences]))


def _labelled(compound: float) -> Sentiment:
    """The label for VADER's -1 to 1. Its confidence is 0.5 at the threshold and 1 at the ends."""
    distance = abs(compound)
    if distance < _THRESHOLD:
        return Sentiment("neutral", round(1 - distance / _THRESHOLD / 2, 3))
    score = 0.5 + (distance - _THRESHOLD) / (1 - _THRESHOLD) / 2
    return Sentiment("positive" if compound > 0 else "negative", round(min(1.0, score), 3))
