"""Children that are kept alive."""

import asyncio
import sys

from echostream.children import Child, Running


class _Odd(Child):
    """Cannot be started the first time, for a reason that nobody has thought of."""

    def __init__(self) -> None:
        super().__init__()
        self.starts = 0
        self.runs = asyncio.Event()

    async def _start_process(self) -> Running:
        self.starts += 1
        if self.starts == 1:
            raise TypeError("unexpected argument")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", "input()"), stdin=asyncio.subprocess.PIPE
        )
        self.runs.set()
        return process


async def test_a_fault_of_ours_at_the_start_is_tried_again() -> None:
    child = _Odd()
    child.start()
    async with asyncio.timeout(30):
        await child.runs.wait()
    await child.aclose()
    assert child.starts == 2
