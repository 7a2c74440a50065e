"""Compares speed, CPU time and peak memory of EchoStream and bare faster-whisper.

Each run has its own process, and the sides take turns, so that other load on the machine affects
all equally. All use the same recordings, weights (int8), threads and batch size. Times exclude
loading the model.

    python -m benchmarks.throughput --model base [--speech DIR]
"""

import argparse
import statistics
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import runs
from benchmarks.recordings import long_recordings
from benchmarks.runs import SIDES, Measured, Run

_OURS = "ours"
Rounds = dict[str, list[Measured]]


def report(models: Sequence[str], *, speech: Path | None = None, rounds: int = 3) -> str:
    """Returns a section of Markdown on the sample, generated voices and real voices."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        recordings = [
            (one.name, one.save(Path(folder) / f"{number}.wav"))
            for number, one in enumerate(long_recordings(speech))
        ]
        for model in models:
            for name, audio in recordings:
                rows += _rows(name, model, compare(model, audio, rounds))
    return "\n".join(
        [
            "## Throughput and memory\n",
            "`python -m benchmarks.throughput`\n",
            f"File to text without insights, int8, batches of {runs.BATCH_SIZE}, the language",
            f"given; medians of {rounds} rounds. EchoStream times every word, so the side to",
            "compare it with is the one with word times. The last two columns are how many times",
            "as fast as that side EchoStream was, by wall and by CPU time: the median of the",
            "ratios of the rounds.\n",
            "| recording | model | side | wall s | CPU s | peak MiB | wall ratio | CPU ratio |",
            "|---|---|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def compare(model: str, audio: Path, rounds: int) -> Rounds:
    """Runs all sides in turn."""
    found: Rounds = {side: [] for side in SIDES}
    for number in range(rounds):
        # The order changes, so that no side always has a warm file cache.
        for side in SIDES if number % 2 else reversed(SIDES):
            found[side].append(runs.in_a_process(Run(side, model, "en"), [audio]))
    return found


def _rows(name: str, model: str, rounds: Rounds) -> list[str]:
    rows = []
    for side, called in SIDES.items():
        ratios = ["–", "–"]
        if side != _OURS:
            ratios = [
                f"{_ratio(rounds, side, lambda run: run.wall_s):.2f}",
                f"{_ratio(rounds, side, lambda run: run.cpu_s):.2f}",
            ]
        wall_s = statistics.median(run.wall_s for run in rounds[side])
        cpu_s = statistics.median(run.cpu_s for run in rounds[side])
        peak_mib = statistics.median(run.peak_mib for run in rounds[side])
        rows.append(
            f"| {name} | {runs.name_of(model)} | {called} | {wall_s:.1f} | {cpu_s:.1f} "
            f"| {peak_mib:.0f} | {' | '.join(ratios)} |"
        )
    return rows


def _ratio(rounds: Rounds, side: str, of: Callable[[Measured], float]) -> float:
    """Returns how many times as much as EchoStream the side needed in the same round."""
    pairs = zip(rounds[side], rounds[_OURS], strict=True)
    return statistics.median(of(theirs) / of(ours) for theirs, ours in pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", action="append", required=True)
    parser.add_argument("--speech", type=Path, help="folder with references.tsv")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    print(report(args.model, speech=args.speech, rounds=args.rounds))


if __name__ == "__main__":
    main()
