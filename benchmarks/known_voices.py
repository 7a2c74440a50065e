"""Measures how sure the web frontend may be of a voice that it knows.

The people are those of a folder of clips, as `benchmarks.diarization` takes it, in two groups: by
the first the thresholds were chosen, the second was held out. Each person is remembered from one
half of what they say, and heard again in pieces of the other half; once with all others of the
group known too, and once as a stranger whom the library does not know.

    python -m benchmarks.known_voices --clips DIR
"""

import argparse
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from benchmarks.diarization import clips_of
from benchmarks.synth import RATE_HZ
from benchmarks.voices import WAYS, Samples, people_of
from echostream.diarization import Diarizer
from echostream.domain import Voice
from echostream.engine.speech_only import load_diarizer
from echostream.settings import Settings
from echostream_ui.library.analysis import Analysis
from echostream_ui.library.voices import SURENESS, KnownVoice, suggestions

_LENGTHS_S = (3, 10)
_REMEMBERED_S = 30
_LEAST_S = 10.0
_HEARD = {
    ("as it is", "as it is"): "one microphone",
    ("telephone", "telephone"): "telephone, both times",
    ("as it is", "telephone"): "microphone, then telephone",
}


@dataclass(frozen=True, slots=True)
class Person:
    """`home` is the voice that is remembered, by the way it was heard; `pieces` the others, by the
    way and their length in seconds."""

    home: Mapping[str, Voice]
    pieces: Mapping[tuple[str, int], Sequence[Voice]]


def person_of(diarizer: Diarizer, spoken: Samples) -> Person:
    first, rest = np.array_split(spoken, 2)
    home, pieces = {}, {}
    for way in {way for ways in _HEARD for way in ways}:
        voice = diarizer.voice(WAYS[way](first[: _REMEMBERED_S * RATE_HZ]))
        if voice is not None:
            home[way] = voice
        for length_s in _LENGTHS_S:
            found = (diarizer.voice(WAYS[way](piece)) for piece in _cut(rest, length_s))
            pieces[way, length_s] = [each for each in found if each is not None]
    return Person(home, pieces)


def _cut(samples: Samples, length_s: int) -> Iterator[Samples]:
    length = length_s * RATE_HZ
    for start in range(0, len(samples) - length + 1, length):
        yield samples[start : start + length]


def rows(people: Mapping[str, Person]) -> Iterator[str]:
    """Shares of pieces: of people who are known, how many get their name and how sure that is, how
    many another's; of strangers, how many get any."""
    for (before, now), heard in _HEARD.items():
        for length_s in _LENGTHS_S:
            right, wrong, strangers = Counter[str](), Counter[str](), Counter[str]()
            count = 0
            for name, person in people.items():
                everybody = {other: each.home[before] for other, each in people.items()}
                others = {other: voice for other, voice in everybody.items() if other != name}
                for piece in person.pieces[now, length_s]:
                    count += 1
                    found, sureness = suggested(piece, everybody)
                    (right if found == name else wrong)[sureness] += 1
                    strangers[suggested(piece, others)[1]] += 1
            cells = [
                *(f"{right[each] / count:.1%}" for each in SURENESS),
                *(f"{wrong[each] / count:.1%}" for each in SURENESS),
                *(f"{strangers[each] / count:.1%}" for each in SURENESS),
            ]
            yield f"| {heard}, {length_s} s | {count} | {' | '.join(cells)} |"


def suggested(piece: Voice, known: Mapping[str, Voice]) -> tuple[str, str]:
    """The name that the frontend suggests, and how sure it is; both "" for none."""
    speakers = [{"id": "A", "name": None, "voice": piece.dump()}]
    analysis = Analysis("heard", {}, {"speakers": speakers})
    voices = [
        KnownVoice(name, voice.dump(), 0.0, "", "", datetime.now(UTC))
        for name, voice in known.items()
    ]
    found = suggestions(analysis, voices)
    return (found[0].name, found[0].sureness) if found else ("", "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=Path, required=True)
    diarizer = load_diarizer(Settings())
    spoken = people_of(clips_of(parser.parse_args().clips), least_s=_LEAST_S)
    people = {
        name: person_of(diarizer, np.concatenate(turns)) for name, turns in sorted(spoken.items())
    }
    people = {name: each for name, each in people.items() if len(each.home) == 2}
    groups = {"chosen by": list(people)[::2], "held out": list(people)[1::2]}
    for title, names in groups.items():
        print(f"\n{title}: {', '.join(names)}\n")
        words = [*(f"right, {each}" for each in SURENESS), *(f"wrong, {each}" for each in SURENESS)]
        words += [f"strangers, {each}" for each in SURENESS]
        print(f"| heard | pieces | {' | '.join(words)} |")
        print(f"|---|{'---|' * (len(words) + 1)}")
        for row in rows({name: people[name] for name in names}):
            print(row, flush=True)


if __name__ == "__main__":
    main()
