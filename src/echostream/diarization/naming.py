"""What speakers are called: letters in order of first speech, or the name of a known voice."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import count

import numpy as np

from echostream.domain import KnownVoice, Voice, letters
from echostream.errors import InvalidRequest

SAME_VOICE = 0.7
"""The cosine from which a voice is a known one. With 3 s of speech from the same microphone no
stranger is named, and 1 % of the known are not; over a telephone 10 % of strangers are like it."""


def check_models(known: Iterable[KnownVoice], model: str, dimensions: int) -> None:
    """Raises InvalidRequest for known voices that cannot be compared with those of `model`."""
    for each in known:
        if each.voice.model != model or len(each.voice.embedding) != dimensions:
            raise InvalidRequest(
                f"the voice of {each.name!r} was made by {each.voice.model}, not by {model}"
            )


def names(
    in_order: Sequence[int], voices: Mapping[int, Voice], known: Sequence[KnownVoice]
) -> dict[int, str]:
    """The name of each speaker. `in_order` has them by first speech; those with too little speech
    have no voice. Each known name goes to one speaker at most: the one most like it."""
    recognised = _recognised(voices, known)
    free = (letter for letter in map(letters, count()) if letter not in recognised.values())
    return {each: recognised.get(each) or next(free) for each in in_order}


def relettered(in_order: Sequence[str], known: Collection[str]) -> dict[str, str]:
    """New letters, in order, for all speakers but the `known`."""
    letter = (each for each in map(letters, count()) if each not in known)
    return {name: name if name in known else next(letter) for name in in_order}


def _recognised(voices: Mapping[int, Voice], known: Sequence[KnownVoice]) -> dict[int, str]:
    likeness = {
        (speaker, each.name): _cosine(voice, each.voice)
        for speaker, voice in voices.items()
        for each in known
    }
    found: dict[int, str] = {}
    for speaker, name in sorted(likeness, key=lambda pair: -likeness[pair]):
        if likeness[speaker, name] < SAME_VOICE:
            break
        if speaker not in found and name not in found.values():
            found[speaker] = name
    return found


def _cosine(one: Voice, other: Voice) -> float:
    a, b = np.array(one.embedding), np.array(other.embedding)
    return float(a @ b / max(1e-9, np.linalg.norm(a) * np.linalg.norm(b)))
