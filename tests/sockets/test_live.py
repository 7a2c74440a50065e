"""Live audio over Socket.IO: what each event answers, who may do what, and rude clients.

The engine knows the sample by heart; the stock JavaScript client has tests of its own.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import httpx2 as httpx
import pytest
import socketio

from conftest import running, sample_pcm, sample_text
from fakes import FakeDiarizer, voice_of
from sockets.live import SECOND, TOKEN, Client, connected
from streaming.oracle import OracleTranscriber
from web.support import around, settings_of


@pytest.fixture(scope="module")
def oracle() -> OracleTranscriber:
    return OracleTranscriber()


@pytest.fixture(scope="module")
def diarizer() -> FakeDiarizer:
    return FakeDiarizer()


@pytest.fixture(scope="module")
def url(oracle: OracleTranscriber, diarizer: FakeDiarizer) -> Iterator[str]:
    settings = settings_of(api_bearer_token=TOKEN, max_live_sessions=4)
    with running(settings, around(oracle, diarizer)) as base_url:
        yield base_url


@pytest.fixture
async def client(url: str) -> AsyncIterator[Client]:
    async with connected(url) as found:
        yield found


_STATEMENTS = ("key_points", "decisions", "questions", "action_items")
PCM = sample_pcm().tobytes()


class TestWholeSession:
    @pytest.mark.parametrize("transports", [None, ["polling"], ["websocket"]])
    async def test_every_event(self, url: str, transports: list[str] | None) -> None:
        async with connected(url, transports=transports) as client:
            answer = await client.start(audioName="stand-up")
            started = await client.first("audio_started")
            assert started == {name: value for name, value in answer.items() if name != "ok"}
            assert (started["audioName"], started["resumed"]) == ("stand-up", False)
            await client.send(PCM)
            assert await client.call("end_audio", {}) == {
                "ok": True,
                "audioId": started["audioId"],
            }
            final = await client.first("audio_final")
            assert final["audioId"] == started["audioId"]
            assert final["transcript"].split() == sample_text().split()
            assert final["transcript"] == client.appended
            assert final["insights"]["summary"]
            assert final["segments"][0]["words"][0]["word"] == "Thank"
            assert (final["language"], final["duration"]) == ("en", len(PCM) / SECOND)
            partial = next(one for one in client.all("partial_transcript") if one["text"])
            assert set(partial) == {
                *("text", "audioId", "start", "end", "seq", "tentative", "lagMs", "labels"),
            }
            assert client.all("audio_error") == []

    async def test_without_any_fields(self, client: Client) -> None:
        for event in ("start_audio", "end_audio"):
            assert (await client.call(event))["ok"]
        assert (await client.first("audio_final"))["error"] == "invalid_audio"

    async def test_speakers_are_told_from_the_whole_audio(
        self, client: Client, diarizer: FakeDiarizer
    ) -> None:
        known = [{"name": "Ann", "voice": voice_of("B").dump()}]
        await client.start(diarize=True, maxSpeakers=3, knownSpeakers=known)
        await client.send(PCM)
        await client.call("end_audio")
        final = await client.first("audio_final")
        assert diarizer.heard[-1].tobytes() == PCM
        assert diarizer.calls[-1].most == 3
        assert final["transcript"] == client.appended
        told = [segment["speaker"] for segment in final["segments"]]
        assert told == sorted(told)
        assert set(told) == {"A", "Ann"}
        for segment in final["segments"]:
            assert {word["speaker"] for word in segment["words"]} == {segment["speaker"]}
        assert [(each["id"], each["name"]) for each in final["speakers"]] == [
            ("A", None),
            ("Ann", "Ann"),
        ]
        assert final["speakers"][0]["voice"] == voice_of("A").dump()

    async def test_speakers_are_labelled_while_they_speak(self, client: Client) -> None:
        known = [{"name": "Ann", "voice": voice_of("A").dump()}]
        await client.start(knownSpeakers=known)
        await client.send(PCM[: 20 * SECOND])
        await client.told("partial_transcript", lambda all_: any(one["labels"] for one in all_))
        labelled = [each for each in client.all("partial_transcript") if each["labels"]]
        assert {each["text"] for each in labelled} == {""}
        for label in (label for each in labelled for label in each["labels"]):
            assert label["speaker"] == "Ann"
            assert 1 <= label["seq"] <= labelled[-1]["seq"]
        await client.call("end_audio")
        final = await client.first("audio_final")
        assert client.appended == final["liveTranscript"]

    async def test_unasked_no_audio_is_kept(self, client: Client, diarizer: FakeDiarizer) -> None:
        asked = len(diarizer.calls)
        await client.start()
        await client.send(PCM[: 4 * SECOND])
        await client.call("end_audio")
        final = await client.first("audio_final")
        assert final["speakers"] == []
        assert len(diarizer.calls) == asked

    async def test_speakers_that_cannot_be_told(
        self, client: Client, diarizer: FakeDiarizer
    ) -> None:
        diarizer.error = RuntimeError("a bug")
        try:
            await client.start(diarize=True)
            await client.send(PCM[: 4 * SECOND])
            await client.call("end_audio")
            final = await client.first("audio_final")
        finally:
            diarizer.error = None
        assert (final["transcript"], "error" in final) == (client.appended, False)
        assert [each["code"] for each in final["warnings"]] == ["diarization_failed"]
        assert final["insights"]["summary"]

    async def test_voices_of_another_model_start_no_session(self, client: Client) -> None:
        voice = voice_of("B").dump().replace("fake-", "other-")
        answer = await client.start(knownSpeakers=[{"name": "Ann", "voice": voice}])
        assert (answer["ok"], answer["error"]) == (False, "invalid_request")
        assert answer["message"].startswith("knownSpeakers: the voice of 'Ann' is of the model")
        assert (await client.call("end_audio"))["error"] == "invalid_request"

    async def test_insights_may_be_left_out(self, client: Client) -> None:
        await client.start(insights=False)
        await client.send(PCM[: 4 * SECOND])
        await client.call("end_audio")
        final = await client.first("audio_final")
        assert (final["insights"], "error" in final) == (None, False)
        assert client.all("insights_update") == []
        assert final["transcript"]

    async def test_insights_so_far_come_at_the_end_at_the_latest(self, client: Client) -> None:
        await client.start(liveInsights=True)
        await client.send(PCM[: 4 * SECOND])
        await client.call("end_audio")
        final = await client.first("audio_final")
        [told] = client.all("insights_update")
        assert [item.pop("id") for item in told["insights"]["details"]["action_items"]] == [1]
        details = final["insights"]["details"]
        points = [each for name in _STATEMENTS for each in details[name]]
        evidence = {number for each in points for number in each["evidence"]}
        assert told.pop("segments") == [
            {name: each[name] for name in ("id", "start", "end")}
            for each in final["segments"]
            if each["id"] in evidence
        ]
        assert told == {"audioId": final["audioId"], "insights": final["insights"]}
        names = [name for name, _ in client.heard]
        assert names.index("insights_update") < names.index("audio_final")

    async def test_insights_by_a_template(self, client: Client) -> None:
        await client.start(template={"name": "Mine", "sections": []}, insightsLanguage="de")
        await client.send(PCM[: 4 * SECOND])
        await client.call("end_audio")
        final = await client.first("audio_final")
        assert final["insights"]["details"]["meta"]["template"] == "Mine"

    async def test_the_day_of_the_recording_may_be_told(self, client: Client) -> None:
        await client.start(recordedAt="2026-11-26T09:00:00+01:00")
        await client.send(PCM[: 4 * SECOND])
        await client.call("end_audio")
        final = await client.first("audio_final")
        (item,) = final["insights"]["details"]["action_items"]
        assert item["due_date"] == "2026-11-27"

    async def test_options_reach_the_engine(
        self, client: Client, oracle: OracleTranscriber
    ) -> None:
        options = {
            "language": "en-GB",
            "prompt": "Friday",
            "keywords": ["Anouk"],
            "model": "meeting",
        }
        answer = await client.start(**options)
        assert "warnings" not in answer
        await client.send(PCM[: 4 * SECOND])
        await client.call("end_audio")
        await client.first("audio_final")
        asked = next(call for call in oracle.calls if call.model == "meeting")
        assert (asked.language, asked.prompt, asked.hotwords) == ("en", "Friday", ("Anouk",))

    async def test_a_field_that_is_not_known_is_told_of(self, client: Client) -> None:
        answer = await client.start(wordTimestamps=True)
        assert answer["ok"]
        assert [one["code"] for one in answer["warnings"]] == ["unknown_field"]
        assert (await client.first("audio_started"))["warnings"] == answer["warnings"]
        await client.call("end_audio")
        await client.first("audio_final")

    async def test_a_new_start_ends_the_session_before(self, client: Client) -> None:
        first = await client.start(audioName="one")
        await client.send(PCM[: 4 * SECOND])
        second = await client.start(audioName="two")
        final = await client.first("audio_final")
        assert final["audioId"] == first["audioId"] != second["audioId"]
        assert final["transcript"].startswith("Thank you")
        await client.send(PCM[:SECOND])  # goes to the second
        await client.call("end_audio")

    async def test_clients_hear_of_their_own_audio_alone(self, url: str) -> None:
        async with connected(url) as one, connected(url) as other:
            await one.start()
            await other.start()
            await one.send(PCM[: 4 * SECOND])
            await one.call("end_audio")
            await one.first("audio_final")
            await other.call("end_audio")
            await other.first("audio_final")
            assert other.appended == ""


class TestResume:
    @pytest.mark.parametrize("seed", range(3))
    async def test_a_connection_that_breaks(self, url: str, seed: int) -> None:
        step = 4801
        pieces = [PCM[start : start + step] for start in range(0, len(PCM), step)]
        broken = random.Random(seed).randrange(len(pieces))
        async with connected(url) as first:
            started = await first.start()
            await first.send(b"".join(pieces[:broken]), step)
            # A piece is on its way when the connection breaks.
            await first.socket.emit("audio_chunk", {"buffer": pieces[broken], "seq": broken})
        last_seq = max((one["seq"] for one in first.all("partial_transcript")), default=0)
        async with connected(url) as second:
            resumed = await second.start(
                audioId=started["audioId"],
                resumeSecret=started["resumeSecret"],
                lastSeq=last_seq,
            )
            assert resumed["resumed"]
            received = -1 if resumed["receivedSeq"] is None else resumed["receivedSeq"]
            assert received in (broken - 1, broken)
            assert resumed["receivedBytes"] == step * (received + 1)
            await second.send(b"".join(pieces[received + 1 :]), step, first=received + 1)
            await second.call("end_audio")
            final = await second.first("audio_final")
        assert final["transcript"].split() == sample_text().split()
        assert first.appended + second.appended == final["transcript"]

    async def test_needs_the_secret(self, url: str) -> None:
        async with connected(url) as owner, connected(url) as other:
            started = await owner.start()
            for secret in ("guess", started["resumeSecret"][:-1]):
                refused = await other.start(audioId=started["audioId"], resumeSecret=secret)
                assert refused["error"] == "resume_failed"
            refused = await other.start(audioId=started["audioId"])
            assert refused["error"] == "audio_id_taken"
            assert (await other.first("audio_error"))["audioId"] == started["audioId"]
            await owner.call("end_audio")
            await owner.first("audio_final")
            assert other.all("partial_transcript") == []

    async def test_resuming_ends_the_session_that_the_connection_had(self, url: str) -> None:
        async with connected(url) as first:
            left = await first.start(audioName="left")
        async with connected(url) as second:
            other = await second.start(audioName="other")
            await second.start(audioId=left["audioId"], resumeSecret=left["resumeSecret"])
            assert (await second.first("audio_final"))["audioId"] == other["audioId"]
            assert await second.call("end_audio") == {"ok": True, "audioId": left["audioId"]}
            assert (await second.first("audio_final", after=1))["audioId"] == left["audioId"]

    async def test_the_old_connection_can_no_longer_send(self, url: str) -> None:
        async with connected(url) as old, connected(url) as new:
            started = await old.start()
            await new.start(audioId=started["audioId"], resumeSecret=started["resumeSecret"])
            answer = await old.call("audio_chunk", {"buffer": PCM[:SECOND]})
            assert answer["error"] == "invalid_request"
            await new.call("end_audio")
            await new.first("audio_final")


class TestRefused:
    @pytest.mark.parametrize("auth", [None, {}, {"token": "wrong"}, {"token": 5}, ["token"]])
    async def test_a_wrong_token(self, url: str, auth: Any) -> None:
        told = asyncio.get_running_loop().create_future()
        socket = socketio.AsyncClient(reconnection=False, handle_sigint=False)
        socket.on("connect_error", told.set_result)
        with pytest.raises(socketio.exceptions.ConnectionError):
            await socket.connect(url, auth=auth)
        assert (await told)["message"] == "unauthorized"

    async def test_a_token_in_the_header_will_do(self, url: str) -> None:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with connected(url, auth=None, headers=headers) as client:
            assert client.socket.connected

    async def test_more_sessions_than_there_are_places(self, url: str) -> None:
        clients = [Client() for _ in range(5)]
        for client in clients:
            await client.socket.connect(url, auth={"token": TOKEN})
        answers = [await client.start() for client in clients]
        assert [answer["ok"] for answer in answers] == [True] * 4 + [False]
        assert answers[4]["error"] == "server_busy"
        assert (await clients[4].first("audio_error"))["error"] == "server_busy"
        for client in clients[:4]:
            await client.call("end_audio")
            await client.first("audio_final")
        assert (await clients[4].start())["ok"]
        await clients[4].call("end_audio")
        await clients[4].first("audio_final")
        for client in clients:
            await client.socket.disconnect()

    @pytest.mark.parametrize(
        ("event", "data"),
        [
            ("start_audio", "text"),
            ("start_audio", [1, 2]),
            ("start_audio", b"bytes"),
            ("start_audio", {"audioId": 5}),
            ("start_audio", {"audioId": ""}),
            ("start_audio", {"audioId": "x" * 201}),
            ("start_audio", {"audioName": ["a"]}),
            ("start_audio", {"language": "no language"}),
            ("start_audio", {"ext": "pcm", "sampleRate": 1}),
            ("start_audio", {"ext": "pcm", "sampleRate": "many"}),
            ("start_audio", {"ext": "pcm", "sampleRate": 10**12}),
            ("start_audio", {"insights": "perhaps"}),
            ("start_audio", {"template": "party"}),
            ("start_audio", {"recordedAt": "Friday"}),
            ("start_audio", {"insightsLanguage": "klingon!"}),
            ("start_audio", {"insightsModel": "gpt"}),
            ("start_audio", {"prompt": "x" * 2001}),
            ("start_audio", {"model": "x" * 201}),
            ("start_audio", {"resumeSecret": "x"}),
            ("start_audio", {"lastSeq": -1}),
            ("audio_chunk", {"buffer": b"early"}),
            ("audio_chunk", {}),
            ("end_audio", {}),
        ],
    )
    async def test_what_makes_no_sense(self, client: Client, event: str, data: Any) -> None:
        answer = await client.call(event, data)
        assert not answer["ok"]
        assert answer["error"] in ("invalid_request", "resume_failed")
        told = await client.first("audio_error")
        assert (told["error"], told["message"]) == (answer["error"], answer["message"])
        assert "Traceback" not in told["message"]

    @pytest.mark.parametrize(
        "data",
        [
            {},
            {"buffer": "text"},
            {"buffer": [1, 2, 3]},
            {"buffer": None},
            {"buffer": {"type": "Buffer", "data": [1]}},
            {"buffer": b"ok", "seq": "one"},
            {"buffer": b"ok", "seq": -1},
            b"bytes alone",
            "text",
            None,
        ],
    )
    async def test_chunks_that_are_none(self, client: Client, data: Any) -> None:
        await client.start()
        answer = await client.call("audio_chunk", data)
        assert answer["error"] == "invalid_request"
        await client.send(PCM[: 3 * SECOND])  # the session goes on
        await client.call("end_audio")
        assert (await client.first("audio_final"))["transcript"].startswith("Thank you")

    async def test_audio_that_cannot_be_decoded_is_told_and_the_session_goes_on(
        self, client: Client
    ) -> None:
        await client.call("start_audio", {})
        await client.call("audio_chunk", {"buffer": b"this is no audio" * 4000})
        assert (await client.first("audio_error"))["error"] == "invalid_audio"
        assert (await client.call("audio_chunk", {"buffer": b""}))["ok"]
        await client.call("end_audio")
        await client.first("audio_final")

    async def test_unknown_events_are_passed_over(self, client: Client) -> None:
        await client.socket.emit("no_such_event", {"a": 1})
        await client.socket.emit("start_audio", ({}, "more", "than", "asked"))
        await client.first("audio_started")
        await client.call("end_audio")


class TestProtocol:
    """Bytes that are no Socket.IO."""

    @pytest.mark.parametrize(
        "query",
        [
            "",
            "EIO=3&transport=polling",
            "EIO=4&transport=carrier-pigeon",
            "EIO=4&transport=polling&sid=unknown",
            "EIO=4&transport=websocket",
            "EIO=4&transport=polling&sid=" + "x" * 5000,
        ],
    )
    def test_junk_in_the_handshake(self, url: str, query: str) -> None:
        assert httpx.get(f"{url}/socket.io/?{query}").status_code == 400

    @pytest.mark.parametrize(
        "body", [b"", b"junk", b"9", b"4\xff\xfe", b"42[", b"451-", b"4" * 10_000, b"\x1e\x1e"]
    )
    def test_junk_in_a_poll(self, url: str, body: bytes) -> None:
        with httpx.Client(base_url=url, timeout=30) as http:
            opened = http.get("/socket.io/?EIO=4&transport=polling").text
            sid = opened.split('"sid":"')[1].split('"')[0]
            answer = http.post(f"/socket.io/?EIO=4&transport=polling&sid={sid}", content=body)
            assert answer.status_code in (200, 400)
            assert http.get("/health").json() == {"status": "ok"}

    @pytest.mark.parametrize("frame", ["junk", "42[", b"\0\1\2", "451-[", "40/other,", "4" * 9999])
    async def test_junk_in_a_frame(self, url: str, frame: str | bytes) -> None:
        async with aiohttp.ClientSession() as http:
            where = f"{url}/socket.io/?EIO=4&transport=websocket"
            async with http.ws_connect(where) as socket:
                await socket.receive()
                await (socket.send_str if isinstance(frame, str) else socket.send_bytes)(frame)
        async with connected(url) as client:
            assert (await client.start())["ok"]
            await client.call("end_audio")
            await client.first("audio_final")

    async def test_a_message_that_is_too_large_ends_its_connection(self, url: str) -> None:
        async with connected(url) as other:
            await other.start()
            client = Client()
            gone = asyncio.Event()
            client.socket.on("disconnect", gone.set)
            await client.socket.connect(url, auth={"token": TOKEN}, transports=["websocket"])
            await client.start()
            await client.socket.emit("audio_chunk", {"buffer": bytes(17 * 1024 * 1024)})
            async with asyncio.timeout(30):
                await gone.wait()
            await other.send(PCM[: 3 * SECOND])
            await other.call("end_audio")
            assert (await other.first("audio_final"))["transcript"].startswith("Thank you")

    def test_a_post_that_is_too_large_is_refused(self, url: str) -> None:
        with httpx.Client(base_url=url, timeout=30) as http:
            opened = http.get("/socket.io/?EIO=4&transport=polling").text
            sid = opened.split('"sid":"')[1].split('"')[0]
            session = f"/socket.io/?EIO=4&transport=polling&sid={sid}"
            assert http.post(session, content=b"b" + b"A" * 17 * 1024 * 1024).status_code == 413


async def test_a_server_that_stops_lets_live_audio_end() -> None:
    loop = asyncio.get_running_loop()
    server = running(settings_of(), around(OracleTranscriber()))
    base_url = await loop.run_in_executor(None, server.__enter__)
    async with connected(base_url, transports=["polling"]) as client:
        await client.start()
        await client.send(PCM[: 4 * SECOND])
        await loop.run_in_executor(None, server.__exit__, None, None, None)
        assert (await client.first("audio_final"))["transcript"].startswith("Thank you")


async def test_what_the_metrics_say() -> None:
    with running(settings_of(), around(OracleTranscriber())) as base_url:
        async with connected(base_url) as client, httpx.AsyncClient(base_url=base_url) as http:
            await client.start()
            await client.send(PCM[: 6 * SECOND])
            text = (await http.get("/metrics")).text
            assert "echostream_live_sessions 1.0" in text
            await client.call("end_audio")
            await client.first("audio_final")
            text = (await http.get("/metrics")).text
            assert "echostream_live_sessions 0.0" in text
            assert 'echostream_live_sessions_ended_total{error=""} 1.0' in text
            assert "echostream_live_lag_seconds_count" in text
            assert 'echostream_audio_seconds_total{engine="oracle"} 6.0' in text
