"""Text that a decoder makes up: found by what the audio says, not by the text alone. Pure.

What was really said ten times is timed as ten times; a loop of the decoder is many words in no
time. Text on music or noise is text that the decoder itself is not sure of.
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
_LOOP_COPIES = 3
_LONGEST_UNIT = 12
"""Words of the longest phrase that is looked for as a loop."""
_KEPT_COPIES = 2
_LEAST_LEAK_WORDS = 4
_ONE_SOUND = re.compile(r"(\w)\1{11}")
"""A loop of one letter, such as a bleat or a horn gets. Nobody writes a long "ahh" so."""


def is_loop(reading: Reading, speech_s: float) -> bool:
    """Whether the decoder repeated itself: text that repeats, with no time for the repetitions."""
    if not reading.words:
        return False
    too_fast = len(reading.words) > _MAX_WORDS_PER_S * max(speech_s, 1.0)
    timeless = sum(word.end_s - word.start_s < _NO_TIME_S for word in reading.words)
    is_timeless = timeless > _MAX_TIMELESS_SHARE * len(reading.words)
    repeats = reading.compression_ratio > _MAX_COMPRESSION_RATIO or _has_loop(reading.words)
    return repeats and (too_fast or is_timeless)


def is_unsure(reading: Reading) -> bool:
    """Whisper's rule for text that is worth another try at a higher temperature."""
    return bool(reading.words) and reading.avg_logprob < _MIN_AVG_LOGPROB


def is_invented(reading: Reading) -> bool:
    """Whether the decoder made the text up where nobody spoke: by Whisper's own rule, or since it
    is sure of none of its words. Both are far from any speech: base gave 0.02 to 0.18 for words on
    music and machines that the speech detector let through, 0.62 to 0.98 for far-off voices, and
    log probabilities of -1.5 to -2.3 against -0.02 to -0.58."""
    if not reading.words:
        return False
    if all(_ONE_SOUND.search(word.text) for word in reading.words):
        return True
    if reading.no_speech_prob > _MAX_NO_SPEECH_PROB and reading.avg_logprob < _MIN_AVG_LOGPROB:
        return True
    sure_of = sum(word.probability for word in reading.words) / len(reading.words)
    return sure_of < _MIN_WORD_PROBABILITY and reading.avg_logprob < _MIN_INVENTED_LOGPROB


def without_loops(reading: Reading) -> Reading:
    """Of a phrase that comes again and again, its first copies."""
    words = list(reading.words)
    place = 0
    while place < len(words):
        for unit in range(1, _LONGEST_UNIT + 1):
            copies = _copies(words, place, unit)
            if copies >= _LOOP_COPIES:
                del words[place + _KEPT_COPIES * unit : place + copies * unit]
                break
        place += 1
    return replace(
        reading,
        words=tuple(words),
        compression_ratio=compression_ratio(" ".join(word.text for word in words)),
    )


def leaked(reading: Reading, hints: str) -> bool:
    """Whether a run of words of the hints stands in the text, as if it had been said."""
    given, said = _plain(hints), _plain(reading.text)
    if not given or not said:
        return False
    size = min(_LEAST_LEAK_WORDS, len(said))
    runs = {tuple(given[at : at + size]) for at in range(len(given) - size + 1)}
    return any(tuple(said[at : at + size]) in runs for at in range(len(said) - size + 1))


def _has_loop(words: Sequence[SpokenWord]) -> bool:
    return any(
        _copies(words, place, unit) >= 2 * _LOOP_COPIES
        for unit in range(1, _LONGEST_UNIT + 1)
        for place in range(len(words) - 2 * _LOOP_COPIES * unit + 1)
    )


def _copies(words: Sequence[SpokenWord], place: int, unit: int) -> int:
    """How many times the `unit` words from `place` on come in a row."""
    first = _bare(words[place : place + unit])
    copies = 1
    while _bare(words[place + copies * unit : place + (copies + 1) * unit]) == first:
        copies += 1
    return copies


def _bare(words: Sequence[SpokenWord]) -> list[str]:
    return [re.sub(r"\W", "", word.text).casefold() or word.text for word in words]


def _plain(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())
