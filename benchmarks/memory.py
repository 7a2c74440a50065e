"""Measures how much memory EchoStream needs for long recordings, and how it grows with length.

It transcribes the repeated sample from file to text, in one process per length. At one minute the
memory is that of the model and a batch of windows; the rest is the audio itself.

    python -m benchmarks.memory --model base --minutes 1 --minutes 30
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks import noises, runs
from benchmarks.recordings import sample
from benchmarks.runs import Run
from benchmarks.synth import RATE_HZ

MINUTES = (1.0, 10.0, 30.0)


def report(models: Sequence[str], minutes: Sequence[float] = MINUTES) -> str:
    """Returns a section of Markdown."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for length in minutes:
            audio = sample_repeated(Path(folder) / "long.wav", length)
            for model in models:
                peak_mib = runs.in_a_process(Run("ours", model, "en"), [audio]).peak_mib
                rows.append(f"| {runs.name_of(model)} | {length:g} | {peak_mib:.0f} |")
    return "\n".join(
        [
            "## Memory of long recordings\n",
            "`python -m benchmarks.memory`\n",
            f"Peak of the process, file to text without insights, int8, batches of"
            f" {runs.BATCH_SIZE}.\n",
            "| model | minutes | peak MiB |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


def sample_repeated(target: Path, minutes: float) -> Path:
    """Writes the sample, repeated for that many minutes, as a WAV file."""
    once = sample().samples
    times = max(1, round(minutes * 60 * RATE_HZ / len(once)))
    noises.save(target, np.tile(once, times))
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", action="append", required=True)
    parser.add_argument("--minutes", type=float, action="append")
    args = parser.parse_args()
    print(report(args.model, args.minutes or MINUTES))


if __name__ == "__main__":
    main()
