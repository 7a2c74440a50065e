"""Insights by a language model: in one call if the transcript fits, else part by part.

Our code joins the lists of the parts (key points, decisions, questions, action items, timeline), so
that each statement keeps its evidence. Title, summary and topics have to be rewritten, which takes
one more call. Parts that could not be read lower `meta.coverage`; none is left out silently.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

import structlog

from echostream.domain import Details, Insights, InsightsMeta, Sentiment, Transcript
from echostream.errors import InsightsError
from echostream.insights.base import no_speech
from echostream.insights.prompt import (
    Line,
    halve,
    lines_of,
    merging_prompt,
    reading_prompt,
    split,
)
from echostream.insights.wire import WireInsights, WireSummary, tidy_topics, to_insights
from echostream.llm.base import LanguageModel, ProviderUnavailable, TooLong
from echostream.llm.tokens import most_tokens
from echostream.scripts import joined_texts

_log = structlog.get_logger()

_CALLS_AT_ONCE = 4
_HALVINGS = 5
_SMALLEST_PART_TOKENS = 400


class ModelInsights:
    """Insights by `model`, which reads at most `context_tokens` of a transcript in one call."""

    def __init__(self, model: LanguageModel, context_tokens: int) -> None:
        self._model = model
        self._context_tokens = context_tokens

    @property
    def name(self) -> str:
        """The provider's name."""
        return self._model.name

    @property
    def model(self) -> str | None:
        """The model's id."""
        return self._model.model

    async def analyse(self, transcript: Transcript) -> Insights:
        """Insights of the whole transcript.

        Parts that fail lower the coverage and mark the result degraded. Raises InsightsError if
        all fail.
        """
        lines = lines_of(transcript)
        if not lines:
            return no_speech(self.name, self.model)
        reader = _Reader(self._model, transcript.language)
        readings = await reader.read_all(split(lines, self._context_tokens))
        found = [reading for reading in readings if reading.insights is not None]
        if not found:
            raise next(reading.failure for reading in readings if reading.failure is not None)
        meta = _meta(readings, self._model)
        insights = [reading.insights for reading in found if reading.insights is not None]
        if len(insights) == 1:
            return replace_meta(insights[0], meta)
        merged = _joined(insights, [reading.chars for reading in found], meta)
        return await _summed_up(
            self._model, merged, insights, transcript.language, self._context_tokens
        )

    async def aclose(self) -> None:
        """Closes the model."""
        await self._model.aclose()


@dataclass(frozen=True, slots=True)
class _Reading:
    """The result of reading some lines: insights, or why there are none."""

    chars: int
    insights: Insights | None
    failure: InsightsError | None = None


class _Reader:
    """Reads the parts of one transcript, several at once, until no further call can succeed."""

    def __init__(self, model: LanguageModel, language: str) -> None:
        self._model = model
        self._language = language
        self._free = asyncio.Semaphore(_CALLS_AT_ONCE)
        self._unavailable: ProviderUnavailable | None = None

    async def read_all(self, parts: Sequence[Sequence[Line]]) -> list[_Reading]:
        """The readings of all parts in order; a part that was halved gives several."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._read_in_turn(part)) for part in parts]
        return list(chain.from_iterable(task.result() for task in tasks))

    async def _read_in_turn(self, part: Sequence[Line]) -> list[_Reading]:
        async with self._free:
            return await self._read(part, _HALVINGS)

    async def _read(self, part: Sequence[Line], halvings: int) -> list[_Reading]:
        chars = sum(len(line.text) for line in part)
        try:
            if self._unavailable is not None:
                raise self._unavailable
            prompt = reading_prompt(part, self._language)
            answer = await self._model.answer(prompt, WireInsights)
        except TooLong as error:
            if halvings == 0 or most_tokens(prompt.data) < _SMALLEST_PART_TOKENS:
                return [_Reading(chars, None, error)]
            _log.info("insights_part_halved", reason=str(error), chars=chars)
            first, second = halve(part)
            return [*await self._read(first, halvings - 1), *await self._read(second, halvings - 1)]
        except InsightsError as error:
            if isinstance(error, ProviderUnavailable):
                self._unavailable = error
            return [_Reading(chars, None, error)]
        meta = InsightsMeta(self._model.name, self._model.model, coverage=1.0)
        return [_Reading(chars, to_insights(answer, part, meta))]


def replace_meta(insights: Insights, meta: InsightsMeta) -> Insights:
    """The same insights with another `meta`."""
    details = replace(insights.details, meta=meta)
    return Insights(insights.summary, insights.topics, insights.sentiment, details)


def degraded(insights: Insights, reason: str) -> Insights:
    """The same insights marked degraded; earlier reasons are kept."""
    meta = insights.details.meta
    reasons = "; ".join(filter(None, (meta.degraded_reason, reason)))
    return replace_meta(insights, replace(meta, degraded=True, degraded_reason=reasons))


def _meta(readings: Sequence[_Reading], model: LanguageModel) -> InsightsMeta:
    whole = sum(reading.chars for reading in readings)
    failures = [reading for reading in readings if reading.failure is not None]
    if not failures:
        return InsightsMeta(model.name, model.model, coverage=1.0)
    missing = sum(reading.chars for reading in failures)
    reason = f"{len(failures)} of {len(readings)} parts could not be read: {failures[0].failure}"
    return InsightsMeta(model.name, model.model, 1 - missing / whole, True, reason)


def _joined(parts: Sequence[Insights], weights: Sequence[int], meta: InsightsMeta) -> Insights:
    """The parts joined one after the other, without another call."""
    every = [part.details for part in parts]
    topics = tidy_topics(
        topic for rank in range(20) for part in parts for topic in part.topics[rank : rank + 1]
    )
    timeline = {at.segment_id: at for details in every for at in details.sentiment_timeline}
    details = Details(
        title=every[0].title,
        key_points=tuple(chain.from_iterable(each.key_points for each in every)),
        decisions=tuple(chain.from_iterable(each.decisions for each in every)),
        questions=tuple(chain.from_iterable(each.questions for each in every)),
        action_items=tuple(chain.from_iterable(each.action_items for each in every)),
        sentiment_timeline=tuple(timeline.values()),
        meta=meta,
    )
    summary = joined_texts(part.summary for part in parts)
    return Insights(summary, topics, _weighed([part.sentiment for part in parts], weights), details)


def _weighed(moods: Sequence[Sentiment], weights: Sequence[int]) -> Sentiment:
    """The label with the most confidence over the most text; its share is the score."""
    votes: dict[str, float] = {}
    for mood, weight in zip(moods, weights, strict=True):
        votes[mood.label] = votes.get(mood.label, 0.0) + mood.score * weight
    winner = max(moods, key=lambda mood: votes[mood.label])
    return Sentiment(winner.label, min(1.0, votes[winner.label] / max(1, sum(weights))))


async def _summed_up(
    model: LanguageModel,
    merged: Insights,
    parts: Sequence[Insights],
    language: str,
    context_tokens: int,
) -> Insights:
    """`merged` with one title, summary and topics; unchanged but degraded if that call fails."""
    summaries = [
        Line(number, f"{part.summary} Topics: {', '.join(part.topics)}")
        for number, part in enumerate(parts, start=1)
    ]
    try:
        answer = await _merge(model, summaries, language, context_tokens)
    except InsightsError as error:
        return degraded(merged, f"the parts' summaries could not be merged: {error}")
    details = replace(merged.details, title=answer.title or merged.details.title)
    topics = tidy_topics(answer.topics) or merged.topics
    return Insights(answer.summary, topics, merged.sentiment, details)


async def _merge(
    model: LanguageModel, summaries: Sequence[Line], language: str, context_tokens: int
) -> WireSummary:
    """One summary of many; in rounds if they do not all fit into one call."""
    groups = split(summaries, context_tokens)
    if len(groups) == 1:
        return await model.answer(merging_prompt(summaries, language), WireSummary)
    if len(groups) >= len(summaries):
        raise InsightsError("no two of them fit into one call")
    merged = []
    for number, group in enumerate(groups, start=1):
        answer = await model.answer(merging_prompt(group, language), WireSummary)
        text = f"{answer.summary} Topics: {', '.join(answer.topics)}"
        merged.append(Line(number, text))
    return await _merge(model, merged, language, context_tokens)
