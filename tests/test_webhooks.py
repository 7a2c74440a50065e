"""Webhooks over real sockets, verified as a receiver would: with the specification's library."""

import asyncio
import base64
import gc
import json
import logging
import socket
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from standardwebhooks import Webhook, WebhookVerificationError

from echostream.checks import check_webhook_secret
from echostream.errors import EchoStreamError, UrlNotAllowed
from echostream.net import Network
from echostream.webhooks import WebhookFailed, WebhookSender, check_callback_url
from sites import PUBLIC, Answer, Names, Site, Wire, answer, moved, self_signed

KEY = bytes(range(100, 132))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
OTHER_SECRET = "whsec_" + base64.b64encode(bytes(32)).decode()

MESSAGE_ID = "msg_3f1c"
ENDED_AT = datetime(2026, 3, 1, 12, 30, 15, 250_000, tzinfo=UTC)
DATA = {"jobId": "job_1", "state": "completed", "title": "Grüße — 会議 🎧"}


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """A receiver of webhooks."""
    async with Site() as site:
        site.pages["/hook"] = answer(b"", status="204 No Content")
        yield site


def sender(secret: str | None = SECRET, **options: Any) -> WebhookSender:
    """One that reaches loopback, if `options` do not say otherwise."""
    options = {"allow_private": True, **options}
    return WebhookSender(SecretStr(secret) if secret else None, **options)


async def send(sender: WebhookSender, url: str, **message: Any) -> int:
    event = {"message_id": MESSAGE_ID, "event": "job.completed", "data": DATA}
    return await sender.send(url, **{**event, "occurred_at": ENDED_AT, **message})


async def failed(site: Site, **options: Any) -> WebhookFailed:
    """What a delivery to `/hook` fails with."""
    with pytest.raises(WebhookFailed) as caught:
        await send(sender(**options), site.url("/hook"))
    return caught.value


def head_of(request: str) -> dict[str, str]:
    lines = request.split("\r\n")[1:]
    return {
        key.lower(): value for key, _, value in (line.partition(": ") for line in lines if line)
    }


# --- what arrives ---------------------------------------------------------------------------------


async def test_a_receiver_can_verify_what_arrives(site: Site) -> None:
    site.pages["/hook?for=me"] = answer(b"thanks")
    before = datetime.now(UTC)

    assert await send(sender(), site.url("/hook?for=me")) == 200

    (request,), (body,) = site.requests, site.bodies
    head = head_of(request)
    assert request.startswith("POST /hook?for=me HTTP/1.1\r\n")
    assert head["content-type"] == "application/json"
    assert head["host"] == f"127.0.0.1:{site.port}"
    assert head["webhook-id"] == MESSAGE_ID
    assert int(before.timestamp()) <= int(head["webhook-timestamp"]) <= datetime.now().timestamp()
    assert Webhook(SECRET).verify(body, head) == {
        "type": "job.completed",
        "timestamp": "2026-03-01T12:30:15.250Z",
        "data": DATA,
    }


async def test_what_was_tampered_with_does_not_verify(site: Site) -> None:
    await send(sender(), site.url("/hook"))
    (body,), head = site.bodies, head_of(site.requests[0])
    receiver = Webhook(SECRET)
    receiver.verify(body, head)

    later = str(int(head["webhook-timestamp"]) + 1)
    tampered = [
        (body.replace(b"job_1", b"job_2"), head),
        (body + b" ", head),
        (json.dumps(json.loads(body)).encode(), head),
        (body, {**head, "webhook-id": "msg_other"}),
        (body, {**head, "webhook-timestamp": later}),
    ]
    for other_body, other_head in tampered:
        with pytest.raises(WebhookVerificationError):
            receiver.verify(other_body, other_head)
    with pytest.raises(WebhookVerificationError):
        Webhook(OTHER_SECRET).verify(body, head)


async def test_attempts_at_one_message_differ_in_their_time_alone(site: Site) -> None:
    site.pages["/hook"] = answer(b"", status="503 Busy")
    for _ in range(2):
        await failed(site)

    first, second = (head_of(request) for request in site.requests)
    assert site.bodies[0] == site.bodies[1]
    assert first["webhook-id"] == second["webhook-id"]
    for head in (first, second):
        Webhook(SECRET).verify(site.bodies[0], head)


async def test_a_failed_job_in_another_zone(site: Site) -> None:
    there = ENDED_AT.astimezone(timezone(timedelta(hours=-9)))
    data = {"error": "invalid_audio"}

    await send(sender(), site.url("/hook"), event="job.failed", data=data, occurred_at=there)

    assert json.loads(site.bodies[0]) == {
        "type": "job.failed",
        "timestamp": "2026-03-01T12:30:15.250Z",
        "data": data,
    }


async def test_an_event_is_of_now_if_nothing_else_is_said(site: Site) -> None:
    before = datetime.now(UTC)
    await send(sender(), site.url("/hook"), occurred_at=None)

    at = datetime.fromisoformat(json.loads(site.bodies[0])["timestamp"])
    assert before - timedelta(milliseconds=1) <= at <= datetime.now(UTC)


async def test_unpadded_secret_signs_alike(site: Site) -> None:
    await send(sender(SECRET.rstrip("=")), site.url("/hook"))

    Webhook(SECRET).verify(site.bodies[0], head_of(site.requests[0]))


@pytest.mark.parametrize("message_id", ["", "a.b", "a b", "a\r\nX: y", "ä", "a" * 257])
async def test_message_id_that_would_blur_the_signature(site: Site, message_id: str) -> None:
    with pytest.raises(WebhookFailed, match="id of the message") as caught:
        await send(sender(), site.url("/hook"), message_id=message_id)
    assert caught.value.fault == "input"
    assert site.connections == 0


async def test_many_at_once(site: Site) -> None:
    one = sender()
    ids = [f"msg_{number}" for number in range(20)]

    async with asyncio.TaskGroup() as group:
        for message_id in ids:
            group.create_task(send(one, site.url("/hook"), message_id=message_id))

    assert sorted(head_of(request)["webhook-id"] for request in site.requests) == sorted(ids)


# --- what the receiver answers --------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_any_2xx_is_a_delivery(site: Site, status: int) -> None:
    site.pages["/hook"] = answer(b"", status=f"{status} x")

    assert await send(sender(), site.url("/hook")) == status


@pytest.mark.parametrize("status", [300, 304, 400, 401, 404, 408, 429, 500, 502, 503, 504, 599])
async def test_any_other_status_is_worth_another_attempt(site: Site, status: int) -> None:
    site.pages["/hook"] = answer(b"", status=f"{status} x")

    error = await failed(site)
    assert (error.fault, error.answer_status, error.retry_after_s) == ("unclear", status, None)
    assert f"answered {status}" in str(error)


async def test_gone_is_final(site: Site) -> None:
    site.pages["/hook"] = answer(b"", "Retry-After: 5", status="410 Gone")

    error = await failed(site)
    assert (error.fault, error.answer_status, error.retry_after_s) == ("input", 410, None)
    assert str(error) == "The receiver answered 410 (Gone)."


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(site: Site, status: int) -> None:
    site.pages["/hook"] = moved("/there", status)
    site.pages["/there"] = answer(b"here I am")

    error = await failed(site)
    assert (error.fault, error.answer_status) == ("unclear", status)
    assert len(site.requests) == 1


RETRY_AFTER = {
    "0": 0, "7": 7, "120": 120, "86401": 86_400, "9" * 5000: 86_400, "-5": None, "1.5": None,
    "": None, "soon": None, "1e3": None, "\u0661": 1,
    "Wed, 21 Oct 2015 07:28:00 GMT": 0, "Wed, 21 Oct 2015 07:28:00 -0000": 0,
    "Fri, 31 Dec 9999 23:59:59 GMT": 86_400, "Fri, 31 Dec 99999 23:59:59 GMT": None,
    "Fri, 31 Dec 9999 23:59:59 -2359": 86_400, "Fri, 31 Dec 9999 23:59:59 -9999": None,
    "Mon, 01 Jan 0001 00:00:00 +2359": 0,
}  # fmt: skip


@pytest.mark.parametrize("value", RETRY_AFTER, ids=lambda value: ascii(value)[:40])
@pytest.mark.parametrize("status", ["429", "503"])
async def test_retry_after(site: Site, value: str, status: str) -> None:
    site.pages["/hook"] = answer(b"", f"Retry-After: {value}", status=f"{status} Later")

    assert (await failed(site)).retry_after_s == RETRY_AFTER[value]


async def test_retry_after_a_date(site: Site) -> None:
    at = format_datetime(datetime.now(UTC) + timedelta(minutes=10), usegmt=True)
    site.pages["/hook"] = answer(b"", f"Retry-After: {at}", status="503 Later")

    assert (await failed(site)).retry_after_s == pytest.approx(600, abs=30)


# --- receivers that misbehave ---------------------------------------------------------------------


async def says_nothing(writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def early_hints_forever(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        await writer.drain()


@pytest.mark.parametrize(
    "page", [says_nothing, early_hints_forever], ids=lambda page: page.__name__
)
async def test_the_whole_attempt_is_limited_in_time(site: Site, page: Answer) -> None:
    site.pages["/hook"] = page

    error = await failed(site, timeout_s=0.2)
    assert (error.fault, error.answer_status) == ("unclear", None)
    assert str(error) == "The delivery took longer than 0.2 s."
    gc.collect()  # an unclosed socket would be a warning, which is an error


async def stops_in_the_body(writer: asyncio.StreamWriter) -> None:
    writer.write(answer(b"than", length=6))
    await writer.drain()
    await asyncio.Event().wait()


async def breaks_off_the_body(writer: asyncio.StreamWriter) -> None:
    writer.write(answer(b"than", length=6))


@pytest.mark.parametrize("page", [stops_in_the_body, breaks_off_the_body])
async def test_the_status_counts_even_if_the_body_never_ends(site: Site, page: Answer) -> None:
    site.pages["/hook"] = page

    assert await send(sender(timeout_s=0.5), site.url("/hook")) == 200
    gc.collect()


async def test_a_short_answer_is_read_to_its_end(site: Site) -> None:
    """So that the receiver sees no connection that breaks."""
    begun, goes_on = asyncio.Event(), asyncio.Event()

    async def page(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n")
        await writer.drain()
        begun.set()
        await goes_on.wait()
        writer.write(b"thanks")

    site.pages["/hook"] = page
    sending = asyncio.create_task(send(sender(), site.url("/hook")))
    await begun.wait()
    done, _ = await asyncio.wait({sending}, timeout=0.2)
    assert not done
    goes_on.set()
    assert await sending == 200


async def test_a_huge_answer_is_not_read(site: Site) -> None:
    written_bytes = 0
    cut_off = asyncio.Event()

    async def endless(writer: asyncio.StreamWriter) -> None:
        nonlocal written_bytes
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while True:
                writer.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")
                await writer.drain()
                written_bytes += 0x10000
        finally:
            cut_off.set()

    site.pages["/hook"] = endless

    assert await send(sender(), site.url("/hook")) == 200
    async with asyncio.timeout(20):
        await cut_off.wait()
    assert written_bytes < 50 * 1024**2  # what sockets hold, and no more


@pytest.mark.parametrize(
    "page", [b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\nA: " + b"a" * 300_000]
)
async def test_what_is_no_answer_is_worth_another_attempt(site: Site, page: bytes) -> None:
    site.pages["/hook"] = page

    error = await failed(site)
    assert (error.fault, error.answer_status) == ("unclear", None)


async def test_refused_connection_is_worth_another_attempt() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(WebhookFailed, match="No valid connection") as caught:
            await send(sender(), f"http://127.0.0.1:{unused.getsockname()[1]}/")
    assert caught.value.fault == "unclear"


async def test_unknown_name_is_worth_another_attempt() -> None:
    with pytest.raises(WebhookFailed, match="cannot be resolved") as caught:
        await send(sender(network=Network(resolve=Names())), "http://nowhere.test/")
    assert caught.value.fault == "unclear"


async def test_cancelling_is_not_taken_for_a_failure(site: Site) -> None:
    asked = asyncio.Event()

    async def page(writer: asyncio.StreamWriter) -> None:
        writer.write(answer(b"than", length=6))
        asked.set()
        await asyncio.Event().wait()

    site.pages["/hook"] = page
    task = asyncio.create_task(send(sender(), site.url("/hook")))
    await asked.wait()

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gc.collect()


# --- where it may go ------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433"])
async def test_private_addresses_are_left_alone(site: Site, host: str) -> None:
    with pytest.raises(WebhookFailed) as caught:
        await send(sender(allow_private=False), site.url("/hook", host))
    assert caught.value.fault == "input"
    assert site.connections == 0


async def test_they_are_left_alone_unless_they_are_allowed(site: Site) -> None:
    with pytest.raises(WebhookFailed, match="not public"):
        await send(WebhookSender(SecretStr(SECRET)), site.url("/hook"))
    assert site.connections == 0


async def test_what_json_does_not_know_is_not_sent(site: Site) -> None:
    with pytest.raises(ValueError, match="JSON"):
        await send(sender(), site.url("/hook"), data={"score": float("nan")})
    assert site.connections == 0


async def test_a_name_is_resolved_once_and_its_address_checked(site: Site) -> None:
    names = Names(rebind_test=[[PUBLIC], ["127.0.0.1"]])
    wire = Wire()
    guarded = sender(allow_private=False, network=Network(resolve=names, backend=wire))

    assert await send(guarded, site.url("/hook", "rebind.test")) == 204
    with pytest.raises(WebhookFailed, match="not public") as caught:
        await send(guarded, site.url("/hook", "rebind.test"))
    assert caught.value.fault == "input"
    assert wire.reached == [PUBLIC]
    assert head_of(site.requests[0])["host"] == f"rebind.test:{site.port}"


async def test_certificates_are_of_the_name(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path, "public.test")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    trust = ssl.create_default_context(cafile=str(certificate))
    names = Names(public_test=[[PUBLIC]], other_test=[[PUBLIC]])
    guarded = sender(allow_private=False, network=Network(names, Wire(), trust))
    async with Site(tls) as site:
        site.pages["/hook"] = answer(b"thanks")

        assert await send(guarded, site.url("/hook", "public.test", "https")) == 200
        with pytest.raises(WebhookFailed, match="No valid connection"):
            await send(guarded, site.url("/hook", "other.test", "https"))
        assert len(site.requests) == 1


@pytest.mark.parametrize("url", ["", "file:///etc/passwd", "http://a:b@127.0.0.1/", "http://[::1/"])
async def test_what_is_no_plain_http_url_is_final(url: str) -> None:
    with pytest.raises(WebhookFailed) as caught:
        await send(sender(), url)
    assert caught.value.fault == "input"


@pytest.mark.parametrize(
    "url", ["ftp://a.test/", "http://u:p@a.test/", "http://10.0.0.1/", "a.test"]
)
def test_callback_urls_refused_at_request_time(url: str) -> None:
    with pytest.raises(UrlNotAllowed):
        check_callback_url(url)


def test_callback_urls_taken_at_request_time() -> None:
    check_callback_url("https://hooks.example.com/a?b=c")
    check_callback_url("http://127.0.0.1/", allow_private=True)


# --- secrets --------------------------------------------------------------------------------------


async def test_without_a_secret_nothing_is_sent(site: Site) -> None:
    error = await failed(site, secret=None)
    assert error.fault == "input"
    assert "WEBHOOK_SECRET" in str(error)
    assert site.connections == 0


@pytest.mark.parametrize("size", [24, 25, 26, 32, 63, 64])
def test_good_secrets(size: int) -> None:
    encoded = base64.b64encode(bytes(range(size))).decode()
    check_webhook_secret(f"whsec_{encoded}")
    check_webhook_secret(f"whsec_{encoded.rstrip('=')}")


BAD_SECRETS = [
    "", "whsec_", "changeme", base64.b64encode(KEY).decode(), "WHSEC_" + SECRET[6:],
    "whsk_" + SECRET[6:], "whsec_" + base64.b64encode(bytes(23)).decode(),
    "whsec_" + base64.b64encode(bytes(65)).decode(), SECRET + " ", " " + SECRET, SECRET + "\n",
    SECRET + "====", "whsec_" + "ä" * 40, "whsec_" + "-_" * 20, "whsec_" + "!" + SECRET[7:],
    "whsec_" + "A" * 33,
]  # fmt: skip


@pytest.mark.parametrize("secret", BAD_SECRETS)
def test_bad_secrets_are_told_at_start_up(secret: str) -> None:
    with pytest.raises(ValueError, match="must be whsec_") as caught:
        WebhookSender(SecretStr(secret))
    told = str(caught.value)
    assert "openssl rand -base64 32" in told
    assert len(secret) < 7 or secret not in told


async def test_the_secret_shows_nowhere(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    site.pages["/hook"] = answer(b"", status="500 x")
    one = sender(network=Network(resolve=Names()))

    shown = [repr(one), str(one)]
    for url in (site.url("/hook"), "http://nowhere.test/", "file:///"):
        with pytest.raises(EchoStreamError) as caught:
            await send(one, url)
        error: BaseException | None = caught.value
        while error is not None:
            shown += [str(error), repr(error)]
            error = error.__cause__
    shown += [record.getMessage() for record in caplog.records]

    for text in shown:
        assert SECRET[6:].rstrip("=") not in text
        assert repr(KEY)[2:-1] not in text
        assert KEY.hex() not in text
