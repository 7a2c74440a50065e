"""Compares compute types on this CPU: word error rate, time, peak memory.

python -m benchmarks.compute_types --model base [--speech DIR] [--side words]
"""

import argparse
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import runs
from benchmarks.recordings import Recording, long_recordings
from benchmarks.runs import SIDES, Measured, Run
from benchmarks.scoring import score

_TYPES = ("float32", "int8", "int8_float32", "bfloat16", "int8_bfloat16")


def report(
    models: Sequence[str], *, speech: Path | None = None, side: str = "ours", rounds: int = 3
) -> str:
    """Returns a section of Markdown on the last long recording: real voices if available."""
    recording = list(long_recordings(speech))[-1]
    rows = [row for model in models for row in _rows(model, recording, side, rounds)]
    missing = [name for name in _TYPES if name not in supported()]
    return "\n".join(
        [
            "## Types of weights\n",
            "`python -m benchmarks.compute_types`\n",
            f"{SIDES[side]}, {recording.name}, batches of {runs.BATCH_SIZE}, the language given,",
            f"medians of {rounds} rounds; `x real time` is seconds of audio a second.\n",
            "| model | weights | WER | wall s | x real time | CPU s | peak MiB |",
            "|---|---|---|---|---|---|---|",
            *rows,
            "",
            *([f"Not on this CPU: {', '.join(missing)}.\n"] if missing else []),
        ]
    )


def supported() -> list[str]:
    """Returns the compute types that CTranslate2 supports on this CPU."""
    import ctranslate2

    here = ctranslate2.get_supported_compute_types("cpu")
    return [name for name in _TYPES if name in here]


def _rows(model: str, recording: Recording, side: str, rounds: int) -> list[str]:
    types = supported()
    found: dict[str, list[Measured]] = {name: [] for name in types}
    with tempfile.TemporaryDirectory() as folder:
        audio = recording.save(Path(folder) / "speech.wav")
        for _ in range(rounds):
            for name in types:
                run = Run(side, model, recording.language, compute_type=name)
                found[name].append(runs.in_a_process(run, [audio]))
    return [_row(model, name, recording, measured) for name, measured in found.items()]


def _row(model: str, name: str, recording: Recording, measured: list[Measured]) -> str:
    # Decoding without sampling always gives the same text.
    errors = score(recording.reference, measured[0].heard[0].text, recording.language)
    wall_s = statistics.median(one.wall_s for one in measured)
    cpu_s = statistics.median(one.cpu_s for one in measured)
    peak_mib = statistics.median(one.peak_mib for one in measured)
    return (
        f"| {runs.name_of(model)} | {name} | {errors.wer:.3f} | {wall_s:.1f} "
        f"| {recording.seconds / wall_s:.1f} | {cpu_s:.1f} | {peak_mib:.0f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", action="append", required=True)
    parser.add_argument("--speech", type=Path, help="folder with references.tsv")
    parser.add_argument("--side", choices=SIDES, default="ours")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    print(report(args.model, speech=args.speech, side=args.side, rounds=args.rounds))


if __name__ == "__main__":
    main()
