"""Answers that take a while to write."""

import asyncio
from collections.abc import Callable

from fastapi import Response
from pydantic import BaseModel


async def json_answer(make: Callable[[], BaseModel]) -> Response:
    """Makes the answer in a thread, because a long transcript takes a second."""
    text = await asyncio.to_thread(lambda: make().model_dump_json(by_alias=True))
    return Response(text, media_type="application/json")
