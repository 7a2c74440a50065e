"""Who speaks: voices, turns and speakers."""

import base64
import math
import struct
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Voice:
    """How somebody sounds: an embedding of unit length. Voices of different models cannot be
    compared."""

    model: str
    embedding: tuple[float, ...]

    def dump(self) -> str:
        """The voice as text: `<model>:<base64 of float32, little endian>`."""
        packed = struct.pack(f"<{len(self.embedding)}f", *self.embedding)
        return f"{self.model}:{base64.b64encode(packed).decode()}"

    @classmethod
    def load(cls, text: str) -> "Voice":
        """Reads what `dump` returned. Raises ValueError for anything else."""
        # Names of models may have colons, base64 has none.
        model, _, encoded = text.rpartition(":")
        packed = base64.b64decode(encoded, validate=True)
        if not model or not packed or len(packed) % 4:
            raise ValueError("no model's name, or not a list of float32")
        embedding = struct.unpack(f"<{len(packed) // 4}f", packed)
        if not math.isclose(math.hypot(*embedding), 1.0, abs_tol=0.01):
            raise ValueError("not of unit length")
        return cls(model, embedding)


@dataclass(frozen=True, slots=True)
class KnownVoice:
    """A voice whose speaker's name is known."""

    name: str
    voice: Voice


@dataclass(frozen=True, slots=True)
class SpeakerOptions:
    """What a caller knows of the speakers: their exact number, or its bounds, and some of their
    voices. None means unknown."""

    count: int | None = None
    least: int | None = None
    most: int | None = None
    known: tuple[KnownVoice, ...] = ()


@dataclass(frozen=True, slots=True)
class Turn:
    """One speaker's speech without a long pause. Turns of different speakers may overlap.

    `speaker` is "A", "B", … in order of first speech, or a known name. `confidence` is 0 to 1.
    """

    start_s: float
    end_s: float
    speaker: str
    confidence: float = 1.0


def letters(place: int) -> str:
    """What speakers are called: A, B, … Z, AA, AB, … for 0, 1, … 25, 26, 27, …"""
    name = ""
    place += 1
    while place:
        place, letter = divmod(place - 1, 26)
        name = chr(ord("A") + letter) + name
    return name


@dataclass(frozen=True, slots=True)
class Speaker:
    """A speaker, with the total time of their segments. `name` is None if unknown."""

    id: str
    seconds: float
    name: str | None = None
    channel: int | None = None
    voice: Voice | None = None
