"""Packets from rude clients: each is refused, and others are served meanwhile."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator

import aiohttp
import httpx2 as httpx
import pytest

from conftest import running
from echostream.web.engine_io import MAX_MESSAGE_BYTES
from fakes import FakeInsights, FakeTranscriber, fake_pipeline
from web.probe import probing
from web.support import settings_of

TOKEN = "a token of our own"
POLL = "/socket.io/?EIO=4&transport=polling"
CONNECT = "40" + json.dumps({"token": TOKEN})
END = "\x1e"


def many(packet: str, count: int) -> str:
    return END.join([packet] * count)


def filling(packet: str) -> str:
    """As often as a request may hold it."""
    return many(packet, MAX_MESSAGE_BYTES // (len(packet) + 1))


MALFORMED = {
    "letters": "xyz",
    "nothing": "",
    "a type there is not": "9",
    "another type there is not": "7",
    "a digit of another script": "\N{SUPERSCRIPT TWO}",
    "the server's own": "0",
    "binary that is not base64": "b$",
    "binary out of place": "b" + base64.b64encode(b"sound").decode(),
    "no type of event": "4",
    "letters as event": "4xyz",
    "an event that is not JSON": "42{",
    "an event cut off": '42["audio_chunk",',
    "an event that is a number": "427",
    "an event that is null": "42null",
    "an event without a name": "42[]",
    "a name that is a list": "42[[]]",
    "a name that is an object": '42[{"a":1}]',
    "an error of the server": "44{}",
    "a type of event there is not": "48",
    "too many attachments": '451000000000-["audio_chunk",{"_placeholder":true,"num":0}]',
    "many attachments": '45999-["audio_chunk",{"_placeholder":true,"num":0}]',
    "a long number": "42" + "1" * 200,
    "half a character": '42["\\ud800"]',
    "deep lists": "42" + "[" * 1000,
    "deep objects": "42" + '{"a":' * 1000,
}
WELL_FORMED = {
    "pongs": "3",
    "no-ops": "6",
    "upgrades": "5",
    "goodbyes": "1",
    "goodbyes to a room": "41",
    "connections": "40",
    "connections with a wrong token": '40{"token":"x"}',
    "connections to another room": "40/admin,",
    "events nobody knows": '42["x"]',
    "chunks without a session": '42["audio_chunk",{}]',
    "answers nobody waits for": "430[]",
}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    settings = settings_of(api_bearer_token=TOKEN)
    with running(settings, fake_pipeline(FakeTranscriber(), FakeInsights())) as base_url:
        yield base_url


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=120) as found:
        yield found


def opened(client: httpx.Client, *, accepted: bool) -> str:
    """The path of a new session."""
    session_id = json.loads(client.get(POLL).text[1:])["sid"]
    path = f"{POLL}&sid={session_id}"
    if accepted:
        assert client.post(path, content=CONNECT).is_success
        assert client.get(path).text.startswith("40")
    return path


@pytest.mark.parametrize(
    ("name", "accepted"),
    [
        *((name, True) for name in MALFORMED),
        # What a stranger says is not looked at before CONNECT, and its name is not either.
        *((name, False) for name in MALFORMED if "name that" not in name),
    ],
)
def test_the_first_malformed_packet_ends_the_session(
    client: httpx.Client, url: str, caplog: pytest.LogCaptureFixture, name: str, accepted: bool
) -> None:
    path = opened(client, accepted=accepted)
    with probing(url):
        count = 2_000 if accepted else 10
        answer = client.post(path, content=many(MALFORMED[name], count).encode())
    assert answer.status_code == 400
    lines = [record for record in caplog.records if record.levelname != "INFO"]
    assert len(lines) == 1
    assert lines[0].exc_info is None
    assert client.post(path, content="3").status_code == 400


@pytest.mark.parametrize("name", WELL_FORMED)
def test_a_flood_of_packets_keeps_nobody_waiting(client: httpx.Client, url: str, name: str) -> None:
    path = opened(client, accepted=True)
    with probing(url):
        client.post(path, content=many(WELL_FORMED[name], 20_000))
        assert client.post(path, content=filling(WELL_FORMED[name])).status_code == 400


BODIES = {
    "no text": b"\xff" * 1000,
    "not whole": b"42[\xe4",
    "a script's form of separators": b"d=" + b"&" * (MAX_MESSAGE_BYTES - 2),
    "a script's form of fields": b"d=" + b"&d=1" * 4_000_000,
    "a script's form without data": b"d=",
    "deep": b"42" + b"[" * (MAX_MESSAGE_BYTES - 2),
    "many values": b'42["x",' + b"[]," * 5_000_000 + b"0]",
    "separators": END.encode() * MAX_MESSAGE_BYTES,
    "too large": b"4" * (MAX_MESSAGE_BYTES + 1),
}


@pytest.mark.parametrize("accepted", [False, True], ids=["stranger", "accepted"])
@pytest.mark.parametrize("name", BODIES)
def test_a_rude_body_keeps_nobody_waiting(
    client: httpx.Client, url: str, name: str, accepted: bool
) -> None:
    path = opened(client, accepted=accepted)
    with probing(url):
        assert client.post(path, content=BODIES[name]).status_code in (400, 413)


@pytest.mark.parametrize("content", [many("3", 17), CONNECT + " " * 70_000], ids=["many", "large"])
def test_a_stranger_may_send_little(client: httpx.Client, content: str) -> None:
    assert client.post(opened(client, accepted=False), content=content).status_code == 400
    assert client.post(opened(client, accepted=True), content=content).status_code in (200, 400)


@pytest.mark.parametrize("name", MALFORMED)
async def test_a_malformed_message_ends_a_websocket(http: aiohttp.ClientSession, name: str) -> None:
    async with http.ws_connect("/socket.io/?EIO=4&transport=websocket") as socket:
        await socket.receive()
        await socket.send_str(CONNECT)
        assert (await socket.receive()).data.startswith("40")
        await socket.send_str(MALFORMED[name])
        async with asyncio.timeout(20):
            while (await socket.receive()).type is aiohttp.WSMsgType.TEXT:
                pass
        assert socket.closed


async def test_a_stranger_may_not_send_a_large_message(http: aiohttp.ClientSession) -> None:
    async with http.ws_connect("/socket.io/?EIO=4&transport=websocket") as socket:
        await socket.receive()
        await socket.send_bytes(bytes(70_000))
        async with asyncio.timeout(20):
            while (await socket.receive()).type is aiohttp.WSMsgType.TEXT:
                pass
        assert socket.closed


@pytest.fixture
async def http(url: str) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(url) as found:
        yield found


def test_all_that_a_polling_client_had_to_keep_arrives(client: httpx.Client, url: str) -> None:
    """Eight minutes of 20 ms, as a client sends them that was cut off: all in one request."""
    path = opened(client, accepted=True)
    client.post(path, content='42["start_audio",{"ext":"pcm","insights":false}]')
    pieces = 24_000
    sound = "b" + base64.b64encode(bytes(64)).decode()
    sent = (
        f'451-{number}["audio_chunk",{{"buffer":{{"_placeholder":true,"num":0}},"seq":{number}}}]'
        for number in range(pieces)
    )
    with probing(url):
        client.post(path, content=END.join(f"{event}{END}{sound}" for event in sent))
    answers = client.get(path).text.split(END)
    last = next(answer for answer in answers if answer.startswith(f"43{pieces - 1}["))
    received = {"ok": True, "receivedBytes": pieces * 64, "receivedSeq": pieces - 1}
    assert json.loads(last.partition("[")[2].removesuffix("]")) == received
