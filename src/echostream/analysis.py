"""Insights into transcripts, from the cache or from a provider."""

import asyncio
from dataclasses import replace

from echostream import traces
from echostream.cache import Cache, dump_insights, insights_key, load_insights
from echostream.domain import AS_USUAL, Insights, InsightsOptions, Transcript
from echostream.insights import InsightsProvider, with_due_dates
from echostream.templates import BUILT_IN


class InsightsFinder:
    """Asks providers for insights, unless the cache knows."""

    def __init__(self, cache: Cache, *, template: str) -> None:
        """`template` is the name of the template for requests that name none."""
        self._cache = cache
        self._template = template

    async def find(
        self,
        provider: InsightsProvider,
        transcript: Transcript,
        options: InsightsOptions = AS_USUAL,
    ) -> Insights:
        """Returns insights; degraded ones if the provider fails."""
        # Dates are not kept in the cache: a correction of the day costs no call to a model. Nor is
        # how the provider was asked for.
        undated = replace(options, recorded_on=None, model=None)
        with traces.span("insights", provider=provider.name) as step:
            found = await self._undated(provider, transcript, undated)
            step.set_attribute("degraded", found.details.meta.degraded)
        return with_due_dates(found, options.recorded_on)

    async def _undated(
        self, provider: InsightsProvider, transcript: Transcript, options: InsightsOptions
    ) -> Insights:
        if options.template is None:
            options = replace(options, template=BUILT_IN[self._template])
        key = await asyncio.to_thread(
            insights_key, transcript, provider.name, provider.model, options
        )
        if known := load_insights(await self._cache.get(key)):
            return known
        found = await provider.analyse(transcript, options)
        if not found.details.meta.degraded:
            await self._cache.put(key, await asyncio.to_thread(dump_insights, found))
        return found
