"""Measures one live session on an otherwise idle machine, several times: lag, words and CPU time.

    python -m benchmarks.live_alone --model base:2 --model base:1 --model tiny.en:2

Each model is followed by the number of threads that it gets. How a word's lag is measured is
explained in `benchmarks.live_peers`.
"""

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path

from benchmarks import live_peers, results, runs
from benchmarks.recordings import Recording, joined_english, sample


def report(models: Sequence[str], recording: Recording, rounds: int) -> str:
    """Returns a section of Markdown: the median of all rounds, and the range of p95."""
    rows = []
    for each in models:
        model, _, threads = each.rpartition(":")
        reference = live_peers.timed_words(model, recording)
        side = live_peers.ours(WHISPER_CPU_THREADS=threads)
        found = [
            asyncio.run(live_peers.measure(side, model, recording, 1, reference))
            for _round in range(rounds)
        ]
        plural = "" if threads == "1" else "s"
        rows.append(live_peers.row(f"{runs.name_of(model)}, {threads} thread{plural}", 1, found))
    return "\n".join(
        [
            "## One live session\n",
            "`python -m benchmarks.live_alone`\n",
            f"int8, of {recording.name}, {rounds} rounds: medians, and the range of p95. Columns",
            "as in the table with WhisperLiveKit.\n",
            "| | sessions | p50 s | p95 s | words | WER | CPU |",
            "|---|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", action="append", required=True, help="MODEL:THREADS")
    parser.add_argument("--speech", type=Path, help="folder with references.tsv")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="put it into RESULTS.md")
    args = parser.parse_args()
    recording = joined_english(args.speech) if args.speech else sample()
    part = report(args.model, recording, args.rounds)
    print(part)
    if args.write:
        results.put(part)


if __name__ == "__main__":
    main()
