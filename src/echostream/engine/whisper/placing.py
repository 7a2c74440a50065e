"""When the words of a window were said in the recording."""

from collections.abc import Sequence

from echostream.domain import SAMPLE_RATE_HZ, Word
from echostream.engine.segments import TimedWord
from echostream.engine.vad import Region
from echostream.engine.whisper.decoder import Reading
from echostream.engine.whisper.words import SpokenWord
from echostream.engine.windows import Window

_LEAD_S, _TAIL_S = 0.1, 0.2
"""How far a word may extend beyond the speech that contains it. The detector works in steps of
32 ms and is late for soft sounds."""
_ONE_REGION_S = 0.4
"""Shorter pauses belong to speech: stops, breaths, hesitation."""


def timed_words(window: Window, reading: Reading) -> list[TimedWord]:
    """Converts a window's words to the audio's time, each kept inside the speech around it."""
    speech = _merged(window.speech)
    return [
        TimedWord(
            word=_placed(window, speech, word),
            language=reading.language,
            tokens=word.tokens,
            temperature=reading.temperature,
            avg_logprob=reading.avg_logprob,
            compression_ratio=reading.compression_ratio,
            no_speech_prob=reading.no_speech_prob,
            begins_window=number == 0,
        )
        for number, word in enumerate(reading.words)
    ]


def _placed(window: Window, speech: Sequence[Region], word: SpokenWord) -> Word:
    start_s, end_s = window.place(word.start_s, word.end_s)
    overlaps = [
        (
            min(end_s, region.end / SAMPLE_RATE_HZ) - max(start_s, region.start / SAMPLE_RATE_HZ),
            region,
        )
        for region in speech
    ]
    overlap_s, region = max(overlaps, key=lambda each: each[0])
    if overlap_s > 0:
        start_s = max(start_s, region.start / SAMPLE_RATE_HZ - _LEAD_S)
        end_s = min(end_s, region.end / SAMPLE_RATE_HZ + _TAIL_S)
    return Word(start_s, end_s, word.text, round(word.probability, 4), word.space_before)


def _merged(speech: Sequence[Region]) -> list[Region]:
    """Joins regions of speech across short pauses."""
    merged: list[Region] = []
    for region in speech:
        if merged and region.start - merged[-1].end < _ONE_REGION_S * SAMPLE_RATE_HZ:
            merged[-1] = Region(merged[-1].start, region.end)
        else:
            merged.append(region)
    return merged
