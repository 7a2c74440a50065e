"""Runs the benchmarks of speech and puts their sections into `benchmarks/RESULTS.md`. Takes over an
hour on two cores. The other sections name the commands that measure them.

python -m benchmarks --model base --model tiny.en [--speech DIR]
"""

import argparse
import os
import platform
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from benchmarks import (
    accuracy,
    compute_types,
    final_pass,
    hallucination,
    live,
    memory,
    processes,
    queue,
    recordings,
    results,
    throughput,
    together,
    vocabulary,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--model", action="append", required=True, help="folder or size of a Whisper model"
    )
    parser.add_argument("--speech", type=Path, help="folder of real speech with references.tsv")
    args = parser.parse_args()
    for measure in (_heading, *_sections(args.model, args.speech)):
        part = measure()
        print(part, flush=True)
        results.put(part)  # after each one, so that an error in the last loses no hour's work


def _sections(models: list[str], speech: Path | None) -> list[Callable[[], str]]:
    return [
        lambda: accuracy.report(models, speech),
        lambda: hallucination.report(models, recordings.sample_and_real(speech)),
        lambda: vocabulary.report(models),
        lambda: throughput.report(models, speech=speech),
        lambda: memory.report(models),
        lambda: together.report(models[:1], speech=speech),
        lambda: processes.report(models[0]),
        lambda: compute_types.report(models, speech=speech),
        lambda: live.report(models, speech=speech),
        lambda: final_pass.report(models[:1], speech),
        queue.report,
    ]


def _heading() -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in ("faster-whisper", "ctranslate2"))
    return (
        "# Results\n\n"
        "`make bench` writes the sections about speech; the others name the commands that measure\n"
        "them. All sides of a comparison ran in turn in the same minutes on the same machine;\n"
        "absolute times are that machine's and depend on what else it did.\n\n"
        f"Machine: {os.cpu_count()} cores, {_processor()}, "
        f"Python {platform.python_version()}, {versions}.\n"
    )


def _processor() -> str:
    """Returns the processor's name: the model decides how float32 compares with int8."""
    known = Path("/proc/cpuinfo")
    for line in known.read_text(encoding="utf-8").splitlines() if known.is_file() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


if __name__ == "__main__":
    main()
