"""Compares word error rates of EchoStream and bare faster-whisper on the same recordings.

It uses the sample, a generated seven-minute meeting of five voices in three castings, and the
joined English recordings from a folder of real speech. Then it reads each file of that folder
alone and adds the errors up by language. All sides use int8 weights and know the language.

    python -m benchmarks.accuracy --model base --model tiny.en [--speech DIR]
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import runs
from benchmarks.recordings import (
    Recording,
    castings,
    folder_of,
    joined_english,
    sample,
    voices_can_be_made,
)
from benchmarks.runs import SIDES, Run
from benchmarks.scoring import Score, score, total

_COLUMNS = "| model | side | words | WER | substitutions | deletions | insertions |"


def report(models: Sequence[str], speech: Path | None = None) -> str:
    """Returns a section of Markdown."""
    lines = [
        "## Accuracy\n",
        "`python -m benchmarks.accuracy`\n",
        "Errors against the words of the reference, without case and punctuation and with figures",
        "spelled out; by characters in languages without spaces. int8 weights, the language given,",
        f"batches of {runs.BATCH_SIZE}.\n",
        f"| recording {_COLUMNS}",
        f"|---{'|---' * 7}|",
    ]
    for name, recordings in _long_ones(speech).items():
        for model in models:
            lines += _rows(name, model, recordings)
    if speech:
        lines += ["", f"| each alone {_COLUMNS}", f"|---{'|---' * 7}|"]
        for language, recordings in _by_language(speech).items():
            for model in models:
                if _speaks(model, language):
                    lines += _rows(f"{language}, {len(recordings)}", model, recordings)
    return "\n".join([*lines, ""])


def _long_ones(speech: Path | None) -> dict[str, list[Recording]]:
    """Returns the English recordings, by row name."""
    groups = [[sample()]]
    if voices_can_be_made():
        groups.append(castings())
    if speech:
        groups.append([joined_english(speech)])
    return {
        group[0].name if len(group) == 1 else f"{group[0].name}, {len(group)} castings": group
        for group in groups
    }


def _by_language(speech: Path) -> dict[str, list[Recording]]:
    found: dict[str, list[Recording]] = {}
    for recording in folder_of(speech):
        found.setdefault(recording.language, []).append(recording)
    return found


def _speaks(model: str, language: str) -> bool:
    return language == "en" or not runs.name_of(model).endswith(".en")


def _rows(name: str, model: str, recordings: Sequence[Recording]) -> list[str]:
    rows = []
    for side, called in SIDES.items():
        cells = _cells(measure(side, model, recordings))
        rows.append(f"| {name} | {runs.name_of(model)} | {called} | {cells} |")
    return rows


def _cells(found: Score) -> str:
    return (
        f"{found.words} | {found.wer:.3f} | {found.substitutions} | {found.deletions} "
        f"| {found.insertions}"
    )


def measure(side: str, model: str, recordings: Sequence[Recording]) -> Score:
    """Reads recordings of one language, each alone, and adds up the errors."""
    language = recordings[0].language
    with tempfile.TemporaryDirectory() as folder:
        paths = [
            recording.save(Path(folder) / f"{number}.wav")
            for number, recording in enumerate(recordings)
        ]
        heard = runs.in_a_process(Run(side, model, language), paths).heard
    return total(
        score(recording.reference, one.text, language)
        for recording, one in zip(recordings, heard, strict=True)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", action="append", required=True)
    parser.add_argument("--speech", type=Path, help="folder with references.tsv")
    args = parser.parse_args()
    print(report(args.model, args.speech))


if __name__ == "__main__":
    main()
