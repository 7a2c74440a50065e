"""Recordings that are read at the same time share batches, and nothing else."""

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import TINY_WHISPER, sample_pcm
from echostream.domain import SAMPLE_RATE_HZ, TranscribeOptions, joined
from echostream.engine.whisper import load_whisper
from echostream.engine.whisper.decoder import Ask, Audio, Decoder, Encoded, Reading, Request
from echostream.engine.whisper.sharing import SharedDecoder
from echostream.errors import EngineError
from echostream.settings import Settings

WAIT_S = 30
BROKEN = -1.0


class GatedDecoder:
    """Says each window's first sample, and fails where that is BROKEN. `batches` are the windows of
    each call. Encoding waits for the gate."""

    is_multilingual = True

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.entered = threading.Semaphore(0)
        self.batches: list[list[float]] = []

    def encode(self, audios: Sequence[Audio], *, padded: bool) -> list[Encoded]:
        self.batches.append([float(audio[0]) for audio in audios])
        self.entered.release()
        assert self.gate.wait(WAIT_S)
        if any(audio[0] == BROKEN for audio in audios):
            raise EngineError("broken")
        return [Encoded(audio, 1.0) for audio in audios]

    def languages(self, spans: Sequence[object]) -> list[dict[str, float]]:
        return [{"en": 1.0} for _span in spans]

    def decode(self, requests: Sequence[Request]) -> list[Reading]:
        return [
            Reading((), request.language, avg_logprob=float(request.encoded.output[0]))
            for request in requests
        ]

    def close(self) -> None:
        pass


def audios(*firsts: float) -> list[Audio]:
    return [np.full(160, first, dtype=np.float32) for first in firsts]


def said(seat: Decoder, windows: Sequence[Audio]) -> list[float]:
    """What `GatedDecoder` says of them."""
    requests = [Request(each, "en", Ask()) for each in seat.encode(windows, padded=False)]
    return [reading.avg_logprob for reading in seat.decode(requests)]


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as threads:
        yield threads


@pytest.fixture
def decoder(pool: ThreadPoolExecutor) -> Iterator[GatedDecoder]:
    gated = GatedDecoder()
    yield gated
    gated.gate.set()


def begin(
    pool: ThreadPoolExecutor, shared: SharedDecoder, windows: list[Audio], *, live: bool = False
) -> "Future[list[float]]":
    return pool.submit(said, shared.seat(live=live), windows)


def wait_until(shared: SharedDecoder, waiting: int) -> None:
    deadline = time.monotonic() + WAIT_S
    while shared.waiting != waiting:
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_windows_that_wait_are_read_together(
    pool: ThreadPoolExecutor, decoder: GatedDecoder
) -> None:
    shared = SharedDecoder(decoder, batch_size=4)
    first = begin(pool, shared, audios(1))
    assert decoder.entered.acquire(timeout=WAIT_S)
    others = [begin(pool, shared, audios(number)) for number in (2, 3, 4)]
    wait_until(shared, waiting=3)
    decoder.gate.set()
    assert [each.result(WAIT_S) for each in (first, *others)] == [[1], [2], [3], [4]]
    assert [sorted(batch) for batch in decoder.batches] == [[1], [2, 3, 4]]


def test_a_short_recording_does_not_wait_for_a_long_one(
    pool: ThreadPoolExecutor, decoder: GatedDecoder
) -> None:
    shared = SharedDecoder(decoder, batch_size=2)
    long = begin(pool, shared, audios(*range(10)))
    assert decoder.entered.acquire(timeout=WAIT_S)
    short = begin(pool, shared, audios(100))
    wait_until(shared, waiting=9)
    decoder.gate.set()
    assert short.result(WAIT_S) == [100]
    assert long.result(WAIT_S) == list(range(10))
    assert 100 in decoder.batches[1]


def test_live_does_not_wait_for_files(pool: ThreadPoolExecutor) -> None:
    files, live = GatedDecoder(), GatedDecoder()

    class Either(GatedDecoder):
        def encode(self, audios: Sequence[Audio], *, padded: bool) -> list[Encoded]:
            return (live if audios[0][0] < 0 else files).encode(audios, padded=padded)

    shared = SharedDecoder(Either(), batch_size=4)
    file = begin(pool, shared, audios(1, 2, 3))
    assert files.entered.acquire(timeout=WAIT_S)
    live.gate.set()
    sessions = [begin(pool, shared, audios(-2), live=True) for _ in range(3)]
    assert [each.result(WAIT_S) for each in sessions] == [[-2]] * 3
    assert not file.done()
    files.gate.set()
    assert file.result(WAIT_S) == [1, 2, 3]


def test_a_fault_is_that_of_its_recording_alone(
    pool: ThreadPoolExecutor, decoder: GatedDecoder
) -> None:
    shared = SharedDecoder(decoder, batch_size=8)
    first = begin(pool, shared, audios(1))
    assert decoder.entered.acquire(timeout=WAIT_S)
    broken, whole = begin(pool, shared, audios(2, BROKEN)), begin(pool, shared, audios(3, 4))
    wait_until(shared, waiting=4)
    decoder.gate.set()
    with pytest.raises(EngineError, match="broken"):
        broken.result(WAIT_S)
    assert first.result(WAIT_S) == [1]
    assert whole.result(WAIT_S) == [3, 4]
    assert begin(pool, shared, audios(5)).result(WAIT_S) == [5]


@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=8),
    batch_size=st.integers(1, 6),
)
def test_each_gets_its_own_answers(sizes: list[int], batch_size: int) -> None:
    decoder = GatedDecoder()
    decoder.gate.set()
    shared = SharedDecoder(decoder, batch_size=batch_size)
    wanted = [
        [float(100 * number + each) for each in range(size)] for number, size in enumerate(sizes)
    ]
    with ThreadPoolExecutor(len(sizes)) as pool:
        found = [begin(pool, shared, audios(*numbers)) for numbers in wanted]
        assert [each.result(WAIT_S) for each in found] == wanted
    assert shared.waiting == 0
    assert max(map(len, decoder.batches)) <= batch_size
    assert sum(map(len, decoder.batches)) == sum(sizes)


def test_a_text_does_not_depend_on_who_else_is_read() -> None:
    transcriber = load_whisper(TINY_WHISPER, "tiny-meeting", Settings(whisper_batch_size=4))
    samples = sample_pcm()
    parts = [
        samples[second * SAMPLE_RATE_HZ :][: 20 * SAMPLE_RATE_HZ] for second in (0, 10, 20, 30)
    ]

    def text(part: np.ndarray) -> str:
        return joined(list(transcriber.transcribe(part, TranscribeOptions()).segments))

    alone = [text(part) for part in parts]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(text, parts))
    transcriber.close()
    assert together == alone
    assert all(alone)
