"""Connections to Redis: as many as are needed at a time, which are closed when they are not."""

import asyncio

import pytest

from echostream import redis_client
from jobs.place import until
from redis_server import RedisServer

AT_ONCE = 40


async def test_after_a_rush_connections_are_closed(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_client, "_IDLE_S", 0.5)
    client = redis_client.connect(redis.url, connect_s=20, answer_s=20)

    async def are_waiting() -> bool:
        return bool((await client.info("clients"))["blocked_clients"] == AT_ONCE)

    async def is_one() -> bool:
        return len(await client.client_list()) == 1

    async def opened() -> int:
        return int((await client.info("stats"))["total_connections_received"])

    async with client:
        rush = [asyncio.create_task(client.blpop("nothing", timeout=30)) for _ in range(AT_ONCE)]
        await until(are_waiting)
        before = await opened()
        await client.rpush("nothing", *range(AT_ONCE))
        await asyncio.gather(*rush)
        await asyncio.gather(*(client.ping() for _ in range(AT_ONCE)))
        assert await opened() == before, "those that are idle are not used again"
        await until(is_one)
