"""Reads one recording in batches: decodes windows, checks the text, re-reads what is missing."""

from collections.abc import Sequence
from dataclasses import replace

import structlog

from echostream.domain import SAMPLE_RATE_HZ, TranscribeOptions
from echostream.engine.base import Report, Samples
from echostream.engine.coverage import speech_without_text, unread
from echostream.engine.segments import TimedWord
from echostream.engine.vad import Region
from echostream.engine.whisper import guards
from echostream.engine.whisper.decoder import Ask, Decoder, Encoded, Reading, Request, Span
from echostream.engine.whisper.languages import (
    PART_S,
    Chances,
    Languages,
    runs,
    starts_of_parts,
)
from echostream.engine.whisper.placing import timed_words
from echostream.engine.windows import Window, windows

log = structlog.get_logger(__name__)

_FALLBACK_TEMPERATURES = (0.2, 0.4, 0.6, 0.8, 1.0)
_MOST_ROUNDS = 10
_LEAST_HEARD_S = 2.0
"""One word is too short to detect its language, so its neighbours count too."""
_EDGE_S = 0.25
"""Speech is read again without its neighbours; words outside it by more than this are theirs."""


class RecordingReader:
    """Reads the windows of one recording in order."""

    def __init__(
        self, decoder: Decoder, samples: Samples, options: TranscribeOptions, report: Report
    ) -> None:
        self._decoder = decoder
        self._samples = samples
        self._options = options
        self._report = report
        self._ask = Ask(options.task, options.prompt, options.hotwords, options.temperature)
        fixed = options.language if decoder.is_multilingual else "en"
        self._languages = Languages(fixed, options.expected_language)

    def read(self, batch: Sequence[Window]) -> list[TimedWord]:
        """Returns the words of some windows, in order of time."""
        words = [
            word for window, reading in self._decode(batch) for word in timed_words(window, reading)
        ]
        speech = [region for window in batch for region in window.speech]
        words, left_out = self._with_rest(speech, words)
        self._report.warnings += map(speech_without_text, left_out)
        for word in words:
            self._report.spoken(word.language or "und", word.word.end_s - word.word.start_s)
        return words

    def _with_rest(
        self, speech: Sequence[Region], words: list[TimedWord]
    ) -> tuple[list[TimedWord], list[Region]]:
        """Returns all words, with those of speech that was left out, and the speech still without.

        First it reads each gap as a whole, as Whisper itself would continue; then each missing
        stretch alone. These may also end early, so it continues until there is nothing new.
        """
        tried: set[tuple[Region, ...]] = set()
        left_out = self._worth_another_look(unread(speech, _said(words)))
        for number in range(_MOST_ROUNDS):
            stretches = [(region,) for region in left_out] if number else _runs(left_out, words)
            untried = [each for each in stretches if each not in tried]
            found = self._read_again(untried, words)
            if number and not found:
                break
            tried.update(untried)
            words = _in_order([*words, *found])
            left_out = self._worth_another_look(unread(speech, _said(words)))
        return words, left_out

    def _decode(self, batch: Sequence[Window]) -> list[tuple[Window, Reading]]:
        encoded = self._encode(batch)
        parts = self._hear(encoded)
        languages = [self._languages.sure(each) for each in parts]
        if any(len(each) > 1 for each in languages):
            batch, codes = self._split(batch, encoded, languages)
            encoded = self._encode(batch)
        else:
            codes = [each[0] for each in languages]
        readings = self._decoder.decode(
            [Request(each, code, self._ask) for each, code in zip(encoded, codes, strict=True)]
        )
        return [
            (window, self._checked(window, reading))
            for window, reading in zip(
                batch, self._with_padding(batch, encoded, readings), strict=True
            )
        ]

    def _encode(self, batch: Sequence[Window]) -> list[Encoded]:
        audios = [window.audio(self._samples) for window in batch]
        # Without padding, hotwords win less often over names that sound like them.
        return self._decoder.encode(audios, padded=bool(self._ask.hotwords))

    def _with_padding(
        self, batch: Sequence[Window], encoded: Sequence[Encoded], readings: Sequence[Reading]
    ) -> list[Reading]:
        """Reads windows again, padded to 30 s, if their quick reading is in doubt."""
        found = list(readings)
        doubtful = [
            number
            for number, window in enumerate(batch)
            if not encoded[number].padded and guards.is_doubtful(found[number], _speech_s(window))
        ]
        if doubtful:
            audios = [batch[number].audio(self._samples) for number in doubtful]
            requests = [
                Request(each, found[number].language, self._ask)
                for each, number in zip(
                    self._decoder.encode(audios, padded=True), doubtful, strict=True
                )
            ]
            for number, reading in zip(doubtful, self._decoder.decode(requests), strict=True):
                found[number] = reading
        return found

    def _hear(self, batch: Sequence[Encoded]) -> list[list[tuple[Chances, float]]]:
        """Returns the languages of each window's parts, with their seconds."""
        if self._languages.fixed is not None:
            return [[] for _window in batch]
        spans = [
            [Span(each, at_s, at_s + PART_S) for at_s in starts_of_parts(each.duration_s)]
            for each in batch
        ]
        chances = iter(self._decoder.languages([span for each in spans for span in each]))
        parts = [
            [(next(chances), min(PART_S, span.encoded.duration_s - span.start_s)) for span in each]
            for each in spans
        ]
        for each_window in parts:
            self._languages.hear(each_window)
        return parts

    def _split(
        self,
        batch: Sequence[Window],
        encoded: Sequence[Encoded],
        languages: Sequence[Sequence[str]],
    ) -> tuple[list[Window], list[str]]:
        """Cuts windows that have several languages at pauses, so that each window has one."""
        cut: list[Window] = []
        codes: list[str] = []
        for window, seen, among in zip(batch, encoded, languages, strict=True):
            if len(among) == 1:
                cut.append(window)
                codes.append(among[0])
                continue
            pieces = window.by_speech()
            spans, start_s = [], 0.0
            for piece in pieces:
                end_s = start_s + piece.length / SAMPLE_RATE_HZ
                middle_s = max(_LEAST_HEARD_S, start_s + end_s) / 2
                spans.append(
                    Span(
                        seen,
                        min(start_s, middle_s - _LEAST_HEARD_S / 2),
                        max(end_s, middle_s + _LEAST_HEARD_S / 2),
                    )
                )
                start_s = end_s
            place = 0
            for code, count in runs(self._decoder.languages(spans), among):
                cut.append(Window.joined(pieces[place : place + count]))
                codes.append(code)
                place += count
        return cut, codes

    def _checked(self, window: Window, reading: Reading) -> Reading:
        """Returns the reading, a better one, or an empty one if there was nothing to read."""
        speech_s = _speech_s(window)
        if guards.is_invented(reading):
            return replace(reading, words=())
        if self._has_leaked(reading):
            plain = self._again(
                window, reading.language, replace(self._ask, prompt=None, hotwords=())
            )
            if not self._has_leaked(plain):
                reading = plain
        if self._options.draft:
            return guards.without_loops(reading) if guards.is_loop(reading, speech_s) else reading
        if guards.is_loop(reading, speech_s) or guards.is_unsure(reading):
            reading = self._with_fallback(window, reading, speech_s)
        if guards.is_invented(reading):
            return replace(reading, words=())
        return guards.without_loops(reading) if guards.is_loop(reading, speech_s) else reading

    def _has_leaked(self, reading: Reading) -> bool:
        hints = " ".join([self._ask.prompt or "", *self._ask.hotwords])
        return guards.leaked(reading, hints)

    def _with_fallback(self, window: Window, reading: Reading, speech_s: float) -> Reading:
        """Samples at rising temperatures, as Whisper does for loops and unsure text. Returns the
        most probable reading that is not a loop."""
        tried = [reading]
        for temperature in _FALLBACK_TEMPERATURES:
            if temperature <= self._ask.temperature:
                continue
            found = self._again(
                window, reading.language, replace(self._ask, temperature=temperature)
            )
            tried.append(found)
            if not guards.is_loop(found, speech_s) and not guards.is_unsure(found):
                break
        log.info("whisper_fallback", temperature=tried[-1].temperature)
        sound = [each for each in tried if not guards.is_loop(each, speech_s)]
        return max(sound or tried, key=lambda each: each.avg_logprob)

    def _again(self, window: Window, language: str, ask: Ask) -> Reading:
        [encoded] = self._decoder.encode([window.audio(self._samples)], padded=True)
        return self._decoder.decode([Request(encoded, language, ask)])[0]

    def _worth_another_look(self, left_out: list[Region]) -> list[Region]:
        """Leaves out the end of a draft, because the next draft has more of it."""
        if self._options.draft and left_out and left_out[-1].end >= self._draft_end:
            return left_out[:-1]
        return left_out

    @property
    def _draft_end(self) -> int:
        return len(self._samples) - SAMPLE_RATE_HZ

    def _read_again(
        self, stretches: list[tuple[Region, ...]], known: list[TimedWord]
    ) -> list[TimedWord]:
        """Reads speech that was left out, each stretch in its own windows. Uses no prompt, because
        the prompt may be why the decoder left the words out."""
        found: list[TimedWord] = []
        for stretch in stretches:
            language = _language_at(known, stretch[0]) or self._languages.main
            for window in windows(stretch, len(self._samples)):
                reading = self._again(window, language, replace(self._ask, prompt=None))
                checked = self._checked(window, reading)
                found += [
                    word
                    for word in timed_words(window, checked)
                    if any(_lies_in(word, region) for region in stretch)
                ]
        return found


def _speech_s(window: Window) -> float:
    return sum(region.length for region in window.speech) / SAMPLE_RATE_HZ


def _runs(left_out: Sequence[Region], words: Sequence[TimedWord]) -> list[tuple[Region, ...]]:
    """Joins neighbours that have no word between them."""
    found: list[tuple[Region, ...]] = []
    for region in left_out:
        if found and not _stands_between(words, found[-1][-1], region):
            found[-1] = (*found[-1], region)
        else:
            found.append((region,))
    return found


def _stands_between(words: Sequence[TimedWord], before: Region, after: Region) -> bool:
    start_s, end_s = before.end / SAMPLE_RATE_HZ, after.start / SAMPLE_RATE_HZ
    return any(start_s <= (each.word.start_s + each.word.end_s) / 2 <= end_s for each in words)


def _said(words: Sequence[TimedWord]) -> list[tuple[float, float, str]]:
    return [(each.word.start_s, each.word.end_s, each.word.text) for each in words]


def _in_order(words: list[TimedWord]) -> list[TimedWord]:
    return sorted(words, key=lambda each: each.word.start_s)


def _language_at(words: Sequence[TimedWord], region: Region) -> str | None:
    """Returns the language of the nearest word."""
    at_s = (region.start + region.end) / 2 / SAMPLE_RATE_HZ
    nearest = min(words, key=lambda each: abs(each.word.start_s - at_s), default=None)
    return nearest.language if nearest else None


def _lies_in(timed: TimedWord, region: Region) -> bool:
    middle_s = (timed.word.start_s + timed.word.end_s) / 2
    edge_s = _EDGE_S
    return (
        region.start / SAMPLE_RATE_HZ - edge_s <= middle_s <= region.end / SAMPLE_RATE_HZ + edge_s
    )
