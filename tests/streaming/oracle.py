"""An engine that knows the sample by heart, so that a transcript does not depend on when it asks.

It finds the samples it is given in the sample, and says the words that lie whole among them.
"""

import threading
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

from conftest import sample_pcm, sample_turns
from echostream.domain import SAMPLE_RATE_HZ, Segment, TranscribeOptions, Word
from echostream.engine import Capabilities, Report, Samples, Transcription
from echostream.engine.vad import Region
from echostream.errors import EchoStreamError


def sample_words() -> list[Word]:
    """The words of the sample, spread evenly over each turn."""
    words = []
    for turn in sample_turns():
        texts = turn["text"].split()
        step_s = (turn["end_s"] - turn["start_s"]) / len(texts)
        words += [
            Word(turn["start_s"] + number * step_s, turn["start_s"] + (number + 1) * step_s, text)
            for number, text in enumerate(texts)
        ]
    return words


@dataclass
class OracleTranscriber:
    """`hold`, where given, is waited for in each call. `errors` are raised, one a call."""

    hold: threading.Event | None = None
    errors: list[EchoStreamError] = field(default_factory=list)
    calls: list[TranscribeOptions] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    speech: list[Sequence[Region] | None] = field(default_factory=list)
    asked: threading.Event = field(default_factory=threading.Event)
    engine: str = "oracle"
    model: str = "meeting"
    capabilities: Capabilities = field(default_factory=Capabilities)

    def __post_init__(self) -> None:
        # Twice, for clients that play the sample again and again.
        self._haystack = sample_pcm().tobytes() * 2
        again_s = len(sample_pcm()) / SAMPLE_RATE_HZ
        self._words = sample_words()
        self._words += [
            Word(word.start_s + again_s, word.end_s + again_s, word.text) for word in self._words
        ]

    def transcribe(
        self,
        samples: Samples,
        options: TranscribeOptions,
        *,
        live: bool = False,
        speech: Sequence[Region] | None = None,
    ) -> Transcription:
        self.calls.append(options)
        self.speech.append(speech)
        self.seconds.append(len(samples) / SAMPLE_RATE_HZ)
        self.asked.set()
        if self.hold:
            self.hold.wait(30)
        if self.errors:
            raise self.errors.pop()
        report = Report()
        report.spoken("en", 1.0)
        return Transcription(self._segments(samples), report)

    def _segments(self, samples: Samples) -> Generator[Segment]:
        start_s = self._place(samples) / SAMPLE_RATE_HZ
        end_s = start_s + len(samples) / SAMPLE_RATE_HZ
        words = [
            Word(word.start_s - start_s, word.end_s - start_s, word.text)
            for word in self._words
            if word.start_s >= start_s - 0.001 and word.end_s <= end_s
        ]
        sentence: list[Word] = []
        for word in words:
            sentence.append(word)
            if word.text.endswith((".", "?")) or word is words[-1]:
                text = " ".join(one.text for one in sentence)
                yield Segment(
                    0, sentence[0].start_s, sentence[-1].end_s, text, words=tuple(sentence)
                )
                sentence = []

    def _place(self, samples: Samples) -> int:
        place = self._haystack.find(samples.tobytes())
        assert place >= 0, "these samples are not of the sample"
        return place // 2

    def close(self) -> None:
        pass
