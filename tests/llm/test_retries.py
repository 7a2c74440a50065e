"""Calls that fail for a moment are repeated, and not for ever."""

import pytest

from echostream.llm.base import RetryPolicy, Transient, with_retries


async def test_retries_wait_longer_each_time_and_end() -> None:
    calls = 0

    async def failing() -> None:
        nonlocal calls
        calls += 1
        raise Transient("not now")

    with pytest.raises(Transient):
        await with_retries(failing, RetryPolicy(attempts=4, first_wait_s=0.001))
    assert calls == 4
