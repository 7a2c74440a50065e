"""Caches in memory and in a real Redis, keys, and what is kept under them."""

import asyncio
import time
import zlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import fields, replace

import numpy as np
import pytest
import redis.asyncio
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from echostream.cache import (
    Cache,
    MemoryCache,
    NoCache,
    RedisCache,
    dump_insights,
    dump_transcript,
    insights_key,
    load_cache,
    load_insights,
    load_transcript,
    transcript_key,
)
from echostream.domain import (
    AS_USUAL,
    ActionItem,
    Caution,
    Details,
    Insights,
    InsightsMeta,
    InsightsOptions,
    Point,
    Segment,
    Sentiment,
    SentimentAt,
    Speaker,
    Template,
    TranscribeOptions,
    Transcript,
    Word,
)
from echostream.settings import Settings
from echostream.templates import BUILT_IN
from redis_server import RedisServer


class Clock:
    """A clock that only moves when told to."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer() as running:
        yield running


@pytest.fixture
def fresh(server: RedisServer) -> Iterator[RedisServer]:
    """The server, empty; brought back to life after the test."""
    server.flush()
    yield server
    server.start()
    server.resume()


@pytest.fixture
async def redis_cache(fresh: RedisServer, clock: Clock) -> AsyncIterator[RedisCache]:
    cache = RedisCache(fresh.url, ttl_s=60, clock=clock)
    yield cache
    await cache.aclose()


@pytest.fixture(params=["memory", "redis"])
def cache(request: pytest.FixtureRequest, clock: Clock) -> Cache:
    if request.param == "memory":
        return MemoryCache(ttl_s=60, clock=clock)
    return request.getfixturevalue("redis_cache")


class TestEveryCache:
    async def test_gives_back_what_was_put(self, cache: Cache) -> None:
        await cache.put("a", b"one\x00\xff")
        await cache.put("b", b"")
        assert await cache.get("a") == b"one\x00\xff"
        assert await cache.get("b") == b""
        assert await cache.get("c") is None

    async def test_the_last_value_counts(self, cache: Cache) -> None:
        await cache.put("a", b"one")
        await cache.put("a", b"two")
        assert await cache.get("a") == b"two"

    async def test_keeps_megabytes(self, cache: Cache) -> None:
        value = bytes(range(256)) * 20_000
        await cache.put("large", value)
        assert await cache.get("large") == value


async def test_no_cache_keeps_nothing() -> None:
    cache = NoCache()
    await cache.put("a", b"one")
    assert await cache.get("a") is None
    await cache.aclose()


async def test_the_settings_choose_the_cache() -> None:
    assert isinstance(load_cache(Settings(cache_ttl_s=0, use_queue=True)), NoCache)
    assert isinstance(load_cache(Settings()), MemoryCache)
    assert isinstance(load_cache(Settings(use_queue=True)), RedisCache)


class TestMemoryCache:
    async def test_forgets_after_the_time_to_live(self, clock: Clock) -> None:
        cache = MemoryCache(ttl_s=60, clock=clock)
        await cache.put("a", b"one")
        clock.now_s += 59.9
        assert await cache.get("a") == b"one"
        clock.now_s += 0.1
        assert await cache.get("a") is None
        assert cache.size_bytes == 0

    async def test_putting_again_starts_the_time_anew(self, clock: Clock) -> None:
        cache = MemoryCache(ttl_s=60, clock=clock)
        await cache.put("a", b"one")
        clock.now_s += 50
        await cache.put("a", b"two")
        clock.now_s += 50
        assert await cache.get("a") == b"two"

    async def test_over_its_bound_the_least_recently_read_goes(self) -> None:
        cache = MemoryCache(ttl_s=60, max_bytes=33)
        for key in "abc":
            await cache.put(key, bytes(10))
        await cache.get("a")
        await cache.put("d", bytes(10))
        assert [key for key in "abcd" if await cache.get(key) is not None] == ["a", "c", "d"]
        assert cache.size_bytes == 33

    async def test_what_is_larger_than_the_cache_displaces_nothing_else(self) -> None:
        cache = MemoryCache(ttl_s=60, max_bytes=20)
        await cache.put("a", bytes(5))
        await cache.put("b", bytes(5))
        await cache.put("b", bytes(100))
        assert await cache.get("a") == bytes(5)
        assert await cache.get("b") is None

    @given(st.lists(st.tuples(st.sampled_from("abcdef"), st.binary(max_size=40))))
    async def test_its_size_is_the_sum_of_its_entries(self, puts: list[tuple[str, bytes]]) -> None:
        cache = MemoryCache(ttl_s=60, max_bytes=100)
        for key, value in puts:
            await cache.put(key, value)
        kept = {key: value for key in "abcdef" if (value := await cache.get(key)) is not None}
        assert kept.items() <= dict(puts).items()
        assert cache.size_bytes == sum(1 + len(value) for value in kept.values()) <= 100


class TestRedisCache:
    async def test_redis_forgets_after_the_time_to_live(
        self, fresh: RedisServer, redis_cache: RedisCache
    ) -> None:
        await redis_cache.put("a", b"one")
        async with redis.asyncio.Redis.from_url(fresh.url) as client:
            (name,) = await client.keys()
            assert name == b"echostream:cache:a"
            assert 50_000 < await client.pttl(name) <= 60_000

    async def test_processes_share_it(self, fresh: RedisServer, redis_cache: RedisCache) -> None:
        await redis_cache.put("a", b"one")
        other = RedisCache(fresh.url, ttl_s=60)
        assert await other.get("a") == b"one"
        await other.aclose()

    async def test_without_a_server_everything_is_a_miss_and_one_line_a_minute(
        self, fresh: RedisServer, redis_cache: RedisCache, clock: Clock
    ) -> None:
        fresh.stop()
        with capture_logs() as logs:
            for _ in range(10):
                await redis_cache.put("a", b"one")
                assert await redis_cache.get("a") is None
                clock.now_s += 5.9
        assert [(line["log_level"], line["event"]) for line in logs] == [
            ("warning", "cache in Redis failed, continuing without it")
        ]
        clock.now_s += 5
        with capture_logs() as logs:
            assert await redis_cache.get("a") is None
        assert len(logs) == 1

    async def test_it_is_back_when_the_server_is(
        self, fresh: RedisServer, redis_cache: RedisCache, clock: Clock
    ) -> None:
        await redis_cache.put("a", b"one")
        fresh.stop()
        assert await redis_cache.get("a") is None
        fresh.start()
        assert await redis_cache.get("a") is None  # still backing off
        clock.now_s += 5
        assert await redis_cache.get("a") == b"one"
        assert await redis_cache.get("a") == b"one"

    async def test_a_hung_server_costs_one_request_two_seconds_and_the_next_nothing(
        self, fresh: RedisServer, redis_cache: RedisCache, clock: Clock
    ) -> None:
        await redis_cache.put("a", b"one")
        fresh.pause()
        assert await self._seconds_of_a_miss(redis_cache) < 2.5
        assert await self._seconds_of_a_miss(redis_cache) < 0.1
        clock.now_s += 5
        trying = asyncio.create_task(self._seconds_of_a_miss(redis_cache))
        await asyncio.sleep(0)
        assert await self._seconds_of_a_miss(redis_cache) < 0.1, "only one tries again"
        assert await trying < 2.5
        fresh.resume()
        clock.now_s += 5
        assert await redis_cache.get("a") == b"one"

    async def test_a_server_that_hangs_from_the_start(self, fresh: RedisServer) -> None:
        fresh.pause()
        cache = RedisCache(fresh.url, ttl_s=60)
        assert await self._seconds_of_a_miss(cache) < 2.5
        await cache.aclose()

    async def test_a_cancelled_request_mixes_up_no_answers(
        self, fresh: RedisServer, redis_cache: RedisCache
    ) -> None:
        await redis_cache.put("a", b"one")
        await redis_cache.put("b", b"two")
        fresh.pause()
        asked = asyncio.create_task(redis_cache.get("a"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asked, 0.2)
        fresh.resume()
        assert await redis_cache.get("b") == b"two"
        assert await redis_cache.get("a") == b"one"

    async def test_a_refused_command_is_a_miss_but_no_outage(
        self, fresh: RedisServer, redis_cache: RedisCache
    ) -> None:
        await redis_cache.put("b", b"two")
        async with redis.asyncio.Redis.from_url(fresh.url) as client:
            await client.lpush("echostream:cache:a", "not a string")
        assert await redis_cache.get("a") is None
        assert await redis_cache.get("b") == b"two"

    async def _seconds_of_a_miss(self, cache: Cache) -> float:
        started = time.perf_counter()
        assert await cache.get("a") is None
        return time.perf_counter() - started


SAMPLES = np.arange(1000, dtype=np.int16)


class TestTranscriptKey:
    def test_equal_inputs_have_one_key(self) -> None:
        options = TranscribeOptions(language="en", prompt="names")
        key = transcript_key([SAMPLES], "whisper", "base", options)
        assert key == transcript_key([SAMPLES.copy()], "whisper", "base", replace(options))
        assert key.startswith("transcript:")

    def test_a_model_is_the_same_whether_a_request_names_it_or_not(self) -> None:
        options = TranscribeOptions()
        named = replace(options, model="base")
        key = transcript_key([SAMPLES], "whisper", "base", options)
        assert key == transcript_key([SAMPLES], "whisper", "base", named)

    def test_every_input_counts(self) -> None:
        options = TranscribeOptions()
        changed = SAMPLES.copy()
        changed[-1] += 1
        keys = {
            transcript_key([SAMPLES], "whisper", "base", options),
            transcript_key([changed], "whisper", "base", options),
            transcript_key([SAMPLES[:-1]], "whisper", "base", options),
            transcript_key([SAMPLES], "pocketsphinx", "base", options),
            transcript_key([SAMPLES], "whisper", "small", options),
            transcript_key([SAMPLES, SAMPLES], "whisper", "base", options),
        }
        others = {
            "language": "de",
            "expected_language": "de",
            "task": "translate",
            "prompt": "names",
            "hotwords": ("names",),
            "temperature": 0.2,
            "draft": True,
        }
        names = {field.name for field in fields(TranscribeOptions)}
        assert set(others) == names - {"model"}, "the model is given beside the options"
        for name, value in others.items():
            keys.add(
                transcript_key([SAMPLES], "whisper", "base", replace(options, **{name: value}))
            )
        assert len(keys) == 13

    def test_a_view_counts_as_what_it_shows(self) -> None:
        options = TranscribeOptions()
        assert transcript_key([SAMPLES[::2]], "e", "m", options) == transcript_key(
            [SAMPLES[::2].copy()], "e", "m", options
        )

    def test_samples_cannot_pass_for_options(self) -> None:
        empty = np.zeros(0, np.int16)
        keys = {
            transcript_key([empty], engine, "", TranscribeOptions()) for engine in ("", '"', "]")
        }
        assert len(keys) == 3


# What an engine or a provider may come up with, lone surrogates and infinities included.
TEXT = st.text(st.characters(exclude_categories=()))
NUMBER = st.floats(allow_nan=False)
LABELS = st.sampled_from(["positive", "neutral", "negative"])
IDS = st.lists(st.integers(0, 10_000), max_size=3).map(tuple)


def several(values: st.SearchStrategy) -> st.SearchStrategy:
    return st.lists(values, max_size=3).map(tuple)


WORDS = st.builds(Word, NUMBER, NUMBER, TEXT, NUMBER, st.booleans())
OPTIONAL = st.none() | TEXT
SEGMENTS = st.builds(
    Segment,
    *(st.integers(0), NUMBER, NUMBER, TEXT, several(WORDS), st.booleans()),
    *(OPTIONAL, st.none() | st.integers(0), OPTIONAL, IDS, *[NUMBER] * 4),
)
CAUTIONS = st.builds(Caution, TEXT, TEXT, st.none() | NUMBER, st.none() | NUMBER)
SPEAKERS = st.builds(Speaker, TEXT, NUMBER, OPTIONAL, st.none() | st.integers(0))
TRANSCRIPTS = st.builds(
    Transcript,
    *(several(SEGMENTS), TEXT, NUMBER, TEXT, TEXT),
    *(several(TEXT), several(CAUTIONS), several(SPEAKERS)),
)
POINTS = several(st.builds(Point, TEXT, IDS))
ACTIONS = several(st.builds(ActionItem, TEXT, st.none() | TEXT, st.none() | TEXT, IDS))
META = st.builds(InsightsMeta, TEXT, st.none() | TEXT, NUMBER, st.booleans(), st.none() | TEXT)
MOODS = several(st.builds(SentimentAt, st.integers(0), LABELS, NUMBER))
DETAILS = st.builds(Details, TEXT, POINTS, POINTS, POINTS, ACTIONS, MOODS, META)
INSIGHTS = st.builds(Insights, TEXT, several(TEXT), st.builds(Sentiment, LABELS, NUMBER), DETAILS)


class TestDumps:
    @given(TRANSCRIPTS)
    @settings(deadline=None)
    def test_transcripts_come_back_equal(self, transcript: Transcript) -> None:
        loaded = load_transcript(dump_transcript(transcript))
        assert loaded == transcript
        assert repr(loaded) == repr(transcript)  # 1 == 1.0, but is not the same

    @given(INSIGHTS)
    @settings(deadline=None)
    def test_insights_come_back_equal(self, insights: Insights) -> None:
        loaded = load_insights(dump_insights(insights))
        assert loaded == insights
        assert repr(loaded) == repr(insights)

    @pytest.mark.parametrize(
        "junk",
        [b"", b"{}", zlib.compress(b"{}"), zlib.compress(b"\xff"), zlib.compress(b"[" * 100_000)],
    )
    def test_what_cannot_be_read_is_a_miss(self, junk: bytes) -> None:
        assert load_transcript(junk) is None
        assert load_insights(junk) is None

    def test_a_miss_stays_one(self) -> None:
        assert load_transcript(None) is None
        assert load_insights(None) is None

    def test_one_is_not_taken_for_the_other(self) -> None:
        transcript = Transcript((), "en", 1.0, "fake", "fake-1")
        assert load_insights(dump_transcript(transcript)) is None
        assert load_transcript(dump_transcript(transcript)[:-5]) is None


def test_insights_depend_on_the_transcript_and_on_who_draws_them() -> None:
    transcript = Transcript((Segment(0, 0.0, 1.0, "hello"),), "en", 1.0, "fake", "fake-1")
    other = replace(transcript, segments=(Segment(0, 0.0, 1.0, "hullo"),))
    key = insights_key(transcript, "gemini", "flash", AS_USUAL)
    assert key == insights_key(replace(transcript), "gemini", "flash", InsightsOptions())
    assert key.startswith("insights:")
    keys = {
        key,
        insights_key(other, "gemini", "flash", AS_USUAL),
        insights_key(transcript, "openai", "flash", AS_USUAL),
        insights_key(transcript, "gemini", "pro", AS_USUAL),
        insights_key(transcript, "gemini", None, AS_USUAL),
        insights_key(transcript, "gemini", "flash", InsightsOptions(language="de")),
        insights_key(transcript, "gemini", "flash", InsightsOptions(BUILT_IN["meeting"])),
        insights_key(transcript, "gemini", "flash", InsightsOptions(Template("meeting", "Mine"))),
    }
    assert len(keys) == 8
