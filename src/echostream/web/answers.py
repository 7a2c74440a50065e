"""Answers that take a while to write."""

import asyncio
from collections.abc import Callable

from fastapi import Response
from pydantic import BaseModel


async def json_answer(make: Callable[[], BaseModel]) -> Response:
    return Response(await json_text(make), media_type="application/json")


async def json_text(make: Callable[[], BaseModel]) -> str:
    """Makes the answer in a thread, because a long transcript takes a second."""
    return await asyncio.to_thread(lambda: make().model_dump_json(by_alias=True))
