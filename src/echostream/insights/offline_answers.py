"""Insights without a language model, for callers that ask for a template or another language."""

import time
from dataclasses import replace
from typing import Protocol

from echostream.domain import AS_USUAL, Insights, InsightsOptions, Transcript
from echostream.insights.base import empty_sections, replace_details
from echostream.insights.parts import degraded
from echostream.templates import GENERAL


class OfflineProvider(Protocol):
    """Insights made only of quotes from the transcript."""

    @property
    def name(self) -> str: ...

    @property
    def model(self) -> str | None: ...

    async def analyse(self, transcript: Transcript) -> Insights: ...

    async def aclose(self) -> None: ...


class OfflineAnswers:
    """An InsightsProvider around an offline one. It says in `meta` what that one cannot do: fill a
    template's sections, or write in another language than the recording's."""

    def __init__(self, provider: OfflineProvider) -> None:
        self._provider = provider

    @property
    def name(self) -> str:
        return self._provider.name

    @property
    def model(self) -> str | None:
        return self._provider.model

    async def analyse(
        self, transcript: Transcript, options: InsightsOptions = AS_USUAL
    ) -> Insights:
        """The offline insights; degraded if something that was asked for is missing."""
        started = time.monotonic()
        found = await self._provider.analyse(transcript)
        template = options.template or GENERAL
        meta = replace(
            found.details.meta, template=template.name, seconds=time.monotonic() - started
        )
        details = replace(found.details, meta=meta, sections=empty_sections(template))
        found = replace_details(found, details)
        for reason in _missing(transcript, options):
            found = degraded(found, reason)
        return found

    async def aclose(self) -> None:
        await self._provider.aclose()


def _missing(transcript: Transcript, options: InsightsOptions) -> list[str]:
    """What was asked for and takes a language model. Without speech nothing is missing."""
    reasons = []
    if transcript.text and options.template and options.template.sections:
        reasons.append(f"only a language model fills the template {options.template.name!r}")
    if transcript.text and options.language not in (None, transcript.language):
        reasons.append("only a language model writes in another language than was spoken")
    return reasons
