"""Finds text that the decoder made up, by comparing it with the audio. Pure functions.

A phrase that was really said ten times has ten different times; in a loop of the decoder, many
words take almost no time. The decoder itself is unsure of text that it writes for music or noise.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from echostream.engine.whisper.decoder import Reading, compression_ratio
from echostream.engine.whisper.words import SpokenWord

# Whisper's own thresholds (Radford et al. 2022, section 4.5).
_MAX_COMPRESSION_RATIO = 2.4
_MIN_AVG_LOGPROB = -1.0
_MAX_NO_SPEECH_PROB = 0.6

_MIN_WORD_PROBABILITY = 0.4
_MIN_INVENTED_LOGPROB = -0.8
_MAX_WORDS_PER_S = 7.0
"""The fastest speakers say about five words a second for a while."""
_NO_TIME_S = 0.05
_MAX_TIMELESS_SHARE = 0.3
_TIMELESS_WORDS = 3
_LOOP_COPIES = 3
_LONGEST_UNIT = 12
"""The longest phrase, in words, that is checked for loops."""
_KEPT_COPIES = 2
_LEAST_LEAK_WORDS = 4
_ONE_SOUND = re.compile(r"(\w)\1{11}")
"""A loop of one letter, as a bleat or a horn can cause. Nobody writes a long "ahh" like that."""


def is_loop(reading: Reading, speech_s: float) -> bool:
    """Returns True if the text repeats and there was no time to say the repetitions."""
    if not reading.words:
        return False
    too_fast = len(reading.words) > _MAX_WORDS_PER_S * max(speech_s, 1.0)
    timeless = sum(word.end_s - word.start_s < _NO_TIME_S for word in reading.words)
    is_timeless = timeless > _MAX_TIMELESS_SHARE * len(reading.words)
    repeats = reading.compression_ratio > _MAX_COMPRESSION_RATIO or _has_loop(reading.words)
    return repeats and (too_fast or is_timeless)


def is_unsure(reading: Reading) -> bool:
    """Whisper's rule for trying again at a higher temperature."""
    return bool(reading.words) and reading.avg_logprob < _MIN_AVG_LOGPROB


def is_invented(reading: Reading) -> bool:
    """Returns True if the decoder made up text where nobody spoke.

    It uses Whisper's own rule, and checks whether the decoder is unsure of all words. Real speech
    is far from both thresholds: with base, words on music and machines that the speech detector let
    through had probabilities of 0.02 to 0.18 and log probabilities of -1.5 to -2.3; distant voices
    had 0.62 to 0.98 and -0.02 to -0.58.
    """
    if not reading.words:
        return False
    if all(_ONE_SOUND.search(word.text) for word in reading.words):
        return True
    if reading.no_speech_prob > _MAX_NO_SPEECH_PROB and reading.avg_logprob < _MIN_AVG_LOGPROB:
        return True
    sure_of = sum(word.probability for word in reading.words) / len(reading.words)
    return sure_of < _MIN_WORD_PROBABILITY and reading.avg_logprob < _MIN_INVENTED_LOGPROB


def is_doubtful(reading: Reading, speech_s: float) -> bool:
    """Returns True if a reading without padding may be wrong.

    Without the silence that Whisper was trained with, base repeated whole sentences in one of six
    windows of real speech: after the last sound, so that the repeated words take no time.
    """
    return (
        not reading.words
        or reading.is_cut
        or _longest_timeless_run(reading.words) >= _TIMELESS_WORDS
        or is_loop(reading, speech_s)
        or is_unsure(reading)
        or is_invented(reading)
    )


def without_loops(reading: Reading) -> Reading:
    """Keeps only the first copies of a phrase that is repeated in a row."""
    words, bare = list(reading.words), _bare(reading.words)
    place = 0
    while place < len(words):
        for unit in range(1, _LONGEST_UNIT + 1):
            copies = _copies(bare, place, unit)
            if copies >= _LOOP_COPIES:
                more = slice(place + _KEPT_COPIES * unit, place + copies * unit)
                del words[more], bare[more]
                break
        place += 1
    return replace(
        reading,
        words=tuple(words),
        compression_ratio=compression_ratio(" ".join(word.text for word in words)),
    )


def leaked(reading: Reading, hints: str) -> bool:
    """Returns True if a run of words from the hints appears in the text, as if it was said."""
    given, said = _plain(hints), _plain(reading.text)
    if not given or not said:
        return False
    size = min(_LEAST_LEAK_WORDS, len(said))
    runs = {tuple(given[at : at + size]) for at in range(len(given) - size + 1)}
    return any(tuple(said[at : at + size]) in runs for at in range(len(said) - size + 1))


def _longest_timeless_run(words: Sequence[SpokenWord]) -> int:
    longest = current = 0
    for word in words:
        current = current + 1 if word.end_s - word.start_s < _NO_TIME_S else 0
        longest = max(longest, current)
    return longest


def _has_loop(words: Sequence[SpokenWord]) -> bool:
    bare = _bare(words)
    return any(
        _copies(bare, place, unit) >= 2 * _LOOP_COPIES
        for unit in range(1, _LONGEST_UNIT + 1)
        for place in range(len(words) - 2 * _LOOP_COPIES * unit + 1)
    )


def _copies(bare: Sequence[str], place: int, unit: int) -> int:
    """Counts how often the `unit` words that start at `place` come in a row."""
    first = bare[place : place + unit]
    copies = 1
    while bare[place + copies * unit : place + (copies + 1) * unit] == first:
        copies += 1
    return copies


def _bare(words: Sequence[SpokenWord]) -> list[str]:
    return [re.sub(r"\W", "", word.text).casefold() or word.text for word in words]


def _plain(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())
