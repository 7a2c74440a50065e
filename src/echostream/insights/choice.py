"""The providers of insights that callers may choose from, by name."""

from collections.abc import Mapping, Sequence

from echostream.errors import InvalidRequest
from echostream.insights.base import InsightsProvider

OFFLINE = "offline"
"""What callers call the provider that needs no language model."""
_OFFLINE_PROVIDER = "extractive"


class InsightsChoice:
    """A server's providers. Callers know them by the names of their models, or by the providers'
    own, which stay the same when somebody sets another model. Nothing else can be asked for."""

    def __init__(
        self, default: InsightsProvider | None, others: Sequence[InsightsProvider] = ()
    ) -> None:
        """`default` is None for a server that makes no insights."""
        self.default = default
        self._providers = (default, *others) if default else ()

    @property
    def offered(self) -> Mapping[str, InsightsProvider]:
        """The providers by name, the default first. A model whose id is not known yet, or that two
        providers have, goes by its provider's name."""
        found: dict[str, InsightsProvider] = {}
        for provider in self._providers:
            name = OFFLINE if provider.name == _OFFLINE_PROVIDER else provider.model
            found[name if name and name not in found else provider.name] = provider
        return found

    def named(self, name: str | None) -> InsightsProvider | None:
        """The provider that a request means: the default, unless it names another. Raises
        InvalidRequest for a name that is not offered."""
        if name is None:
            return self.default
        offered = self.offered
        if name in offered:
            return offered[name]
        for provider in offered.values():
            if name == provider.name:
                return provider
        known = ", ".join(offered) or "no model at all"
        raise InvalidRequest(
            f"insightsModel: {name!r} may not be asked for here, but {known}", param="insightsModel"
        )

    async def aclose(self) -> None:
        """Closes all providers."""
        for provider in self._providers:
            await provider.aclose()
