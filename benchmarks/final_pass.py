"""Compares the text of live audio, that of its final pass, and that of the same audio as a file.

A client speaks a recording in real time; then the same samples are uploaded. The cache is off, and
no insights are made.

    python -m benchmarks.final_pass --model base [--speech DIR]
"""

import argparse
import asyncio
import io
import time
import wave
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx2 as httpx

from benchmarks import runs
from benchmarks.live import server
from benchmarks.recordings import Recording, joined_english, sample
from benchmarks.scoring import score
from benchmarks.synth import RATE_HZ
from echostream.live_client import LiveClient, Message

_PIECE = RATE_HZ // 10


@dataclass
class Texts:
    """The three texts of one recording, and how long the final pass and the upload took."""

    live: str
    final: str
    file: str
    after_s: float
    file_s: float


def report(models: Sequence[str], speech: Path | None = None) -> str:
    """Returns a section of Markdown."""
    recordings = [sample(), *([joined_english(speech)] if speech else [])]
    rows = [_row(model, recording) for model in models for recording in recordings]
    return "\n".join(
        [
            "## Final pass\n",
            "`python -m benchmarks.final_pass`\n",
            "Word error rates of what was said live, of `audio_final`, and of the same audio as a",
            "file; and the times from `end_audio` to `audio_final`, and of the upload, as shares",
            "of the audio.\n",
            "| recording | model | live | final | file | final pass | upload |",
            "|---|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _row(model: str, recording: Recording) -> str:
    texts = asyncio.run(_texts(model, recording))
    rates = [score(recording.reference, text).wer for text in (texts.live, texts.final, texts.file)]
    length_s = len(recording.samples) / RATE_HZ
    shares = [texts.after_s / length_s, texts.file_s / length_s]
    shown = [*(f"{rate:.3f}" for rate in rates), *(f"{share:.2f}" for share in shares)]
    return f"| {recording.name} | {runs.name_of(model)} | {' | '.join(shown)} |"


async def _texts(model: str, recording: Recording) -> Texts:
    pcm = recording.samples.astype("<i2").tobytes()
    async with server(model, "whisper", 1, CACHE_TTL_S="0") as url:
        await _speak(url, pcm[: 2 * RATE_HZ * 3])  # to load the engine
        final, after_s = await _speak(url, pcm)
        async with httpx.AsyncClient(base_url=url, timeout=600) as http:
            began_s = time.perf_counter()
            answer = await http.post(
                "/upload-audio",
                files={"audio": ("said.wav", _wav(pcm))},
                data={"language": "en", "insights": "false"},
            )
            file_s = time.perf_counter() - began_s
    file = answer.raise_for_status().json()
    return Texts(final["liveTranscript"], final["transcript"], file["transcript"], after_s, file_s)


async def _speak(url: str, pcm: bytes) -> tuple[Message, float]:
    """Returns `audio_final`, and the seconds from the last piece to it."""
    ended_s = 0.0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal ended_s
        began_s = time.perf_counter()
        for number, start in enumerate(range(0, len(pcm), 2 * _PIECE), 1):
            await asyncio.sleep(began_s + number / 10 - time.perf_counter())
            yield pcm[start : start + 2 * _PIECE]
        ended_s = time.perf_counter()

    start = {"ext": "pcm", "language": "en", "insights": False}
    client = LiveClient(url, None, start, on_partial=lambda _: None, on_fault=lambda _: None)
    final = await client.run(pieces())
    return final, time.perf_counter() - ended_s


def _wav(pcm: bytes) -> bytes:
    with io.BytesIO() as memory:
        with wave.open(memory, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE_HZ)
            file.writeframes(pcm)
        return memory.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", action="append", required=True)
    parser.add_argument("--speech", type=Path, help="folder with references.tsv")
    args = parser.parse_args()
    print(report(args.model, args.speech))


if __name__ == "__main__":
    main()
