"""Receivers of webhooks answer whatever they like: it counts as delivered, or as failed."""

import asyncio
import base64
from contextlib import suppress
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from echostream.errors import UrlNotAllowed
from echostream.webhooks import WebhookFailed, WebhookSender
from fuzz.support import mangled, share
from sites import Site, answer, moved

SECRET = SecretStr("whsec_" + base64.b64encode(bytes(32)).decode())
ANSWERS = [
    answer(b"thanks"),
    answer(b"later", "Retry-After: 5", status="429 Too Many Requests"),
    moved("http://127.0.0.1/elsewhere"),
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
]


@share(3)
@given(st.sampled_from(ANSWERS).flatmap(mangled) | st.binary(max_size=80))
def test_answers(said: bytes) -> None:
    asyncio.run(deliver(said))


async def deliver(said: bytes) -> None:
    async with Site() as site:
        site.pages["/hook"] = said
        sender = WebhookSender(SECRET, allow_private=True, timeout_s=5)
        event = {"message_id": "1", "event": "job.completed", "data": {}}
        sending = sender.send(site.url("/hook"), occurred_at=datetime.now(UTC), **event)
        with suppress(WebhookFailed, UrlNotAllowed):
            assert 200 <= await sending < 300
