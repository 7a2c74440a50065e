"""Runs one side of a comparison on recordings, in its own process.

Peak memory and CPU time are measured per process, and a library loaded for one side must not help
another. Times exclude loading the model and the first read, which allocates memory.

    python -m benchmarks.runs --side ours --model DIR meeting.wav
"""

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

SAMPLE = Path(__file__).parent.parent / "samples" / "meeting.wav"
BATCH_SIZE = 8

SIDES = {
    "ours": "EchoStream",
    "words": "bare, batched, with word times",
    "batched": "bare, batched, no times",
    "sequential": "bare, sequential",
}
"""The name of each side in tables. Like EchoStream, `words` times every word."""


@dataclass(frozen=True, slots=True)
class Run:
    """The work of one process. Without a `language`, each recording's language is detected."""

    side: str
    model: str
    language: str | None = None
    compute_type: str = "int8"
    threads: int = field(default_factory=lambda: os.cpu_count() or 1)
    batch_size: int = BATCH_SIZE
    hotwords: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Heard:
    """The result for one recording. `cpu_s` includes child processes."""

    text: str
    warnings: tuple[str, ...]
    wall_s: float
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Measured:
    """`peak_mib` is the peak of the process, or of a child if that needed more."""

    heard: tuple[Heard, ...]
    peak_mib: float

    @property
    def wall_s(self) -> float:
        return sum(one.wall_s for one in self.heard)

    @property
    def cpu_s(self) -> float:
        return sum(one.cpu_s for one in self.heard)


def name_of(model: str) -> str:
    """Returns a model's name for tables, which is never a path on this machine."""
    return Path(model).name


def in_a_process(run: Run, recordings: Sequence[Path]) -> Measured:
    """Starts a process for `run`, waits for it and returns its measurements."""
    command = [sys.executable, "-m", "benchmarks.runs", "--run", json.dumps(asdict(run))]
    done = subprocess.run(
        [*command, *map(str, recordings)], stdout=subprocess.PIPE, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    heard = (Heard(**{**one, "warnings": tuple(one["warnings"])}) for one in found["heard"])
    return Measured(tuple(heard), found["peak_mib"])


Reader = Callable[[Path], tuple[str, list[str]]]
"""Reads a recording and returns its text and warnings."""


def _measure(run: Run, recordings: Sequence[Path]) -> Measured:
    ours = run.side == "ours"
    heard = asyncio.run(_ours(run, recordings)) if ours else _bare(run, recordings)
    peaks_kib = (
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return Measured(tuple(heard), max(peaks_kib) / 1024)


def _bare(run: Run, recordings: Sequence[Path]) -> list[Heard]:
    from faster_whisper import BatchedInferencePipeline, WhisperModel

    model = WhisperModel(run.model, compute_type=run.compute_type, cpu_threads=run.threads)
    asked: dict[str, Any] = {"language": run.language, "hotwords": " ".join(run.hotwords) or None}
    read = model.transcribe
    if run.side != "sequential":
        read = BatchedInferencePipeline(model).transcribe
        asked |= {"batch_size": run.batch_size, "word_timestamps": run.side == "words"}

    def text(recording: Path) -> str:
        return "".join(segment.text for segment in read(str(recording), **asked)[0])

    text(SAMPLE)
    heard = []
    for recording in recordings:
        clock = _Clock()
        heard.append(clock.stop(text(recording)))
    return heard


async def _ours(run: Run, recordings: Sequence[Path]) -> list[Heard]:
    from echostream.building import local_pipeline
    from echostream.domain import TranscribeOptions
    from echostream.settings import Settings

    settings = Settings(
        asr_engine="whisper",
        whisper_model=run.model,
        whisper_compute_type=run.compute_type,
        whisper_cpu_threads=run.threads,
        whisper_batch_size=run.batch_size,
        insights_provider="none",
        cache_ttl_s=0,
    )
    options = TranscribeOptions(language=run.language, hotwords=run.hotwords)
    pipeline = local_pipeline(settings)
    try:
        await pipeline.run(SAMPLE, options, insights=False)
        heard = []
        for recording in recordings:
            clock = _Clock()
            transcript = (await pipeline.run(recording, options, insights=False)).transcript
            heard.append(clock.stop(transcript.text, [one.code for one in transcript.warnings]))
        return heard
    finally:
        await pipeline.aclose()


class _Clock:
    """Measures wall and CPU time from its creation to `stop`."""

    def __init__(self) -> None:
        self._cpu_s = _cpu_s()
        self._began_s = time.perf_counter()

    def stop(self, text: str, warnings: Sequence[str] = ()) -> Heard:
        wall_s = time.perf_counter() - self._began_s
        return Heard(text.strip(), tuple(warnings), wall_s, _cpu_s() - self._cpu_s)


def _cpu_s() -> float:
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", help="a whole run as JSON, as `in_a_process` gives it")
    parser.add_argument("--side", choices=SIDES, default="ours")
    parser.add_argument("--model", default="base")
    parser.add_argument("--language")
    parser.add_argument("recordings", type=Path, nargs="+")
    args = parser.parse_args()
    run = Run(args.side, args.model, args.language)
    if args.run:
        given = json.loads(args.run)
        run = Run(**{**given, "hotwords": tuple(given["hotwords"])})
    print(json.dumps(asdict(_measure(run, args.recordings)), ensure_ascii=False))


if __name__ == "__main__":
    main()
