"""Insights into transcripts, from the cache or from the provider."""

import asyncio
from dataclasses import replace

from echostream import traces
from echostream.cache import Cache, dump_insights, insights_key, load_insights
from echostream.domain import AS_USUAL, Insights, InsightsOptions, Transcript
from echostream.insights import InsightsProvider, with_due_dates
from echostream.templates import BUILT_IN


class InsightsFinder:
    """Asks the provider for insights, unless the cache knows."""

    def __init__(self, provider: InsightsProvider, cache: Cache, *, template: str) -> None:
        """`template` is the name of the template for requests that name none."""
        self._provider = provider
        self._cache = cache
        self._template = template

    @property
    def name(self) -> str:
        """The provider's name."""
        return self._provider.name

    @property
    def model(self) -> str | None:
        """The id of the provider's model, if it has one and the id is known."""
        return self._provider.model

    async def find(self, transcript: Transcript, options: InsightsOptions = AS_USUAL) -> Insights:
        """Returns insights; degraded ones if the provider fails."""
        with traces.span("insights", provider=self.name) as step:
            # Dates are not kept in the cache: a correction of the day costs no call to a model.
            found = await self._undated(transcript, replace(options, recorded_on=None))
            step.set_attribute("degraded", found.details.meta.degraded)
        return with_due_dates(found, options.recorded_on)

    async def aclose(self) -> None:
        """Closes the provider's connections."""
        await self._provider.aclose()

    async def _undated(self, transcript: Transcript, options: InsightsOptions) -> Insights:
        if options.template is None:
            options = replace(options, template=BUILT_IN[self._template])
        key = await asyncio.to_thread(
            insights_key, transcript, self.name, self._provider.model, options
        )
        if known := load_insights(await self._cache.get(key)):
            return known
        found = await self._provider.analyse(transcript, options)
        if not found.details.meta.degraded:
            await self._cache.put(key, await asyncio.to_thread(dump_insights, found))
        return found
