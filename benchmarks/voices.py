"""Checks what must not happen: one person heard as two, two as one, music as people, strangers as
known.

The people are those of a folder of clips, as `benchmarks.diarization` takes it.

    python -m benchmarks.voices --clips DIR [--only mixes]
"""

import argparse
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import cycle
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import noises
from benchmarks.diarization import Clip, clips_of
from benchmarks.synth import RATE_HZ, noise, pcm16, telephone
from echostream.diarization import Diarizer
from echostream.diarization.naming import SAME_VOICE
from echostream.domain import SpeakerOptions
from echostream.engine.speech_only import load_diarizer
from echostream.media.ffmpeg import ffmpeg_path
from echostream.settings import Settings

Samples = NDArray[np.int16]
_PAUSE_S = 0.3
_LEAST_S = 20.0
"""Speech of one person alone that it takes to be one of the people here."""
_REFERENCE_S = 3.0
_SNR_DB = 10.0


def people_of(clips: Iterable[Clip], least_s: float = _LEAST_S) -> dict[str, list[Samples]]:
    """The turns of each person that nobody else speaks in, if they last as long together."""
    found: dict[str, list[Samples]] = defaultdict(list)
    for clip in clips:
        for turn in clip.reference:
            if all(
                other.speaker == turn.speaker
                or other.end_s <= turn.start_s
                or other.start_s >= turn.end_s
                for other in clip.reference
            ):
                start, end = int(turn.start_s * RATE_HZ), int(turn.end_s * RATE_HZ)
                found[turn.speaker].append(clip.samples[start:end])
    return {
        name: turns for name, turns in found.items() if sum(map(len, turns)) >= least_s * RATE_HZ
    }


def monologue(turns: Iterable[Samples], seconds: float) -> Samples:
    """The turns one after the other, repeated for as long."""
    pieces: list[Samples] = []
    pause = np.zeros(int(_PAUSE_S * RATE_HZ), np.int16)
    for turn in cycle(turns):
        pieces += [turn, pause]
        if sum(map(len, pieces)) >= seconds * RATE_HZ:
            break
    return np.concatenate(pieces)[: int(seconds * RATE_HZ)]


def quiet(samples: Samples) -> Samples:
    return (samples * 0.03).astype(np.int16)


def noisy(samples: Samples) -> Samples:
    sound = samples / 32768
    hiss = noise(np.random.default_rng(0), len(samples) / RATE_HZ, slope=1)[: len(samples)]
    level = np.sqrt(np.mean(sound**2)) / 10 ** (_SNR_DB / 20)
    return pcm16(sound[: len(hiss)] + hiss / np.sqrt(np.mean(hiss**2)) * level)


def on_the_telephone(samples: Samples) -> Samples:
    return pcm16(telephone(samples / 32768))


def compressed(samples: Samples) -> Samples:
    """As Opus at 16 kbit/s."""
    raw = ["-f", "s16le", "-ar", str(RATE_HZ), "-ac", "1"]
    opus = _ffmpeg([*raw, "-i", "-", "-c:a", "libopus", "-b:a", "16k", "-f", "ogg"], samples)
    return np.frombuffer(_ffmpeg(["-f", "ogg", "-i", "-", *raw], opus), "<i2")


def _ffmpeg(arguments: list[str], data: Samples | bytes) -> bytes:
    command = [ffmpeg_path(), "-v", "error", *arguments, "-"]
    given = data if isinstance(data, bytes) else data.tobytes()
    return subprocess.run(command, input=given, check=True, capture_output=True).stdout


WAYS: dict[str, Callable[[Samples], Samples]] = {
    "as it is": lambda samples: samples,
    "quiet (-30 dB)": quiet,
    "noisy (10 dB)": noisy,
    "telephone": on_the_telephone,
    "Opus, 16 kbit/s": compressed,
}


def count(diarizer: Diarizer, samples: Samples, told: int | None = None) -> int:
    found = diarizer.diarize(samples, SpeakerOptions(count=told))
    return len({turn.speaker for turn in found.turns})


def alone(diarizer: Diarizer, people: dict[str, list[Samples]], long_minutes: float) -> str:
    """How many people are heard where one speaks for a minute; and one of them for longer."""
    rows = ["| one person alone | speakers found, by person |", "|---|---|"]
    first = next(iter(people.values()))
    for way, changed in WAYS.items():
        found = [count(diarizer, changed(monologue(turns, 60))) for turns in people.values()]
        rows.append(f"| {way}, 1 minute | {', '.join(map(str, found))} |")
        if long_minutes:
            many = count(diarizer, changed(monologue(first, 60 * long_minutes)))
            rows.append(f"| {way}, {long_minutes:g} minutes | {many} |")
    return "\n".join(rows) + "\n"


def taken_in_turns(
    people: Sequence[list[Samples]], seconds: float, lengths_s: Sequence[float]
) -> Samples:
    """A conversation in which each person speaks for so long, one after the other, again and
    again until all of it lasts `seconds`."""
    speech = [np.tile(np.concatenate(turns), 3) for turns in people]
    places = [0] * len(people)
    pieces: list[Samples] = []
    for person in cycle(range(len(people))):
        if sum(map(len, pieces)) >= seconds * RATE_HZ:
            break
        start, length = places[person], int(lengths_s[person] * RATE_HZ)
        pieces.append(speech[person][start : start + length])
        places[person] = (start + length) % (len(speech[person]) // 2)
    return np.concatenate(pieces)


def mixes(diarizer: Diarizer, people: dict[str, list[Samples]]) -> str:
    """How many people are heard in made conversations."""
    voices = list(people.values())
    pairs = [(voices[at], voices[at - 1]) for at in range(len(voices))]
    made = {
        "2, alternating every second, 40 s": [taken_in_turns(two, 40, (1, 1)) for two in pairs],
        "2, one of them for 5 s of 95, 95 s": [taken_in_turns(two, 95, (90, 5)) for two in pairs],
        "4, turns of 3 s, 72 s": [
            taken_in_turns(voices[at : at + 4], 72, [3] * 4) for at in range(len(voices) - 3)
        ],
        "8, turns of 4 s, 128 s": [taken_in_turns(voices[:8], 128, [4] * 8)],
    }
    rows = ["| together | speakers found, by conversation | when told |", "|---|---|---|"]
    for name, conversations in made.items():
        real = int(name[0])
        found = [count(diarizer, each) for each in conversations]
        told = [count(diarizer, each, real) for each in conversations]
        rows.append(f"| {name} | {', '.join(map(str, found))} | {', '.join(map(str, told))} |")
    return "\n".join(rows) + "\n"


def nobody(diarizer: Diarizer) -> str:
    """How many clips without speech have speakers, by kind."""
    sums: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for clip in noises.clips():
        clips, wrong = sums[clip.kind]
        sums[clip.kind] = clips + 1, wrong + bool(count(diarizer, clip.samples))
    rows = ["| nobody speaks | clips | with speakers |", "|---|---|---|"]
    rows += [f"| {kind} | {clips} | {wrong} |" for kind, (clips, wrong) in sums.items()]
    return "\n".join(rows) + "\n"


def known(diarizer: Diarizer, people: dict[str, list[Samples]]) -> str:
    """False accepts and rejects of 3 s of speech against half a minute of other speech."""
    rows = ["| known voices | cosine | strangers named | known not named |", "|---|---|---|---|"]
    for way in ("as it is", "telephone"):
        same, different = _likeness(diarizer, people, WAYS[way])
        for least in (0.5, 0.6, SAME_VOICE, 0.8):
            accepted, rejected = np.mean(different >= least), np.mean(same < least)
            rows.append(f"| {way} | {least} | {accepted:.1%} | {rejected:.1%} |")
        rows.append(f"| pairs, {way} | | {len(different)} | {len(same)} |")
    return "\n".join(rows) + "\n"


def _likeness(
    diarizer: Diarizer, people: dict[str, list[Samples]], way: Callable[[Samples], Samples]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The cosines of a person's short pieces with their own voice, and with those of others."""
    same, different = [], []
    spoken = {name: np.concatenate(turns) for name, turns in people.items()}
    halves = {name: np.array_split(samples, 2) for name, samples in spoken.items()}
    voices = {name: diarizer.voice(way(half[0][: 30 * RATE_HZ])) for name, half in halves.items()}
    length = int(_REFERENCE_S * RATE_HZ)
    for name, (_, rest) in halves.items():
        for start in range(0, len(rest) - length, length):
            piece = diarizer.voice(way(rest[start : start + length]))
            for other, voice in voices.items():
                if piece is not None and voice is not None:
                    likeness = float(np.dot(piece.embedding, voice.embedding))
                    (same if other == name else different).append(likeness)
    return np.array(same), np.array(different)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--long-minutes", type=float, default=20.0, help="0: none")
    parser.add_argument("--only", choices=("known", "nobody", "mixes", "alone"))
    args = parser.parse_args()
    diarizer = load_diarizer(Settings())
    people = people_of(clips_of(args.clips))
    tables: dict[str, Callable[[], str]] = {
        "known": lambda: known(diarizer, people),
        "nobody": lambda: nobody(diarizer),
        "mixes": lambda: mixes(diarizer, people),
        "alone": lambda: alone(diarizer, people, args.long_minutes),
    }
    for name in (args.only,) if args.only else tables:
        print(tables[name](), flush=True)


if __name__ == "__main__":
    main()
