"""A connection to Redis that can lose an answer."""

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self


class LossyProxy:
    """Passes everything on to a local port, until a command that holds `lose` comes: that one is
    done, its answer and its connection are lost. Once; `lost` is set then."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._server: asyncio.Server | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._writers: list[asyncio.StreamWriter] = []
        self.lose: bytes | None = None
        self.lost = asyncio.Event()
        self.port = 0

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.gather(
            *(each.wait_closed() for each in self._writers), return_exceptions=True
        )

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        self._tasks.append(asyncio.create_task(self._pass_on(reader, writer)))

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to)
        self._writers.append(far_writer)
        answers = asyncio.create_task(_copy(far_reader, writer))
        try:
            while data := await reader.read(65536):
                losing = not self.lost.is_set() and self.lose is not None and self.lose in data
                if losing:
                    answers.cancel()
                    await asyncio.gather(answers, return_exceptions=True)
                far_writer.write(data)
                await far_writer.drain()
                if losing:
                    await far_reader.read(65536)
                    self.lost.set()
                    return
        except ConnectionError:
            pass
        finally:
            answers.cancel()
            writer.close()
            far_writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
