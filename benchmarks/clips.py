"""Short clips that each say something of their own, so that a text shows whose audio it was read
from."""

import io
import re
import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.recordings import Samples, speak
from benchmarks.synth import RATE_HZ

LEAST_LIKENESS = 0.75
"""One word in four may differ, as Whisper reads a clip in other company, or live, in parts. What
all sentences share is less than that."""

_WORDS = (
    "red green yellow purple golden silver tiny giant happy angry sleepy hungry clever lazy brave"
    " gentle noisy",
    "elephant tiger monkey rabbit dolphin penguin camel spider horse turtle lion eagle donkey"
    " kangaroo crocodile butterfly giraffe",
    "apples bananas cherries oranges tomatoes potatoes carrots onions chocolate honey butter"
    " pancakes noodles mushrooms sandwiches cookies lemons",
    "London Paris Berlin Madrid Chicago Boston Tokyo Sydney Moscow Toronto Dublin Vienna Cairo"
    " Amsterdam Seattle Houston Miami",
)
_LISTS = [words.split() for words in _WORDS]
_EACH = len(_LISTS[0])
MOST = _EACH * _EACH


@dataclass(frozen=True, slots=True)
class Clip:
    """Mono audio at 16 kHz and the text that it is known to give when it is read alone."""

    name: str
    samples: Samples
    text: str

    def wav(self) -> bytes:
        """The clip as a WAV file."""
        with io.BytesIO() as content:
            with wave.open(content, "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(RATE_HZ)
                file.writeframes(self.samples.astype("<i2").tobytes())
            return content.getvalue()


def sentences(count: int) -> list[str]:
    """Sentences of which any two share one of their four words at most, as `_EACH` is a prime."""
    if count > MOST:
        raise ValueError(f"there are {MOST} sentences, not {count}")
    found = []
    for number in range(count):
        first, second = divmod(number, _EACH)
        places = (first, second, (first + second) % _EACH, (first + 2 * second) % _EACH)
        how, who, what, where = (words[at] for words, at in zip(_LISTS, places, strict=True))
        found.append(f"The {how} {who} is eating {what} in {where}.")
    return found


def spoken(count: int) -> Iterator[Clip]:
    """Speaks so many sentences with `flite`; their texts are what is said, not what is heard."""
    pause = np.zeros(RATE_HZ // 4, np.int16)
    for number, text in enumerate(sentences(count)):
        yield Clip(f"clip-{number}", np.concatenate([speak(text, "flite", "slt"), pause]), text)


def words(text: str) -> frozenset[str]:
    """The words of a text, without case and marks."""
    return frozenset(re.sub(r"[^\w\s]", "", text.casefold()).split())


def likeness(text: str, other: str) -> float:
    """How much of the words of two texts is the same, from 0 to 1."""
    these, those = words(text), words(other)
    return 2 * len(these & those) / max(1, len(these) + len(those))


def is_of(clip: Clip, text: str, clips: Sequence[Clip]) -> bool:
    """Whether `text` is the clip's: it has the clip's words, and no other clip is nearer."""
    own = likeness(clip.text, text)
    return own >= LEAST_LIKENESS and not is_of_another(clip, text, clips)


def is_of_another(clip: Clip, text: str, clips: Sequence[Clip]) -> bool:
    """Whether `text` is that of another clip, as where answers were swapped. It may be unfinished:
    what could be of any is of no other."""
    least = max(LEAST_LIKENESS, likeness(clip.text, text))
    others = (likeness(each.text, text) for each in clips if each is not clip)
    return any(other > least for other in others)
