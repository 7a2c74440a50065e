"""Measures the effect of hotwords: the share of correct rare names without and with them.

Three voices speak the sentences from `texts/names.txt`, which has the names in brackets. The sample
contains none of these names; it is read with the same hotwords, and any change there is harm.

    python -m benchmarks.vocabulary --model base
"""

import argparse
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import runs
from benchmarks.recordings import TEXTS, VOICES, Recording, quiet, sample, speak, voices_can_be_made
from benchmarks.runs import SIDES, Run
from benchmarks.scoring import plain, score

_SIDES = ("ours", "words")
_SPEAKERS = ("Anna", "Ben", "Callum")
_PAUSE_S = 1.0
_NAME = re.compile(r"\[([^]]+)\]")


@dataclass(frozen=True, slots=True)
class Effect:
    """`right` counts names with the exact spelling; `false` those that nobody said."""

    right: int
    wer: float
    sample_wer: float
    false: int


def report(models: Sequence[str]) -> str:
    """Returns a section of Markdown."""
    if not voices_can_be_made():
        return "## Vocabulary\n\nNot measured: flite and espeak-ng are not installed.\n"
    recording, names = spoken_names()
    rows = []
    for model in models:
        for side in _SIDES:
            for hotwords in ((), names):
                found = measure(Run(side, model, "en", hotwords=hotwords), recording, names)
                rows.append(_row(model, side, len(hotwords), len(names), found))
    return "\n".join(
        [
            "## Vocabulary\n",
            "`python -m benchmarks.vocabulary`\n",
            f"{len(names)} rare names in as many sentences, spoken by {len(_SPEAKERS)} made",
            "voices. The last two columns are of the sample, where none of them is said: its word",
            "error rate, and names that came up in it all the same.\n",
            "| model | side | hotwords | names right | share | WER | sample WER | false names |",
            "|---|---|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _row(model: str, side: str, hotwords: int, names: int, found: Effect) -> str:
    return (
        f"| {runs.name_of(model)} | {SIDES[side]} | {hotwords or 'none'} | {found.right} "
        f"| {found.right / names:.0%} | {found.wer:.3f} | {found.sample_wer:.3f} | {found.false} |"
    )


def spoken_names() -> tuple[Recording, tuple[str, ...]]:
    """Returns the sentences as one recording, and their names."""
    lines = (TEXTS / "names.txt").read_text(encoding="utf-8").splitlines()
    pieces = []
    for number, line in enumerate(lines):
        voice = VOICES[_SPEAKERS[number % len(_SPEAKERS)]]
        pieces += [speak(_NAME.sub(r"\1", line), *voice), quiet(_PAUSE_S)]
    names = tuple(name for line in lines for name in _NAME.findall(line))
    text = _NAME.sub(r"\1", " ".join(lines))
    return Recording("rare names", np.concatenate(pieces), text), names


def measure(run: Run, recording: Recording, names: Sequence[str]) -> Effect:
    """Reads the names and the sample with the hotwords of `run`."""
    control = sample()
    with tempfile.TemporaryDirectory() as folder:
        paths = [
            one.save(Path(folder) / f"{number}.wav")
            for number, one in enumerate((recording, control))
        ]
        heard, heard_sample = (one.text for one in runs.in_a_process(run, paths).heard)
    return Effect(
        right=_said(names, heard),
        wer=score(recording.reference, heard).wer,
        sample_wer=score(control.reference, heard_sample).wer,
        false=_said(names, heard_sample),
    )


def _said(names: Sequence[str], text: str) -> int:
    words = set(plain(text.replace("'s", "")).split())
    return sum(name.lower() in words for name in names)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", action="append", required=True)
    args = parser.parse_args()
    print(report(args.model))


if __name__ == "__main__":
    main()
