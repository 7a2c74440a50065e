"""Compares short uploads sent at once with the same uploads in turn, and with bare faster-whisper.

EchoStream runs as a server with default settings and is called over HTTP. Bare faster-whisper is a
process that has its model loaded and reads the files from disk (all cores), with word times, which
EchoStream always has, and without. The sides take turns.

    python -m benchmarks.together --model base [--speech DIR] [--compute-type float16]
"""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx2 as httpx

from benchmarks import runs
from benchmarks.recordings import Recording, joined_english, sample
from benchmarks.synth import RATE_HZ

CLIP_S = 10
CLIPS = 8
_START_S = 120.0
_SIDES = {
    "at once": "EchoStream, all at once",
    "in turn": "EchoStream, one after another",
    "words": "bare, one after another, with word times",
    "plain": "bare, one after another",
}


def report(
    models: Sequence[str],
    *,
    speech: Path | None = None,
    rounds: int = 5,
    compute_type: str = "int8",
) -> str:
    """Returns a section of Markdown."""
    with tempfile.TemporaryDirectory() as folder:
        clips = _clips(joined_english(speech) if speech else sample(), Path(folder))
        rows = [
            row
            for model in models
            for row in _rows(model, compare(model, clips, rounds, compute_type))
        ]
    return "\n".join(
        [
            "## Short uploads at once\n",
            "`python -m benchmarks.together`\n",
            f"{CLIPS} uploads of {CLIP_S} s, no insights; medians of {rounds} rounds in turn. The",
            "last column is how many times the throughput EchoStream has when they come at once:",
            "the median of the ratios of the rounds.\n",
            "| model | side | wall s | times the throughput |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


def compare(
    model: str, clips: Sequence[Path], rounds: int, compute_type: str
) -> dict[str, list[float]]:
    """Returns the seconds that each side needed for all clips, in each round."""
    with ExitStack() as stack:
        url = stack.enter_context(_server(model, compute_type))
        sides: dict[str, Callable[[], object]] = {
            "at once": lambda: _at_once(url, clips),
            "in turn": lambda: [_upload(url, clip) for clip in clips],
            "words": stack.enter_context(_bare(model, clips, compute_type, word_times=True)),
            "plain": stack.enter_context(_bare(model, clips, compute_type, word_times=False)),
        }
        for side in sides.values():
            side()  # the first run allocates memory
        found: dict[str, list[float]] = {name: [] for name in sides}
        for number in range(rounds):
            for name in sides if number % 2 else reversed(sides):
                began_s = time.perf_counter()
                sides[name]()
                found[name].append(time.perf_counter() - began_s)
    return found


def _rows(model: str, found: dict[str, list[float]]) -> Iterator[str]:
    for name, called in _SIDES.items():
        ratio = statistics.median(
            theirs / ours for theirs, ours in zip(found[name], found["at once"], strict=True)
        )
        wall_s = statistics.median(found[name])
        told = "–" if name == "at once" else f"{ratio:.2f}"
        yield f"| {runs.name_of(model)} | {called} | {wall_s:.1f} | {told} |"


def _clips(recording: Recording, folder: Path) -> list[Path]:
    """Cuts clips from all parts of the recording, so that no two are alike."""
    last = len(recording.samples) - CLIP_S * RATE_HZ
    starts = [last * number // (CLIPS - 1) for number in range(CLIPS)]
    return [
        Recording("", recording.samples[start : start + CLIP_S * RATE_HZ], "").save(
            folder / f"{number}.wav"
        )
        for number, start in enumerate(starts)
    ]


def _at_once(url: str, clips: Sequence[Path]) -> None:
    with ThreadPoolExecutor(len(clips)) as pool:
        list(pool.map(lambda clip: _upload(url, clip), clips))


def _upload(url: str, clip: Path) -> None:
    with clip.open("rb") as file:
        answer = httpx.post(
            f"{url}/upload-audio",
            files={"audio": file},
            data={"language": "en", "insights": "false"},
            timeout=600,
        )
    answer.raise_for_status()


@contextmanager
def _server(model: str, compute_type: str) -> Iterator[str]:
    """Runs a warmed-up EchoStream with default settings, except the model; yields its URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "PORT": str(port),
        "WHISPER_MODEL": model,
        "WHISPER_COMPUTE_TYPE": compute_type,
        "ASR_ENGINE": "whisper",
        "CACHE_TTL_S": "0",
    }
    command = [sys.executable, "-m", "echostream", "serve"]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as server,
    ):
        url = f"http://127.0.0.1:{port}"
        try:
            _wait_for(url)
            yield url
        finally:
            server.terminate()
            server.communicate()


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/health").is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise TimeoutError("the server did not start")


@contextmanager
def _bare(
    model: str, clips: Sequence[Path], compute_type: str, *, word_times: bool
) -> Iterator[Callable[[], object]]:
    """Yields a function that reads all clips each time it is called."""
    command = [sys.executable, "-m", "benchmarks.together", "--bare", model]
    command += ["--compute-type", compute_type]
    command += ["--word-times"] * word_times
    with subprocess.Popen(
        [*command, *map(str, clips)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        if child.stdin is None or child.stdout is None:
            raise RuntimeError("a child without pipes")
        ask, answer = child.stdin, child.stdout

        def read() -> None:
            print("read", file=ask, flush=True)
            if not answer.readline():
                raise RuntimeError("bare faster-whisper has ended")

        yield read
        ask.close()


def _serve_bare(model: str, clips: Sequence[str], compute_type: str, word_times: bool) -> None:
    from faster_whisper import WhisperModel

    whisper = WhisperModel(model, compute_type=compute_type, cpu_threads=os.cpu_count() or 1)
    for _line in sys.stdin:
        for clip in clips:
            list(whisper.transcribe(clip, language="en", word_timestamps=word_times)[0])
        print("done", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", action="append")
    parser.add_argument("--speech", type=Path, help="folder with references.tsv")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--compute-type", default="int8", help="float16 for a GPU")
    parser.add_argument("--bare", metavar="MODEL", help="be the other side")
    parser.add_argument("--word-times", action="store_true")
    parser.add_argument("clips", nargs="*")
    args = parser.parse_args()
    if args.bare:
        _serve_bare(args.bare, args.clips, args.compute_type, args.word_times)
    else:
        print(
            report(
                args.model,
                speech=args.speech,
                rounds=args.rounds,
                compute_type=args.compute_type,
            )
        )


if __name__ == "__main__":
    main()
