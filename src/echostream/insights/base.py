"""What every insights provider keeps to, and the insights of a recording without speech."""

from typing import Protocol

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


class InsightsProvider(Protocol):
    """Generates insights from a transcript. Serves many concurrent calls of one event loop."""

    @property
    def name(self) -> str:
        """The provider's name in the settings and in `meta.provider`."""

    @property
    def model(self) -> str | None:
        """The id of its model; None if it has none or the id is not known yet."""

    async def analyse(
        self, transcript: Transcript, options: InsightsOptions = AS_USUAL
    ) -> Insights:
        """Raises InsightsError if there is no usable result. Without speech, nothing is sent."""

    async def aclose(self) -> None:
        """Closes connections. The provider is not used afterwards."""


def no_speech(provider: str, model: str | None) -> Insights:
    """The insights of a transcript without words: empty, neutral, with a confidence of zero."""
    meta = InsightsMeta(provider=provider, model=model, coverage=1.0)
    return Insights("", (), Sentiment("neutral", 0.0), Details("", (), (), (), (), (), meta))


def empty_sections(template: Template) -> tuple[Section, ...]:
    """The template's sections without any statement."""
    return tuple(Section(each.key, each.title, ()) for each in template.sections)


def replace_details(insights: Insights, details: Details) -> Insights:
    """The same insights with other `details`. `dataclasses.replace` cannot do it, because the flat
    action items are computed."""
    return Insights(insights.summary, insights.topics, insights.sentiment, details)
