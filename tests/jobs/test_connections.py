"""Connections to Redis: as many as are needed at a time, of which few are kept."""

import asyncio

from echostream import redis_client
from jobs.place import until
from redis_server import RedisServer

AT_ONCE = 40
MOST_IDLE = 4


async def test_after_a_rush_few_connections_are_kept(redis: RedisServer) -> None:
    client = redis_client.connect(redis.url, connect_s=20, answer_s=20)

    async def are_waiting() -> bool:
        return bool((await client.info("clients"))["blocked_clients"] == AT_ONCE)

    async def are_few() -> bool:
        return len(await client.client_list()) <= MOST_IDLE

    async def opened() -> int:
        return int((await client.info("stats"))["total_connections_received"])

    async with client:
        rush = [asyncio.create_task(client.blpop("nothing", timeout=30)) for _ in range(AT_ONCE)]
        await until(are_waiting)
        await client.rpush("nothing", *range(AT_ONCE))
        await asyncio.gather(*rush)
        await until(are_few)
        before = await opened()
        for _ in range(20):
            await asyncio.gather(*(client.ping() for _ in range(MOST_IDLE)))
        assert await opened() == before, "those that are kept are not used again"
