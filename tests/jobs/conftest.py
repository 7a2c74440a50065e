"""Fixtures of the tests of workers: a Redis, a place for jobs, and its jobs."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from jobs.api_support import Service
from jobs.place import Jobs, Place
from redis_server import RedisServer


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
def service(redis: RedisServer, tmp_path: Path) -> Service:
    """An API and workers of the test's own, with a queue that nobody has used."""
    redis.flush()
    return Service(redis, tmp_path / "data")


@pytest.fixture
def place(redis: RedisServer, tmp_path: Path) -> Iterator[Place]:
    """A queue of the test's own, without workers yet."""
    with Place(redis.url, tmp_path) as found:
        yield found


@pytest.fixture
async def jobs(place: Place) -> AsyncIterator[Jobs]:
    found = Jobs(place)
    yield found
    await found.aclose()


@pytest.fixture
def mortal() -> Iterator[RedisServer]:
    """A Redis that the test may stop."""
    with RedisServer() as server:
        yield server


@pytest.fixture
async def fragile(mortal: RedisServer, tmp_path: Path) -> AsyncIterator[Jobs]:
    """Jobs on that Redis."""
    with Place(mortal.url, tmp_path) as place:
        found = Jobs(place)
        yield found
        await found.aclose()
