"""Decoders that keep to the protocol, for tests that are not about the model."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from echostream.domain import SAMPLE_RATE_HZ
from echostream.engine.whisper.decoder import Ask, Audio, Decoder, Encoded, Reading, Request, Span
from echostream.engine.whisper.languages import Chances
from echostream.engine.whisper.words import SpokenWord

UNIT = SAMPLE_RATE_HZ // 100


def numbered(seconds: float) -> np.ndarray:
    """Samples that say where they are: each ten milliseconds have their number as value."""
    return (np.arange(int(seconds * SAMPLE_RATE_HZ)) // UNIT).astype(np.int16)


@dataclass(frozen=True)
class Said:
    """Text that is said at a time of the recording."""

    text: str
    start_s: float
    end_s: float
    language: str = "en"


@dataclass
class ScriptedDecoder:
    """Reads `numbered` samples: hears what `script` says, where all of it lies in a window.

    `calls` are the windows it was given, as the seconds of their first and last samples.
    """

    script: Sequence[Said]
    is_multilingual: bool = True
    calls: list[list[tuple[float, float]]] = field(default_factory=list)
    asks: list[tuple[tuple[str, ...], Ask]] = field(default_factory=list)

    def encode(self, audios: Sequence[Audio], *, padded: bool) -> list[Encoded]:
        places = [np.round(audio * 32768).astype(int)[::UNIT] / 100 for audio in audios]
        self.calls.append([(float(each[0]), float(each[-1])) for each in places])
        return [
            Encoded(each, len(audio) / SAMPLE_RATE_HZ)
            for each, audio in zip(places, audios, strict=True)
        ]

    def languages(self, spans: Sequence[Span]) -> list[Chances]:
        found = []
        for span in spans:
            heard = self.heard(span.encoded.output)
            said_s = {each.language: 0.001 for each in self.script} | {"en": 0.001}
            for each, start_s, end_s in heard:
                overlap_s = min(end_s, span.end_s) - max(start_s, span.start_s)
                said_s[each.language] += max(0.0, overlap_s)
            total_s = sum(said_s.values())
            found.append({code: value / total_s for code, value in said_s.items()})
        return found

    def decode(self, requests: Sequence[Request]) -> list[Reading]:
        self.asks.append((tuple(each.language for each in requests), requests[0].ask))
        return [self.reading(each.encoded.output, each.language, each.ask) for each in requests]

    def reading(self, places: np.ndarray, language: str, ask: Ask) -> Reading:
        words = tuple(
            SpokenWord(
                # What is said in another language is made up in this one.
                each.text if each.language == language else f"{language}?",
                *(True, start_s, end_s, 0.9, (1,)),
            )
            for each, start_s, end_s in self.heard(places)
        )
        return Reading(words, language, avg_logprob=-0.1, temperature=ask.temperature)

    def heard(self, places: np.ndarray) -> list[tuple[Said, float, float]]:
        """What is said in a window, with its time there."""
        found = []
        for each in self.script:
            inside = np.flatnonzero((places >= each.start_s) & (places <= each.end_s))
            if len(inside) >= (each.end_s - each.start_s) * 100 * 0.9:
                found.append((each, inside[0] / 100, inside[-1] / 100))
        return found

    def close(self) -> None:
        pass


@dataclass
class EarlyDecoder:
    """Another decoder that ends its text early, as Whisper does with time tokens: of any window
    longer than `least_s` it reads only the first `share`."""

    decoder: Decoder
    share: float = 0.6
    least_s: float = 3.0

    @property
    def is_multilingual(self) -> bool:
        return self.decoder.is_multilingual

    def encode(self, audios: Sequence[Audio], *, padded: bool) -> list[Encoded]:
        return self.decoder.encode(audios, padded=padded)

    def languages(self, spans: Sequence[Span]) -> list[Chances]:
        return self.decoder.languages(spans)

    def decode(self, requests: Sequence[Request]) -> list[Reading]:
        found = self.decoder.decode(requests)
        return [
            self._cut(reading, request.encoded.duration_s)
            for reading, request in zip(found, requests, strict=True)
        ]

    def _cut(self, reading: Reading, length_s: float) -> Reading:
        if length_s < self.least_s:
            return reading
        end_s = self.share * length_s
        return replace(reading, words=tuple(w for w in reading.words if w.end_s <= end_s))

    def close(self) -> None:
        self.decoder.close()
