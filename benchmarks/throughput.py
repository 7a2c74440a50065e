"""Speed and peak memory of the pipeline beside bare faster-whisper, on the same model and file.

Each run is a process of its own, since peak memory is a process's. The two sides take turns, so
that what else the machine does hits both alike. Loading the model is not timed.

    python -m benchmarks.throughput --model base --minutes 20
"""

import argparse
import asyncio
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import wave
from pathlib import Path

SAMPLE = Path(__file__).parent.parent / "samples" / "meeting.wav"
BATCH_SIZE = 8
SIDES = ("bare", "ours")


def report(model: str, *, minutes: float, rounds: int = 5) -> str:
    """A section of Markdown."""
    rows = [_row("1 min", _compare(model, SAMPLE, rounds))]
    with tempfile.TemporaryDirectory() as folder:
        for length in (minutes, 3 * minutes):
            long = Path(folder) / "long.wav"
            _repeat_sample(long, length)
            rows.append(_row(f"{length:g} min", _compare(model, long, max(3, rounds // 2))))
    return "\n".join(
        [
            "## Throughput and memory\n",
            f"`python -m benchmarks.throughput --model {model} --minutes {minutes:g}`\n",
            "File to segments, without insights, batches of 8, median of the rounds. `ratio` is",
            "our throughput divided by that of bare faster-whisper; the target is 0.95.\n",
            "| recording | bare s | ours s | ratio | bare peak MiB | ours peak MiB |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _compare(model: str, audio: Path, rounds: int) -> dict[str, list[dict[str, float]]]:
    runs: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    for number in range(rounds):
        # Who goes first changes, so that neither always finds the file cache warm.
        for side in SIDES if number % 2 else reversed(SIDES):
            runs[side].append(_in_a_process(side, model, audio))
    return runs


def _row(name: str, runs: dict[str, list[dict[str, float]]]) -> str:
    took = {side: statistics.median(run["took_s"] for run in runs[side]) for side in SIDES}
    peak = {side: statistics.median(run["peak_mib"] for run in runs[side]) for side in SIDES}
    ratio = took["bare"] / took["ours"]
    return (
        f"| {name} | {took['bare']:.2f} | {took['ours']:.2f} | {ratio:.2f} "
        f"| {peak['bare']:.0f} | {peak['ours']:.0f} |"
    )


def _in_a_process(side: str, model: str, audio: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.throughput", "--side", side]
    done = subprocess.run(
        [*command, "--model", model, "--audio", str(audio)],
        capture_output=True,
        text=True,
        check=True,
    )
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def _repeat_sample(target: Path, minutes: float) -> None:
    with wave.open(str(SAMPLE), "rb") as source:
        frames = source.readframes(source.getnframes())
        once_s = source.getnframes() / source.getframerate()
        with wave.open(str(target), "wb") as file:
            file.setparams(source.getparams())
            for _ in range(max(1, round(minutes * 60 / once_s))):
                file.writeframes(frames)


def _run_bare(model: str, audio: Path) -> float:
    from faster_whisper import BatchedInferencePipeline, WhisperModel

    pipeline = BatchedInferencePipeline(WhisperModel(model))
    # The first run loads libraries and allocates; neither side is to pay for that.
    list(pipeline.transcribe(str(SAMPLE), batch_size=BATCH_SIZE)[0])
    started = time.perf_counter()
    segments, _info = pipeline.transcribe(
        str(audio), batch_size=BATCH_SIZE, without_timestamps=False
    )
    assert list(segments)
    return time.perf_counter() - started


def _run_ours(model: str, audio: Path) -> float:
    from echostream.domain import TranscribeOptions
    from echostream.pipeline import build_pipeline
    from echostream.settings import Settings

    settings = Settings(
        asr_engine="whisper",
        whisper_model=model,
        whisper_batch_size=BATCH_SIZE,
        insights_provider="none",
        cache_ttl_s=0,
    )

    async def run() -> float:
        pipeline = build_pipeline(settings)
        await pipeline.run(SAMPLE, TranscribeOptions())
        started = time.perf_counter()
        result = await pipeline.run(audio, TranscribeOptions())
        took_s = time.perf_counter() - started
        assert result.transcript.segments
        await pipeline.aclose()
        return took_s

    return asyncio.run(run())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--side", choices=SIDES)
    parser.add_argument("--audio", type=Path, default=SAMPLE)
    args = parser.parse_args()
    if args.side is None:
        print(report(args.model, minutes=args.minutes))
        return
    took_s = {"bare": _run_bare, "ours": _run_ours}[args.side](args.model, args.audio)
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"took_s": took_s, "peak_mib": peak_mib}))


if __name__ == "__main__":
    main()
