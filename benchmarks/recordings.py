"""Recordings with their text: the sample, generated voices, and folders of real speech.

A folder of speech has a `references.tsv` with a header line. Each line has a file name, its
language and its text, separated by tabs.
"""

import csv
import shutil
import subprocess
import tempfile
import wave
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.noises import save
from benchmarks.runs import SAMPLE
from benchmarks.synth import RATE_HZ

TEXTS = Path(__file__).parent / "texts"
SHORTEST_JOINED_S = 120.0
_PAUSE_S = 1.2
_CASTINGS = 3
# About -80 dBFS, because no microphone gives digital silence.
_FLOOR = 3.0
_LOUD = 12_000
# Speech programs, with five voices as different as people in a meeting.
VOICES = {
    "Anna": ("flite", "slt"),
    "Ben": ("flite", "rms"),
    "Callum": ("flite", "awb"),
    "Dora": ("espeak-ng", "en-us+f3"),
    "Emil": ("flite", "kal16"),
}

Samples = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Recording:
    """Mono audio at 16 kHz and its text."""

    name: str
    samples: Samples
    reference: str
    language: str = "en"

    @property
    def seconds(self) -> float:
        return len(self.samples) / RATE_HZ

    def save(self, path: Path) -> Path:
        save(path, self.samples)
        return path


def sample() -> Recording:
    """Returns the sample meeting that is included with EchoStream."""
    text = SAMPLE.with_suffix(".txt").read_text(encoding="utf-8")
    return Recording("sample, 1 min", _read_wav(SAMPLE), text)


def long_recordings(speech: Path | None) -> Iterator[Recording]:
    """Yields the sample, the generated meeting if possible, and real voices if given."""
    yield sample()
    if voices_can_be_made():
        yield voices()
    if speech:
        yield joined_english(speech)


def sample_and_real(speech: Path | None) -> list[Recording]:
    """Returns the sample, and real voices if given."""
    return [sample(), *([joined_english(speech)] if speech else [])]


def voices_can_be_made() -> bool:
    return all(shutil.which(program) for program, _voice in VOICES.values())


def castings() -> list[Recording]:
    """Returns the generated meeting three times, each time with other voices for its people. In one
    meeting, two equally good ways to decode can differ by a dozen errors."""
    return [voices(shift) for shift in range(_CASTINGS)]


def voices(shift: int = 0) -> Recording:
    """Generates a seven-minute meeting of five from `texts/meeting.txt`, whose lines are a name, a
    colon and the spoken text. `shift` moves each voice on by that many people. Needs `flite` and
    `espeak-ng`."""
    names = list(VOICES)
    cast = {name: VOICES[names[(at + shift) % len(names)]] for at, name in enumerate(names)}
    lines = (TEXTS / "meeting.txt").read_text(encoding="utf-8").splitlines()
    turns = [line.split(": ", 1) for line in lines if line]
    rng = np.random.default_rng(4)
    pieces: list[Samples] = []
    for name, text in turns:
        pieces += [speak(text, *cast[name]), quiet(float(rng.uniform(0.2, 1.5)))]
    samples = np.concatenate(pieces)
    minutes = len(samples) / RATE_HZ / 60
    return Recording(f"five made voices, {minutes:.1f} min", samples, _text(turns))


def _text(turns: Iterable[list[str]]) -> str:
    return " ".join(text for _name, text in turns)


def speak(text: str, program: str, voice: str) -> Samples:
    """Speaks one turn in a voice, as loud as the others."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "turn.wav")
        command = {
            "flite": ["flite", "-voice", voice, "-t", text, "-o", path],
            "espeak-ng": ["espeak-ng", "-v", voice, "-s", "160", "-w", path, text],
        }[program]
        subprocess.run(command, check=True)
        spoken = decoded(Path(path)).astype(np.float64)
    return (spoken / max(1.0, float(np.abs(spoken).max())) * _LOUD).astype(np.int16)


def quiet(seconds: float) -> Samples:
    rng = np.random.default_rng(0)
    return rng.normal(0, _FLOOR, int(seconds * RATE_HZ)).astype(np.int16)


def folder_of(speech: Path) -> Iterator[Recording]:
    """Yields each recording of a folder of speech."""
    with (speech / "references.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    for name, language, reference in rows[1:]:
        yield Recording(name, decoded(speech / name), reference, language)


def joined_english(speech: Path) -> Recording:
    """Joins the English recordings with pauses, repeated until they last at least two minutes."""
    english = [one for one in folder_of(speech) if one.language == "en"]
    if not english:
        raise SystemExit(f"no English recording in {speech.name}/references.tsv")
    pieces: list[Samples] = []
    said: list[str] = []
    while sum(map(len, pieces)) < SHORTEST_JOINED_S * RATE_HZ:
        # Reversed each time, so that no two rounds are cut in the same places.
        english.reverse()
        for one in english:
            pieces += [one.samples, quiet(_PAUSE_S)]
            said.append(one.reference)
    samples = np.concatenate(pieces)
    minutes = len(samples) / RATE_HZ / 60
    return Recording(f"real voices, {minutes:.1f} min", samples, " ".join(said))


def _read_wav(path: Path) -> Samples:
    with wave.open(str(path), "rb") as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


def decoded(path: Path) -> Samples:
    from faster_whisper.audio import decode_audio

    found: NDArray[np.float32] = decode_audio(str(path), sampling_rate=RATE_HZ)
    return (found * 32767).astype(np.int16)
