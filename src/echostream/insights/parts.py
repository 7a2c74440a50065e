"""Insights by a language model: in one call if the transcript fits, else part by part.

Our code joins the lists of the parts (key points, decisions, questions, action items, the
template's sections, timeline), so that each statement keeps its evidence. Title, summary and topics
have to be rewritten, which takes one more call. Parts that could not be read lower `meta.coverage`;
none is left out silently.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

import structlog

from echostream.domain import (
    AS_USUAL,
    Details,
    Insights,
    InsightsMeta,
    InsightsOptions,
    Section,
    Sentiment,
    Template,
    Transcript,
)
from echostream.insights.base import empty_sections, no_speech, replace_details
from echostream.insights.prompt import Line, halve, lines_of, merging_prompt, reading_prompt, split
from echostream.insights.wire import WireSummary, shape_for, tidy_topics, to_insights
from echostream.llm.base import InsightsError, LanguageModel, ProviderUnavailable, TooLong, Usage
from echostream.llm.tokens import most_tokens
from echostream.scripts import joined_texts
from echostream.templates import GENERAL

_log = structlog.get_logger()

_HALVINGS = 5
_SMALLEST_PART_TOKENS = 400


class ModelInsights:
    """Insights by `model`, which reads at most `context_tokens` of a transcript in one call."""

    def __init__(
        self, model: LanguageModel, context_tokens: int, *, calls_at_once: int = 4
    ) -> None:
        self._model = model
        self._context_tokens = context_tokens
        self._calls_at_once = calls_at_once

    @property
    def name(self) -> str:
        """The provider's name."""
        return self._model.name

    @property
    def model(self) -> str | None:
        """The model's id."""
        return self._model.model

    async def analyse(
        self, transcript: Transcript, options: InsightsOptions = AS_USUAL
    ) -> Insights:
        """Insights of the whole transcript.

        Parts that fail lower the coverage and mark the result degraded. Raises InsightsError if
        all fail.
        """
        started = time.monotonic()
        work = _Work(self._model, transcript.language, options, Usage())
        found = await self._analyse(lines_of(transcript), work)
        meta = replace(
            found.details.meta,
            template=work.template.name,
            tokens=work.usage.tokens,
            seconds=time.monotonic() - started,
        )
        sections = found.details.sections or empty_sections(work.template)
        return replace_details(found, replace(found.details, meta=meta, sections=sections))

    async def _analyse(self, lines: Sequence[Line], work: "_Work") -> Insights:
        if not lines:
            return no_speech(self.name, self.model)
        reader = _Reader(work, self._calls_at_once)
        readings = await reader.read_all(split(lines, self._context_tokens))
        found = [reading for reading in readings if reading.insights is not None]
        if not found:
            raise next(reading.failure for reading in readings if reading.failure is not None)
        meta = _meta(readings, self._model)
        insights = [reading.insights for reading in found if reading.insights is not None]
        if len(insights) == 1:
            return replace_meta(insights[0], meta)
        merged = _joined(insights, [reading.chars for reading in found], meta)
        return await _summed_up(work, merged, insights, self._context_tokens)

    async def aclose(self) -> None:
        """Closes the model."""
        await self._model.aclose()


@dataclass(frozen=True, slots=True)
class _Work:
    """One analysis: the model, what is asked of it, and the tokens it has used so far."""

    model: LanguageModel
    language: str
    options: InsightsOptions
    usage: Usage

    @property
    def template(self) -> Template:
        return self.options.template or GENERAL

    async def read(self, lines: Sequence[Line]) -> Insights:
        prompt = reading_prompt(lines, self.language, self.options)
        answer = await self.model.answer(prompt, shape_for(self.template), self.usage)
        meta = InsightsMeta(self.model.name, self.model.model, coverage=1.0)
        return to_insights(answer, lines, meta, self.template)

    async def merge(self, summaries: Sequence[Line]) -> WireSummary:
        prompt = merging_prompt(summaries, self.language, self.options)
        return await self.model.answer(prompt, WireSummary, self.usage)


@dataclass(frozen=True, slots=True)
class _Reading:
    """The result of reading some lines: insights, or why there are none."""

    chars: int
    insights: Insights | None
    failure: InsightsError | None = None


class _Reader:
    """Reads the parts of one transcript, several at once, until no further call can succeed."""

    def __init__(self, work: _Work, calls_at_once: int) -> None:
        self._work = work
        self._free = asyncio.Semaphore(calls_at_once)
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
            return [_Reading(chars, await self._work.read(part))]
        except TooLong as error:
            tokens = sum(most_tokens(line.text) for line in part)
            if halvings == 0 or tokens < _SMALLEST_PART_TOKENS:
                return [_Reading(chars, None, error)]
            _log.info("insights_part_halved", reason=str(error), chars=chars)
            first, second = halve(part)
            return [*await self._read(first, halvings - 1), *await self._read(second, halvings - 1)]
        except InsightsError as error:
            if isinstance(error, ProviderUnavailable):
                self._unavailable = error
            return [_Reading(chars, None, error)]


def replace_meta(insights: Insights, meta: InsightsMeta) -> Insights:
    """The same insights with another `meta`."""
    return replace_details(insights, replace(insights.details, meta=meta))


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
        sections=_joined_sections([each.sections for each in every]),
    )
    summary = joined_texts(part.summary for part in parts)
    return Insights(summary, topics, _weighed([part.sentiment for part in parts], weights), details)


def _joined_sections(parts: Sequence[Sequence[Section]]) -> tuple[Section, ...]:
    """The sections of the parts, which are of one template: each with the statements of all."""
    return tuple(
        replace(same[0], items=tuple(chain.from_iterable(each.items for each in same)))
        for same in zip(*parts, strict=True)
    )


def _weighed(moods: Sequence[Sentiment], weights: Sequence[int]) -> Sentiment:
    """The label with the most confidence over the most text; its share is the score."""
    votes: dict[str, float] = {}
    for mood, weight in zip(moods, weights, strict=True):
        votes[mood.label] = votes.get(mood.label, 0.0) + mood.score * weight
    winner = max(moods, key=lambda mood: votes[mood.label])
    return Sentiment(winner.label, min(1.0, votes[winner.label] / max(1, sum(weights))))


async def _summed_up(
    work: _Work, merged: Insights, parts: Sequence[Insights], context_tokens: int
) -> Insights:
    """`merged` with one title, summary and topics; unchanged but degraded if that call fails."""
    summaries = [
        Line(number, f"{part.summary} Topics: {', '.join(part.topics)}")
        for number, part in enumerate(parts, start=1)
    ]
    try:
        answer = await _merge(work, summaries, context_tokens)
    except InsightsError as error:
        return degraded(merged, f"the parts' summaries could not be merged: {error}")
    details = replace(merged.details, title=answer.title or merged.details.title)
    topics = tidy_topics(answer.topics) or merged.topics
    return Insights(answer.summary, topics, merged.sentiment, details)


async def _merge(work: _Work, summaries: Sequence[Line], context_tokens: int) -> WireSummary:
    """One summary of many; in rounds if they do not all fit into one call."""
    groups = split(summaries, context_tokens)
    if len(groups) == 1:
        return await work.merge(summaries)
    if len(groups) >= len(summaries):
        raise InsightsError("no two of them fit into one call")
    merged = []
    for number, group in enumerate(groups, start=1):
        answer = await work.merge(group)
        text = f"{answer.summary} Topics: {', '.join(answer.topics)}"
        merged.append(Line(number, text))
    return await _merge(work, merged, context_tokens)
