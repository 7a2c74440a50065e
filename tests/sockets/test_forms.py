"""The forms of live audio over Socket.IO: channels, telephone codes, Opus packets, and nonsense.
The toy Whisper is quick and sure of the sample; its speakers get a channel each."""

import subprocess
from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from conftest import SAMPLE, TINY_WHISPER, running, sample_pcm, sample_turns, word_error_rate
from echostream.building import local_pipeline
from echostream.domain import SAMPLE_RATE_HZ
from echostream.media import ffmpeg_path
from ogg import opus_packets
from sockets.live import TOKEN, Client, Message, connected
from web.support import settings_of

UNTIL_S = 19.0
"""Four turns: Maria, David, Michael, Maria."""
TURNS = [turn for turn in sample_turns() if turn["end_s"] < UNTIL_S]
SAID = " ".join(turn["text"] for turn in TURNS)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    settings = settings_of(
        api_bearer_token=TOKEN,
        whisper_model=str(TINY_WHISPER),
        insights_provider="none",
        max_live_sessions=3,
    )
    with running(settings, local_pipeline) as base_url:
        yield base_url


@pytest.fixture
async def client(url: str) -> AsyncIterator[Client]:
    async with connected(url) as found:
        yield found


def call() -> np.ndarray:
    """The turns as a call: Maria in one channel, all others in the other, shape `(2, samples)`."""
    pcm = sample_pcm()[: int(UNTIL_S * SAMPLE_RATE_HZ)]
    line = np.random.default_rng(1).normal(0, 3, (2, len(pcm))).astype(np.int16)
    for turn in TURNS:
        said = slice(*(int(turn[edge] * SAMPLE_RATE_HZ) for edge in ("start_s", "end_s")))
        line[int(turn["speaker"] != "Maria"), said] = pcm[said]
    return line


def said_by(*speakers: str) -> str:
    return " ".join(turn["text"] for turn in TURNS if turn["speaker"] in speakers)


def converted(*arguments: str) -> bytes:
    command = [ffmpeg_path(), "-v", "error", "-t", str(UNTIL_S), "-i", str(SAMPLE)]
    ran = subprocess.run([*command, *arguments, "-"], capture_output=True, check=True)
    return ran.stdout


async def send(client: Client, pieces: Iterable[bytes], first: int = 0) -> None:
    for seq, piece in enumerate(pieces, first):
        answer = await client.call("audio_chunk", {"buffer": piece, "seq": seq})
        assert answer["ok"], answer


async def final_of(client: Client, pieces: Iterable[bytes], **fields: Any) -> Message:
    started = await client.call("start_audio", {"insights": False, "language": "en", **fields})
    assert started["ok"], started
    await send(client, pieces)
    await client.call("end_audio")
    return await client.first("audio_final")


def pieces_of(data: bytes, size: int = 20_001) -> list[bytes]:
    """Of an odd size, so that they end anywhere."""
    return [data[start : start + size] for start in range(0, len(data), size)]


class TestSeparateChannels:
    async def final(self, client: Client, **fields: Any) -> Message:
        pieces = pieces_of(call().T.tobytes())
        return await final_of(
            client, pieces, ext="pcm", channels="separate", channelCount=2, **fields
        )

    def check(self, final: Message) -> None:
        """Each channel is a speaker of the transcript."""
        assert [(each["id"], each["channel"]) for each in final["speakers"]] == [
            ("A", 0),
            ("B", 1),
        ]
        for number, speakers in enumerate((("Maria",), ("David", "Michael"))):
            mine = [each for each in final["segments"] if each["channel"] == number]
            said = " ".join(each["text"] for each in mine)
            assert word_error_rate(said_by(*speakers), said) <= 0.2
            assert {each["speaker"] for each in mine} == {"AB"[number]}
            words = [word for each in mine for word in each["words"]]
            assert {word["speaker"] for word in words} == {"AB"[number]}
        starts = [each["start"] for each in final["segments"]]
        assert starts == sorted(starts)
        assert final["duration"] == UNTIL_S

    async def test_each_is_a_speaker(self, client: Client) -> None:
        final = await self.final(client, finalPass=False)
        self.check(final)
        assert client.appended == final["liveTranscript"]
        partials = [each for each in client.all("partial_transcript") if each["text"]]
        assert {(each["channel"], each["speaker"]) for each in partials} == {(0, "A"), (1, "B")}
        for each in partials:
            assert each["labels"] == [{"seq": each["seq"], "speaker": each["speaker"]}]
        for one, other in pairwise(partials):
            # As exact as the model's times are, unless a busy machine had it wait for long enough.
            assert one["start"] <= other["start"] + 0.5 or one["lagMs"] >= 5_000
        assert word_error_rate(SAID, client.appended) <= 0.2

    async def test_the_final_pass_reads_them_as_those_of_a_file(self, client: Client) -> None:
        final = await self.final(client, diarize=True)
        self.check(final)
        assert final["liveTranscript"] == client.appended
        assert all(each["voice"] for each in final["speakers"])
        assert final["warnings"] == []

    async def test_a_client_that_returns_gets_what_it_missed(self, url: str) -> None:
        pieces = pieces_of(call().T.tobytes())
        fields = {"ext": "pcm", "channels": "separate", "finalPass": False, "language": "en"}
        async with connected(url) as first:
            started = await first.start(**fields)
            await send(first, pieces[:40])
            await first.told("partial_transcript", lambda all_: any(each["text"] for each in all_))
            had = first.appended
            last = len([each for each in first.all("partial_transcript") if each["text"]])
        async with connected(url) as second:
            again = {name: started[name] for name in ("audioId", "resumeSecret")}
            resumed = await second.start(**fields, **again, lastSeq=last)
            assert resumed["receivedSeq"] == 39
            await send(second, pieces[35:], first=35)
            await second.call("end_audio")
            final = await second.first("audio_final")
        assert final["liveTranscript"] == had + second.appended
        self.check(final)

    async def test_each_takes_a_place(self, url: str) -> None:
        async with connected(url) as one, connected(url) as two, connected(url) as three:
            assert (await one.start(channels="separate"))["ok"]
            assert (await two.start(channels="separate"))["error"] == "server_busy"
            assert (await two.start())["ok"]
            assert (await three.start())["error"] == "server_busy"
            for client in (one, two):
                await client.call("end_audio")
                await client.first("audio_final")
            assert (await three.start(channels="separate", channelCount=3))["ok"]
            await three.call("end_audio")
            await three.first("audio_final")
            never = await three.start(channels="separate", channelCount=4)
            assert never["error"] == "invalid_request"
            assert "takes a place" in never["message"]


@pytest.mark.parametrize(
    ("ext", "codec", "rate_hz"),
    [("ulaw", "mulaw", None), ("pcma", "alaw", 8_000), ("pcmu", "mulaw", 16_000)],
)
async def test_telephone_codes(client: Client, ext: str, codec: str, rate_hz: int | None) -> None:
    data = converted("-ar", str(rate_hz or 8_000), "-f", codec)
    final = await final_of(client, pieces_of(data), ext=ext, sampleRate=rate_hz, finalPass=False)
    assert final["duration"] == pytest.approx(UNTIL_S, abs=0.01)
    assert word_error_rate(SAID, final["transcript"]) <= 0.3  # half of the frequencies are gone


async def test_two_channels_that_are_mixed(client: Client) -> None:
    pieces = pieces_of(call().T.tobytes())
    final = await final_of(client, pieces, ext="pcm", channelCount=2, finalPass=False)
    assert word_error_rate(SAID, final["transcript"]) <= 0.2
    assert final["duration"] == UNTIL_S
    assert "channel" not in client.all("partial_transcript")[0]


class TestOpusPackets:
    async def test_one_in_each_message(self, client: Client) -> None:
        packets = opus_packets(converted("-c:a", "libopus", "-b:a", "48k", "-f", "ogg"))
        packets[100] = b""  # lost on the way to whoever sends them to us
        packets[200] = b"\xffnonsense"
        final = await final_of(client, packets, ext="opus", finalPass=False)
        assert word_error_rate(SAID, final["transcript"]) <= 0.2
        assert final["duration"] == pytest.approx(UNTIL_S, abs=0.05)
        [fault] = client.all("audio_error")
        assert (fault["error"], fault["audioId"]) == ("invalid_audio", final["audioId"])
        assert "not an Opus packet" in fault["message"]

    async def test_resumed_in_the_middle(self, url: str) -> None:
        packets = opus_packets(converted("-c:a", "libopus", "-b:a", "48k", "-f", "ogg"))
        fields = {"ext": "opus", "finalPass": False, "language": "en"}
        async with connected(url) as first:
            started = await first.start(**fields)
            await send(first, packets[:300])
        async with connected(url) as second:
            again = {name: started[name] for name in ("audioId", "resumeSecret")}
            resumed = await second.start(**fields, **again, lastSeq=0)
            assert resumed["receivedSeq"] == 299
            await send(second, packets[280:], first=280)
            await second.call("end_audio")
            final = await second.first("audio_final")
        assert final["duration"] == pytest.approx(UNTIL_S, abs=0.05)
        assert word_error_rate(SAID, final["transcript"]) <= 0.2


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"ext": "pcm24"}, "ext: 'pcm24' is not known; without a container: pcm, pcmu, ulaw"),
        ({"ext": "ulaw", "sampleRate": 400}, "sampleRate must be 4000 to 384000"),
        ({"channelCount": 0}, "channelCount must be 1 to 16"),
        ({"channelCount": 99}, "channelCount must be 1 to 16"),
        ({"channelCount": "two"}, "channelCount: "),
        ({"ext": "opus", "channelCount": 6}, "channelCount must be 1 to 2"),
        ({"channels": "stereo"}, "channels: "),
        ({"channels": 2}, "channels: must be 'mix' or 'separate'; channelCount says how many"),
        (
            {"channels": "separate", "numSpeakers": 2},
            "channels: each is one speaker if they are separate, so leave out numSpeakers",
        ),
    ],
)
async def test_what_makes_no_sense(client: Client, fields: Message, message: str) -> None:
    answer = await client.start(**fields)
    assert (answer["ok"], answer["error"]) == (False, "invalid_request")
    assert answer["message"].startswith(message)
    assert (await client.first("audio_error"))["message"] == answer["message"]


async def test_a_container_with_another_number_of_channels(client: Client) -> None:
    mono = converted("-c:a", "libopus", "-f", "webm")
    final = await final_of(client, [mono], channels="separate", finalPass=False)
    [fault] = client.all("audio_error")
    assert fault["message"] == "the audio has 1 channel, and 2 separate ones were announced"
    assert final["error"] == "invalid_audio"
