"""pocketsphinx, which needs no download: US English, no punctuation, modest accuracy."""

import json
import queue
import struct
import subprocess
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress

from echostream.children import PYTHON
from echostream.domain import SAMPLE_RATE_HZ, Segment, TranscribeOptions, Word
from echostream.engine.base import ENGLISH, Capabilities, Report, Samples, Transcription
from echostream.engine.coverage import speech_without_text, unread
from echostream.engine.segments import Segmenter, TimedWord
from echostream.engine.vad import Region, speech_regions
from echostream.engine.windows import padded
from echostream.errors import EngineError

_MAX_UTTERANCE_S = 20.0
_MIN_SILENCE_S = 0.3
_PAD = int(0.15 * SAMPLE_RATE_HZ)
_CHILD_EXIT_S = 5.0


class SphinxTranscriber:
    """Sends each utterance that the VAD finds to a child process; see `sphinx_child`.

    Children are kept and reused. There are never more of them than concurrent calls.
    """

    engine = "pocketsphinx"
    model = "en-us"
    capabilities = Capabilities(languages=ENGLISH, translation=False)

    def __init__(self) -> None:
        self._idle: queue.LifoQueue[subprocess.Popen[bytes]] = queue.LifoQueue()
        self._one_live = threading.Lock()

    def transcribe(
        self,
        samples: Samples,
        options: TranscribeOptions,
        *,
        live: bool = False,
        speech: Sequence[Region] | None = None,
    ) -> Transcription:
        # What is speech for other engines may be too long for this one.
        report = Report("en")
        # A child needs 100 MB, so all live sessions share one.
        turn = self._one_live if live else nullcontext()
        return Transcription(self._segments(samples, report, turn), report)

    def _segments(
        self, samples: Samples, report: Report, turn: AbstractContextManager[object]
    ) -> Generator[Segment]:
        speech = speech_regions(
            samples, max_region_s=_MAX_UTTERANCE_S, min_silence_s=_MIN_SILENCE_S
        )
        segmenter = Segmenter(len(samples) / SAMPLE_RATE_HZ)
        with turn, self._child() as child:
            for region, piece in padded(speech, len(samples), _PAD):
                report.begin(piece.end / SAMPLE_RATE_HZ)
                words = _recognise(child, samples, piece)
                report.end()
                report.spoken("en", sum(word.end_s - word.start_s for word in words))
                said = [(word.start_s, word.end_s, word.text) for word in words]
                report.warnings += map(speech_without_text, unread([region], said))
                yield from segmenter.add(TimedWord(word) for word in words)
                yield from segmenter.close()

    @contextmanager
    def _child(self) -> Iterator[subprocess.Popen[bytes]]:
        """Yields an idle child or a new one. A child that failed is not used again."""
        child = self._idle_child() or _start_child()
        failed = False
        try:
            yield child
        except EngineError:
            failed = True
            raise
        finally:
            if failed:
                _end_child(child)
            else:
                self._idle.put(child)

    def _idle_child(self) -> subprocess.Popen[bytes] | None:
        with suppress(queue.Empty):
            while True:
                child = self._idle.get_nowait()
                if child.poll() is None:
                    return child
                _end_child(child)
        return None

    def close(self) -> None:
        with suppress(queue.Empty):
            while True:
                _end_child(self._idle.get_nowait())


def _start_child() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*PYTHON, "-m", "echostream.engine.sphinx_child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def _end_child(child: subprocess.Popen[bytes]) -> None:
    with suppress(OSError), child:
        if child.stdin:
            child.stdin.close()
        try:
            child.wait(_CHILD_EXIT_S)
        except subprocess.TimeoutExpired:
            child.kill()


def _recognise(child: subprocess.Popen[bytes], samples: Samples, region: Region) -> list[Word]:
    """Sends one utterance and returns its words. Raises EngineError if the child has ended."""
    pcm = samples[region.start : region.end].tobytes()
    if child.stdin is None or child.stdout is None:
        raise EngineError("the pocketsphinx process has no pipes")
    try:
        child.stdin.write(struct.pack("<I", len(pcm)))
        child.stdin.write(pcm)
        child.stdin.flush()
        line = child.stdout.readline()
    except OSError as error:
        raise EngineError("the pocketsphinx process has ended") from error
    if not line:
        raise EngineError("the pocketsphinx process has ended")
    offset_s = region.start / SAMPLE_RATE_HZ
    return [
        Word(round(offset_s + start_s, 3), round(offset_s + end_s, 3), text, round(probability, 4))
        for text, start_s, end_s, probability in json.loads(line)
    ]
