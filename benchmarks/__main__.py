"""Run every benchmark and write `benchmarks/RESULTS.md`."""

import argparse
import os
import platform
from importlib.metadata import version
from pathlib import Path

from benchmarks import accuracy, live, queue, throughput

RESULTS = Path(__file__).parent / "RESULTS.md"
MODEL = "tests/data/whisper-tiny-meeting"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=MODEL, help="folder or size of a Whisper model")
    parser.add_argument("--minutes", type=float, default=20.0, help="length of the long recording")
    args = parser.parse_args()
    sections = [
        _heading(),
        throughput.report(args.model, minutes=args.minutes),
        accuracy.report(args.model, accuracy.SAMPLE),
        queue.report(),
        live.report(args.model),
    ]
    RESULTS.write_text("\n".join(sections), encoding="utf-8")
    print(RESULTS.read_text(encoding="utf-8"))


def _heading() -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in ("faster-whisper", "ctranslate2"))
    return (
        "# Results\n\n"
        "Written by `make bench`. Both sides of a ratio ran in turn in the same minutes on the\n"
        "same machine; absolute times are that machine's and depend on what else it did.\n\n"
        f"Machine: {os.cpu_count()} cores, {platform.machine()}, "
        f"Python {platform.python_version()}, {versions}.\n"
    )


if __name__ == "__main__":
    main()
