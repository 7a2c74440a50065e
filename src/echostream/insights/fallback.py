"""A second provider for when the first one fails."""

import structlog

from echostream.domain import AS_USUAL, Insights, InsightsOptions, Transcript
from echostream.insights.base import InsightsProvider
from echostream.insights.offline_answers import OfflineAnswers, OfflineProvider
from echostream.insights.parts import degraded
from echostream.llm.base import InsightsError

_log = structlog.get_logger()


class FallbackInsights:
    """The insights of `primary`, or of `backup` (marked degraded) if `primary` fails.

    A provider's failure never reaches the caller, so no transcript is lost because of it.
    """

    def __init__(self, primary: InsightsProvider, backup: OfflineProvider) -> None:
        self._primary = primary
        self._backup = OfflineAnswers(backup)

    @property
    def name(self) -> str:
        """The first choice's name; `meta.provider` says which one was used."""
        return self._primary.name

    @property
    def model(self) -> str | None:
        """The first choice's model."""
        return self._primary.model

    async def analyse(
        self, transcript: Transcript, options: InsightsOptions = AS_USUAL
    ) -> Insights:
        """Insights from either provider; `meta.degraded_reason` says why the backup was used."""
        try:
            return await self._primary.analyse(transcript, options)
        except InsightsError as error:
            reason = f"{self.name}: {error}"
            _log.warning("insights_degraded", provider=self.name, reason=str(error))
        except Exception as error:
            # A bug of ours must not cost the transcript either. Only the type is logged, because
            # the message of an unknown error may quote what was sent.
            reason = f"{self.name}: failed unexpectedly"
            _log.error("insights_failed", provider=self.name, error=type(error).__name__)
        return degraded(await self._backup.analyse(transcript, options), reason)

    async def aclose(self) -> None:
        """Closes both."""
        await self._primary.aclose()
        await self._backup.aclose()
