"""Work in the background, by name."""

import asyncio

import pytest

from echostream_ui.background import Background


async def test_one_piece_of_work_of_a_name_at_a_time() -> None:
    background = Background(asyncio.get_running_loop())
    begun, times = asyncio.Event(), []

    async def work() -> None:
        times.append(1)
        begun.set()
        await asyncio.Event().wait()

    background.start("copy", work)
    background.start("copy", work)
    await begun.wait()
    assert background.is_running("copy")
    assert not background.is_running("other")
    await background.aclose()
    assert times == [1]
    assert not background.is_running("copy")
    assert background.take_error("copy") is None


async def test_an_error_is_told_once() -> None:
    background = Background(asyncio.get_running_loop())
    failed = asyncio.Event()

    async def work() -> None:
        try:
            raise ValueError("no")
        finally:
            failed.set()

    background.start("copy", work)
    await failed.wait()
    for _turn in range(10):  # of the event loop, in which its end is passed on
        await asyncio.sleep(0)
    with pytest.raises(ValueError, match="no"):
        raise background.take_error("copy") or AssertionError
    assert background.take_error("copy") is None
