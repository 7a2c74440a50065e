"""Bytes of a live client to samples: the real ffmpeg, streams cut anywhere, and what is broken."""

import asyncio
import os
import random
import signal
import subprocess
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import SAMPLE
from echostream.errors import InvalidAudio, InvalidRequest
from echostream.media import RawDecoder, RawMix, ffmpeg_path
from echostream.media.decode import decode
from echostream.streaming.decoder import Head, StreamDecoder, begins_a_file
from echostream.streaming.forms import IN_CONTAINERS, PCM, AudioForm
from ogg import opus_packets
from processes import children
from streaming.conftest import CONTAINERS, cut, wav_files

RATE_HZ = 16_000


class Decoded:
    """Takes what a decoder has to say."""

    def __init__(self, form: AudioForm = IN_CONTAINERS) -> None:
        self.parts: list[np.ndarray] = []
        self.faults: list[InvalidAudio] = []
        self.decoder = StreamDecoder(self.take, self.faults.append, form)

    async def take(self, samples: np.ndarray) -> None:
        self.parts.append(samples)

    @property
    def samples(self) -> np.ndarray:
        return np.concatenate([np.zeros(0, np.int16), *self.parts])

    @property
    def seconds(self) -> float:
        return len(self.samples) / RATE_HZ


async def decoded(pieces: Iterable[bytes], form: AudioForm = IN_CONTAINERS) -> Decoded:
    found = Decoded(form)
    for piece in pieces:
        await found.decoder.feed(piece)
    await found.decoder.finish()
    return found


@pytest.mark.parametrize("container", CONTAINERS)
async def test_a_stream_may_be_cut_anywhere(beginning: dict[str, bytes], container: str) -> None:
    stream = beginning[container]
    whole = await decoded([stream])
    assert whole.seconds == pytest.approx(10, abs=0.2)
    for seed in range(10):
        found = await decoded(cut(stream, seed))
        assert np.array_equal(found.samples, whole.samples), f"seed {seed}"
        assert found.faults == []


async def test_a_stream_is_decoded_as_a_file_is(recorded: dict[str, bytes], tmp_path) -> None:
    path = tmp_path / "stream.webm"
    path.write_bytes(recorded["webm"])
    as_file = await decode(path, max_audio_s=100, timeout_s=30)
    as_stream = (await decoded(cut(recorded["webm"], 1))).samples
    # A file's sound is put where its timestamps are, some milliseconds after its beginning.
    before = len(as_file) - len(as_stream)
    assert 0 <= before < 0.03 * RATE_HZ
    assert np.array_equal(as_stream, as_file[before:])


async def test_files_one_after_the_other_are_joined(pcm: bytes) -> None:
    found = await decoded(wav_files(pcm[: 10 * 2 * RATE_HZ]))
    assert found.samples.tobytes() == pcm[: 10 * 2 * RATE_HZ]
    assert found.faults == []


async def test_streams_one_after_the_other_are_joined(recorded: dict[str, bytes]) -> None:
    both = [*cut(recorded["webm"], 1), *cut(recorded["ogg"], 2)]
    found = await decoded(both)
    assert found.seconds == pytest.approx(2 * 61.4, abs=0.3)


@given(seed=st.integers(0, 2**32), pieces=st.integers(2, 60))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_pcm_may_be_cut_in_the_middle_of_a_sample(pcm: bytes, seed: int, pieces: int) -> None:
    found = await decoded(cut(pcm[:9001], seed, pieces), PCM)
    assert found.samples.tobytes() == pcm[:9000]


@pytest.mark.parametrize("rate_hz", [8_000, 44_100, 48_000])
async def test_pcm_of_another_rate_is_resampled(pcm: bytes, rate_hz: int) -> None:
    found = await decoded(cut(pcm[: 2 * rate_hz * 3], 1, 31), AudioForm("pcm", rate_hz))
    assert found.seconds == pytest.approx(3, abs=0.01)


@pytest.mark.parametrize("seed", range(3))
async def test_telephone_codes_may_be_cut_anywhere(pcm: bytes, seed: int) -> None:
    codes = pcm[:20_000]  # any bytes are codes
    found = await decoded(cut(codes, seed), AudioForm.named("ulaw"))
    assert np.array_equal(found.samples, RawDecoder("pcmu", 8_000).feed(codes))


async def test_channels_are_kept_apart_or_mixed(pcm: bytes) -> None:
    left, right = (np.frombuffer(part, "<i2") for part in (pcm[:60_000], pcm[60_000:120_000]))
    both = np.stack([left, right], axis=1).tobytes()
    apart = await decoded(cut(both, 1), AudioForm("pcm", channels=2, apart=True))
    assert np.array_equal(np.concatenate(apart.parts, axis=1), [left, right])
    mixed = await decoded(cut(both, 2), AudioForm("pcm", channels=2))
    mix = RawMix("pcm", RATE_HZ, 2)
    assert np.array_equal(mixed.samples, np.concatenate([mix.feed(both), mix.finish()]))
    assert mixed.samples.shape == left.shape


async def test_a_long_piece_is_decoded_like_short_ones(pcm: bytes) -> None:
    form = AudioForm("pcm", 8_000)
    long = await decoded([pcm[:100_001]], form)
    assert np.array_equal(long.samples, (await decoded(cut(pcm[:100_001], 3), form)).samples)


async def test_a_minute_of_telephone_at_once() -> None:
    with pytest.raises(InvalidRequest, match="a minute"):
        await decoded([bytes(60 * 8_000 + 1)], AudioForm("pcmu", 8_000))


class TestOpusPackets:
    FORM = AudioForm("opus")

    async def test_they_are_decoded_as_their_file_is(self, beginning: dict[str, bytes]) -> None:
        packets = opus_packets(beginning["ogg"])
        found = await decoded(packets, self.FORM)
        as_file = (await decoded([beginning["ogg"]])).samples
        assert found.faults == []
        assert len(found.samples) == pytest.approx(len(as_file), abs=400)
        inside = slice(1_000, -1_000)
        assert np.array_equal(found.samples[104:][: len(as_file)][inside], as_file[inside])

    async def test_a_file_of_the_same_name(self, beginning: dict[str, bytes]) -> None:
        found = await decoded(cut(beginning["ogg"], 1), self.FORM)
        assert found.samples.tobytes() == (await decoded([beginning["ogg"]])).samples.tobytes()

    async def test_garbage_is_told_and_takes_as_long_as_sound(
        self, beginning: dict[str, bytes]
    ) -> None:
        packets = opus_packets(beginning["ogg"])
        whole = await decoded(packets, self.FORM)
        packets[40:50] = [b"\xffgarbage"] * 10
        packets[100] = b""  # which was lost
        packets[200] = bytes(70_000)
        found = await decoded(packets, self.FORM)
        assert len(found.samples) == len(whole.samples)
        assert [str(fault) for fault in found.faults] == [
            "this is not an Opus packet; silence is put in its place"
        ] * 2
        inside = slice(-5 * RATE_HZ, None)
        assert np.array_equal(found.samples[inside], whole.samples[inside])

    async def test_noise(self) -> None:
        chance = random.Random(3)
        noise = [chance.randbytes(chance.randrange(1, 300)) for _ in range(200)]
        found = await decoded(noise, self.FORM)
        assert found.faults
        assert {fault.code for fault in found.faults} == {"invalid_audio"}

    async def test_they_go_on_after_their_decoder_has_died(
        self, beginning: dict[str, bytes]
    ) -> None:
        packets = opus_packets(beginning["ogg"])
        before = set(children())
        found = Decoded(self.FORM)
        for packet in packets[:50]:
            await found.decoder.feed(packet)
        (pid,) = set(children()) - before
        os.kill(pid, signal.SIGKILL)
        for packet in packets[50:]:
            await found.decoder.feed(packet)
            await asyncio.sleep(0.002)  # they never come all at once
        await found.decoder.finish()
        assert 5 < found.seconds < 10.1

    async def test_sound_comes_while_they_come(self, beginning: dict[str, bytes]) -> None:
        found, arrived = Decoded(self.FORM), asyncio.Event()

        async def take(samples: np.ndarray) -> None:
            found.parts.append(samples)
            if found.seconds > 0.9:
                arrived.set()

        decoder = StreamDecoder(take, found.faults.append, self.FORM)
        for packet in opus_packets(beginning["ogg"])[:50]:  # a second
            await decoder.feed(packet)
        async with asyncio.timeout(30):
            await arrived.wait()
        await decoder.aclose()


@pytest.fixture(scope="module")
def stereo(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Ten seconds in which only the left channel has sound."""
    path = tmp_path_factory.mktemp("stereo") / "left.webm"
    left = ("-t", "10", "-af", "pan=stereo|c0=c0", *CONTAINERS["webm"])
    command = [ffmpeg_path(), "-v", "error", "-i", str(SAMPLE), *left, str(path)]
    subprocess.run(command, check=True)
    return path.read_bytes()


@pytest.fixture(scope="module")
def stereo_packets(stereo: bytes, tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("packets")
    (folder / "left.webm").write_bytes(stereo)
    command = [ffmpeg_path(), "-v", "error", "-i", "left.webm", "-c", "copy", "-f", "ogg", "-"]
    ran = subprocess.run(command, capture_output=True, check=True, cwd=folder)
    return opus_packets(ran.stdout)


async def test_opus_packets_with_two_channels(stereo_packets: list[bytes]) -> None:
    apart = await decoded(stereo_packets, AudioForm("opus", channels=2, apart=True))
    left, right = np.concatenate(apart.parts, axis=1)
    assert len(left) == pytest.approx(10 * RATE_HZ, abs=2_000)
    assert np.abs(left).max() > 3_000
    assert np.abs(right).max() < 30
    mixed = await decoded(stereo_packets, AudioForm("opus", channels=2))
    assert len(mixed.samples) == len(left)
    assert np.corrcoef(mixed.samples, left)[0, 1] > 0.9


class TestContainersWithSeparateChannels:
    FORM = AudioForm(channels=2, apart=True)

    async def test_they_are_kept_apart(self, stereo: bytes) -> None:
        found = await decoded(cut(stereo, 1), self.FORM)
        left, right = np.concatenate(found.parts, axis=1)
        assert len(left) == pytest.approx(10 * RATE_HZ, abs=2_000)
        assert np.abs(left).max() > 3_000
        assert np.abs(right).max() < 30
        assert found.faults == []

    async def test_another_number_of_them_is_told_and_later_streams_are_read(
        self, stereo: bytes, beginning: dict[str, bytes]
    ) -> None:
        found = await decoded([beginning["webm"], stereo], self.FORM)
        assert [str(fault) for fault in found.faults] == [
            "the audio has 1 channel, and 2 separate ones were announced"
        ]
        assert np.concatenate(found.parts, axis=1).shape == (2, pytest.approx(160_000, abs=2_000))


@pytest.mark.parametrize("rate_hz", [-1, 0, 3_999, 1_000_000])
async def test_a_rate_that_no_audio_has(rate_hz: int) -> None:
    with pytest.raises(InvalidRequest, match="sampleRate"):
        AudioForm("pcm", rate_hz)


async def test_raw_pieces_are_bounded() -> None:
    with pytest.raises(InvalidRequest, match="1 MiB"):
        await decoded([bytes(2**20 + 1)], PCM)


async def test_samples_come_while_the_stream_goes_on(recorded: dict[str, bytes]) -> None:
    found = Decoded()
    arrived = asyncio.Event()

    async def take(samples: np.ndarray) -> None:
        found.parts.append(samples)
        if found.seconds > 4:
            arrived.set()

    decoder = StreamDecoder(take, found.faults.append)
    five_seconds = len(recorded["webm"]) * 5 // 61
    for piece in cut(recorded["webm"][:five_seconds], 1, 50):
        await decoder.feed(piece)
    async with asyncio.timeout(30):
        await arrived.wait()
    await decoder.aclose()


class TestBrokenPieces:
    async def test_files_after_one_that_is_none(self, pcm: bytes) -> None:
        files = wav_files(pcm[: 3 * 2 * RATE_HZ])
        found = await decoded([b"this is no audio" * 100, *files])
        assert found.samples.tobytes() == pcm[: 3 * 2 * RATE_HZ]
        assert [fault.code for fault in found.faults] == ["invalid_audio"]

    async def test_a_gap_in_a_stream(self, recorded: dict[str, bytes]) -> None:
        pieces = cut(recorded["webm"], 3)
        pieces[40] = bytes(len(pieces[40]))
        found = await decoded(pieces)
        assert 55 < found.seconds < 61.5

    async def test_a_stream_goes_on_after_its_decoder_has_died(
        self, recorded: dict[str, bytes]
    ) -> None:
        pieces = cut(recorded["webm"], 4)
        before = set(children())
        found = Decoded()
        for piece in pieces[:50]:
            await found.decoder.feed(piece)
        (pid,) = set(children()) - before
        os.kill(pid, signal.SIGKILL)
        for piece in pieces[50:]:
            await found.decoder.feed(piece)
        await found.decoder.finish()
        assert 25 < found.seconds < 61.5

    @pytest.mark.parametrize("seed", range(3))
    async def test_noise(self, seed: int) -> None:
        noise = random.Random(seed).randbytes(100_000)
        found = await decoded(cut(noise, seed))
        assert found.faults
        assert {fault.code for fault in found.faults} == {"invalid_audio"}

    async def test_nothing_at_all(self) -> None:
        found = await decoded([])
        assert found.seconds == 0
        assert found.faults == []

    async def test_a_playlist_reads_no_file(self, pcm: bytes, tmp_path) -> None:
        (tmp_path / "secret.wav").write_bytes(wav_files(pcm)[0])
        playlist = f"ffconcat version 1.0\nfile {tmp_path}/secret.wav\n".encode()
        hls = f"#EXTM3U\n#EXTINF:1,\n{tmp_path}/secret.wav\n#EXT-X-ENDLIST\n".encode()
        for piece in (playlist, hls):
            found = await decoded([piece])
            assert found.seconds == 0
            assert found.faults


class TestBackpressure:
    async def test_a_sink_that_is_full_stops_the_client(self, recorded: dict[str, bytes]) -> None:
        gate = asyncio.Event()

        async def full(_samples: np.ndarray) -> None:
            await gate.wait()

        decoder = StreamDecoder(full, [].append)
        fed = 0

        async def feed_all() -> None:
            nonlocal fed
            while fed < 100:  # 23 MB
                await decoder.feed(recorded["webm"])
                fed += 1

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(feed_all(), 2)
        assert fed < 10
        await decoder.aclose()

    async def test_a_piece_that_was_given_up_was_not_taken(self, pcm: bytes) -> None:
        gate, parts = asyncio.Event(), []

        async def take(samples: np.ndarray) -> None:
            await gate.wait()
            parts.append(samples.tobytes())

        decoder = StreamDecoder(take, [].append, form=PCM)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await decoder.feed(pcm[:1001])
        gate.set()
        await decoder.feed(pcm[:1001])
        await decoder.feed(pcm[1001:2000])
        assert b"".join(parts) == pcm[:2000]


async def test_closing_leaves_no_process(recorded: dict[str, bytes]) -> None:
    before = children()
    decoder = Decoded().decoder
    await decoder.feed(recorded["webm"][:5000])
    assert len(children()) == len(before) + 1
    await decoder.aclose()
    assert children() == before


def test_what_begins_a_file(recorded: dict[str, bytes], pcm: bytes) -> None:
    for stream in (*recorded.values(), wav_files(pcm)[0], b"fLaC\0\0", b"ID3\x04"):
        assert begins_a_file(stream)
        assert not begins_a_file(stream[8:])
    page = b"OggS\0\0" + bytes(20)  # in the middle of a stream
    assert not begins_a_file(page)
    assert not begins_a_file(b"")


@pytest.mark.parametrize("container", ["webm", "mp4"])
@pytest.mark.parametrize("seed", range(5))
def test_the_head_of_a_stream(recorded: dict[str, bytes], container: str, seed: int) -> None:
    head = Head()
    for piece in cut(recorded[container], seed, 2000):
        head.watch(piece)
    assert 0 < len(head.of_the_stream) < 2000
    assert recorded[container].startswith(head.of_the_stream)
    following = recorded[container][len(head.of_the_stream) :]
    assert following.startswith(b"\x1f\x43\xb6\x75") or following[4:8] == b"moof"
