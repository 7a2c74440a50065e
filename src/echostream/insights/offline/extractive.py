"""Insights without a language model and without a network.

Small models that were trained on meetings find action items, decisions and questions; the summary
is made of sentences that were said; VADER knows the sentiment. All of them read English only. In
other languages, and if the language is unknown and the words are not English, there are sentences,
keywords and what ends in a question mark, and `meta.degraded_reason` says so. There is no title:
none that can be made from words beats the name that somebody gave the recording.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache, partial
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
from echostream.insights.base import no_speech, replace_details
from echostream.insights.offline.cleaning import cleaned
from echostream.insights.offline.commitments import QUESTION_MARKS, as_sentence, is_question
from echostream.insights.offline.keywords import keywords_of
from echostream.insights.offline.languages import reads_english
from echostream.insights.offline.sentences import Sentence, sentences_of
from echostream.insights.offline.stopping import StoppableThreads, stoppable
from echostream.insights.offline.summary import central
from echostream.insights.offline.topics import topics_of
from echostream.scripts import joined_texts

_KEY_POINTS = 8
_SUMMARY_WORDS = 130
_SHORT_SUMMARY_WORDS = 35

_UNREAD = (
    "the offline provider reads English only: for this language{} it quotes sentences and lists "
    "keywords"
)

_AT_ONCE = 2
_WITHIN_S = 60.0
"""How long an analysis may take. Ten hours of speech take ten seconds."""

_MOST_SCORED_CHARS = 500
"""Of a sentence. VADER's time grows with the square of it, and it spells out emojis."""

_THRESHOLD = 0.05
"""VADER's own threshold: a compound score beyond it is positive or negative."""

_UNKNOWN = Sentiment("neutral", 0.33)
"""For languages that VADER does not know: one of three labels, at chance."""


class ExtractiveInsights:
    """Works offline and fails on no transcript. An hour of speech takes a second. A text that
    takes longer than `within_s` has no insights, and says so."""

    name = "extractive"
    model = None

    def __init__(self, *, within_s: float = _WITHIN_S) -> None:
        self._threads = StoppableThreads(_AT_ONCE)
        self._within_s = within_s

    async def analyse(self, transcript: Transcript) -> Insights:
        """Insights of the whole transcript, computed in a thread, which ends if this is
        cancelled."""
        if not transcript.text:
            return no_speech(self.name, self.model)
        try:
            return await self._threads.run(partial(_analyse, transcript), within_s=self._within_s)
        except TimeoutError:
            return _of_too_much()

    async def aclose(self) -> None:
        """Ends its threads once they have nothing to do."""
        self._threads.close()


def _of_too_much() -> Insights:
    nothing = no_speech(ExtractiveInsights.name, ExtractiveInsights.model)
    reason = "the offline provider did not come to an end in time"
    meta = replace(nothing.details.meta, coverage=0.0, degraded=True, degraded_reason=reason)
    return replace_details(nothing, replace(nothing.details, meta=meta))


def _analyse(transcript: Transcript) -> Insights:
    sentences = sentences_of(transcript.segments)
    if reads_english(transcript):
        return _of_english(transcript, sentences)
    return _of_the_unread(transcript, sentences)


def _of_english(transcript: Transcript, sentences: Sequence[Sentence]) -> Insights:
    from echostream.insights.offline.found import find  # lazily: these load numpy
    from echostream.insights.offline.model import scores_of

    scores = scores_of(sentences)
    found = find(sentences, scores)
    score = _polarity()
    compounds = [
        score(sentence.text[:_MOST_SCORED_CHARS])["compound"] for sentence in stoppable(sentences)
    ]
    telling = [
        0.0 if is_question(sentence.text) else float(score)
        for sentence, score in zip(sentences, scores["telling"], strict=True)
    ]
    points = _points(sentences, telling)
    details = Details(
        title="",
        key_points=points,
        decisions=found.decisions,
        questions=found.questions,
        action_items=found.action_items,
        sentiment_timeline=_timeline(transcript, sentences, compounds),
        meta=InsightsMeta(ExtractiveInsights.name, ExtractiveInsights.model, coverage=1.0),
    )
    topics = topics_of([sentence.text for sentence in sentences])
    return Insights(_summary(points), topics, _overall(sentences, compounds), details)


def _of_the_unread(transcript: Transcript, sentences: Sequence[Sentence]) -> Insights:
    """What needs no knowledge of the language: sentences, keywords, and question marks."""
    points = _points(sentences, [1.0] * len(sentences))
    asked = {
        as_sentence(sentence.text): Point(as_sentence(sentence.text), sentence.segment_ids)
        for sentence in sentences
        if sentence.text.endswith(QUESTION_MARKS)
    }
    reason = _UNREAD.format(f" ({code})" if (code := transcript.language) else "")
    details = Details(
        title="",
        key_points=points,
        decisions=(),
        questions=tuple(asked.values())[:_KEY_POINTS],
        action_items=(),
        sentiment_timeline=_timeline(transcript, sentences, ()),
        meta=InsightsMeta(
            ExtractiveInsights.name,
            ExtractiveInsights.model,
            1.0,
            degraded=True,
            degraded_reason=reason,
        ),
    )
    topics = keywords_of([sentence.text for sentence in sentences], transcript.language)
    return Insights(_summary(points), topics, _UNKNOWN, details)


def _points(sentences: Sequence[Sentence], telling: Sequence[float]) -> tuple[Point, ...]:
    """The sentences of the summary, the most important first, each a quotation."""
    texts = [cleaned(sentence.text) or sentence.text for sentence in stoppable(sentences)]
    spoken = sum(len(text.split()) for text in texts)
    words = min(_SUMMARY_WORDS, max(_SHORT_SUMMARY_WORDS, spoken // 5))
    return tuple(
        Point(as_sentence(texts[place]), sentences[place].segment_ids)
        for place in central(texts, telling, words)
    )


def _summary(points: Sequence[Point]) -> str:
    """The points as they were said, one after the other."""
    return joined_texts(point.text for point in sorted(points, key=lambda p: p.evidence))


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
