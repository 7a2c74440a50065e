"""Compares the text of live audio, that of its final pass, and that of the same audio as a file;
and says how long the final pass takes after the end.

A client speaks a recording in real time; then the same samples are uploaded. No insights are made.

    python -m benchmarks.final_pass --model base [--speech DIR] [--recording voices]
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx2 as httpx

from benchmarks import results, runs
from benchmarks.live import server
from benchmarks.recordings import (
    Recording,
    joined_english,
    long_recordings,
    sample,
    voices,
)
from benchmarks.scoring import score
from benchmarks.synth import RATE_HZ
from echostream.live_client import LiveClient, Message

_PIECE = RATE_HZ // 10
_START: Message = {"ext": "pcm", "language": "en", "insights": False}


@dataclass
class Said:
    """What a client was told. Times are seconds from `end_audio`, `ahead` the share of the final
    pass that was done by then."""

    final: Message
    ahead: float
    live_s: float
    final_s: float


def report(
    models: Sequence[str],
    speech: Path | None = None,
    recordings: Iterable[Recording] | None = None,
) -> str:
    """Returns a section of Markdown, about all long recordings unless some are given."""
    read = list(long_recordings(speech) if recordings is None else recordings)
    rows = [asyncio.run(_row(model, recording)) for model in models for recording in read]
    return "\n".join(
        [
            "## Final pass\n",
            "`python -m benchmarks.final_pass`\n",
            "Word error rates of what was said live, of `audio_final`, and of the same audio as a",
            "file. `ahead` is the share of the final pass that was done while somebody spoke. Then",
            "the times from `end_audio` to the last live text and to `audio_final`, and that of",
            "the upload, as shares of the audio.\n",
            "| recording | model | live | final | file | ahead | live text | to the end | upload |",
            "|---|---|---|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


async def _row(model: str, recording: Recording) -> str:
    async with server(model, "whisper", 1) as url:
        await _speak(url, Recording("", recording.samples[: 3 * RATE_HZ], ""))  # loads the engine
        said = await _speak(url, recording)
        file, file_s = await _upload(url, recording)
    texts = [said.final["liveTranscript"], said.final["transcript"], file]
    rates = [score(recording.reference, text).wer for text in texts]
    times = [each_s / recording.seconds for each_s in (said.live_s, said.final_s, file_s)]
    shown = [f"{rate:.3f}" for rate in rates]
    shown += [f"{share:.2f}" for share in (said.ahead, *times)]
    return f"| {recording.name} | {runs.name_of(model)} | {' | '.join(shown)} |"


async def _speak(url: str, recording: Recording) -> Said:
    pcm = recording.samples.astype("<i2").tobytes()
    ended_s = told_s = 0.0
    ahead: list[float] = []

    def on_partial(message: Message) -> None:
        nonlocal told_s
        if message["text"]:
            told_s = time.perf_counter()

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal ended_s
        began_s = time.perf_counter()
        for number, start in enumerate(range(0, len(pcm), 2 * _PIECE), 1):
            await asyncio.sleep(began_s + number / 10 - time.perf_counter())
            yield pcm[start : start + 2 * _PIECE]
        ended_s = time.perf_counter()

    client = LiveClient(
        url,
        None,
        dict(_START),
        on_partial=on_partial,
        on_fault=lambda _: None,
        # Without speakers, reading is 90 percent.
        on_progress=lambda message: ahead.append(message["progress"] / 90),
    )
    final = await client.run(pieces())
    final_s = time.perf_counter() - ended_s
    return Said(final, ahead[0] if ahead else 0.0, max(0.0, told_s - ended_s), final_s)


async def _upload(url: str, recording: Recording) -> tuple[str, float]:
    """Returns the text of the same audio as a file, and how many seconds it took."""
    with tempfile.TemporaryDirectory() as folder:
        path = recording.save(Path(folder) / "said.wav")
        async with httpx.AsyncClient(base_url=url, timeout=None) as http:
            began_s = time.perf_counter()
            answer = await http.post(
                "/upload-audio",
                files={"audio": path.open("rb")},
                data={"language": "en", "insights": "false"},
            )
            file_s = time.perf_counter() - began_s
    return answer.raise_for_status().json()["transcript"], file_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", action="append", required=True)
    parser.add_argument("--speech", type=Path, help="folder with references.tsv")
    parser.add_argument("--recording", choices=["sample", "voices", "real"], help="this one alone")
    parser.add_argument("--write", action="store_true", help="put it into RESULTS.md")
    args = parser.parse_args()
    if args.recording == "real" and args.speech is None:
        parser.error("--recording real needs --speech")
    one = {
        "sample": lambda: [sample()],
        "voices": lambda: [voices()],
        "real": lambda: [joined_english(args.speech)],
    }.get(args.recording, lambda: None)
    part = report(args.model, args.speech, one())
    print(part)
    if args.write:
        results.put(part)


if __name__ == "__main__":
    main()
