import asyncio
from pathlib import Path

import pytest

from echostream.errors import EngineError
from echostream.links import Link, answered, told_of_faults


@pytest.mark.parametrize(
    "fault", [OSError("no space left on device"), PermissionError("secret.wav"), KeyError("word")]
)
async def test_a_fault_of_the_work_is_told_and_not_taken_for_a_client_that_left(
    fault: Exception, tmp_path: Path
) -> None:
    async def fail(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with told_of_faults(Link(reader, writer), "failed", EngineError("it failed")):
            raise fault

    async with await asyncio.start_unix_server(fail, tmp_path / "socket"):
        link = Link(*await asyncio.open_unix_connection(tmp_path / "socket"))
        with pytest.raises(EngineError, match=r"^it failed$"):
            answered(await link.receive())
        link.close()
