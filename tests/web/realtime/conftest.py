"""Fixtures for clients of `/v1/realtime`."""

from collections.abc import AsyncIterator, Iterator

import pytest

from conftest import running
from fakes import fake_pipeline
from web.realtime.support import (
    Client,
    Counter,
    connected,
)
from web.support import settings_of


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """That of an open server around fakes."""
    settings = settings_of(max_live_sessions=4)
    with running(settings, fake_pipeline(Counter())) as found:
        yield found


@pytest.fixture
async def client(url: str) -> AsyncIterator[Client]:
    async with connected(url) as found:
        yield found
