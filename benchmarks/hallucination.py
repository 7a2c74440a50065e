"""Measures text that is invented where nobody spoke, and words lost when music plays under speech.

EchoStream and bare batched faster-whisper with its voice filter read clips without words (see
`noises`); any text is invented. Then they read speech with and without music, 10 dB below the
voice.

    python -m benchmarks.hallucination --model base [--speech DIR]
"""

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import noises, runs
from benchmarks.recordings import Recording, sample_and_real
from benchmarks.runs import Run
from benchmarks.scoring import Score, score

_SIDES = ("ours", "words")
_SNR_DB = 10.0
_PIECES = ("band-bright", "strings-cello", "chords-pad-calm")
_LONGEST_SHOWN = 120


@dataclass(frozen=True, slots=True)
class Invented:
    """Text from a clip in which nobody speaks."""

    side: str
    kind: str
    clip: str
    text: str


def report(models: Sequence[str], speech: Sequence[Recording]) -> str:
    """Returns a section of Markdown."""
    return "\n".join(
        [
            "## Invented text\n",
            "`python -m benchmarks.hallucination`\n",
            "Clips of 5 to 30 s without a word, made by script: how many came out with text.",
            "The target is none.\n",
            *(line for model in models for line in _invented(model)),
            "### Speech over music\n",
            f"The same speech alone and with music {_SNR_DB:g} dB below it for all its length.\n",
            "| recording | music | model | side | words | WER | deletions | insertions |",
            "|---|---|---|---|---|---|---|---|",
            *(row for model in models for row in _over_music(model, speech)),
            "",
        ]
    )


def _invented(model: str) -> list[str]:
    kinds, found = invented_by(model)
    name = runs.name_of(model)
    rows = []
    for kind, clips in kinds.items():
        of_kind = [one for one in found if one.kind == kind]
        counts = (str(sum(one.side == side for one in of_kind)) for side in _SIDES)
        rows.append(f"| {kind} | {name} | {clips} | {' | '.join(counts)} |")
    totals = (str(sum(one.side == side for one in found)) for side in _SIDES)
    sides = " | ".join(runs.SIDES[side] for side in _SIDES)
    return [
        f"| kind | model | clips | {sides} |",
        "|---|---|---|---|---|",
        *rows,
        f"| all | {name} | {sum(kinds.values())} | {' | '.join(totals)} |",
        "",
        *(f"- {runs.SIDES[one.side]}, {one.clip}: {_short(one.text)}" for one in found),
        "",
    ]


def invented_by(model: str) -> tuple[dict[str, int], list[Invented]]:
    """Returns the number of clips of each kind, and all text invented for them."""
    kinds: dict[str, int] = {}
    found: list[Invented] = []
    with tempfile.TemporaryDirectory() as folder:
        clips: list[tuple[str, str, Path]] = []
        for clip in noises.clips():
            path = Path(folder) / f"{clip.name}.wav"
            noises.save(path, clip.samples)
            clips.append((clip.kind, clip.name, path))
            kinds[clip.kind] = kinds.get(clip.kind, 0) + 1
        for side in _SIDES:
            measured = runs.in_a_process(Run(side, model), [path for _, _, path in clips])
            for (kind, name, _), heard in zip(clips, measured.heard, strict=True):
                if heard.text:
                    found.append(Invented(side, kind, name, heard.text))
    return kinds, found


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]} …"


def _over_music(model: str, speech: Sequence[Recording]) -> list[str]:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for recording in speech:
            paths = [recording.save(Path(folder) / "alone.wav")]
            for piece in _PIECES:
                mixed = noises.speech_over_music(recording.samples, snr_db=_SNR_DB, piece=piece)
                paths.append(Path(folder) / f"{piece}.wav")
                noises.save(paths[-1], mixed)
            for side in _SIDES:
                run = Run(side, model, recording.language)
                heard = runs.in_a_process(run, paths).heard
                for music, one in zip(("none", *_PIECES), heard, strict=True):
                    found = score(recording.reference, one.text, recording.language)
                    rows.append(_row(recording.name, music, model, side, found))
    return rows


def _row(recording: str, music: str, model: str, side: str, found: Score) -> str:
    return (
        f"| {recording} | {music} | {runs.name_of(model)} | {runs.SIDES[side]} | {found.words} "
        f"| {found.wer:.3f} | {found.deletions} | {found.insertions} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", action="append", required=True)
    parser.add_argument("--speech", type=Path, help="folder with references.tsv")
    args = parser.parse_args()
    print(report(args.model, sample_and_real(args.speech)))


if __name__ == "__main__":
    main()
