"""Live transcription: how long after a word is spoken it is confirmed, and how many sessions one
process sustains.

Clients speak the sample at its own pace over Socket.IO, each begun a little after the one before.
A word's lag is the time from its end, as the recording has it, to the arrival of the
`partial_transcript` that confirms it. Beside it a bare engine that reads each utterance once, when
it is over: no text while somebody speaks, and nothing between engine and client.

    python -m benchmarks.live --model small --engine whisper
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
import wave
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import socketio

from echostream.asr import Transcriber, load_transcriber
from echostream.asr.vad import speech_regions
from echostream.domain import SAMPLE_RATE_HZ, TranscribeOptions
from echostream.settings import Settings

SAMPLE = Path(__file__).parent.parent / "samples" / "meeting.wav"
TARGET_S = 3.3
_PIECE = SAMPLE_RATE_HZ // 10
_STAGGER_S = 0.37
_PAUSE_MS = 600
_MOST = (1, 4, 8, 12, 16, 24, 32, 48)


@dataclass
class Heard:
    """What one client saw: when each confirmed word came, and when the first text of any kind."""

    began_s: float = 0.0
    arrivals_s: list[float] = field(default_factory=list)
    first_text_s: float | None = None
    lags_s: list[float] = field(default_factory=list)
    final_after_s: float = 0.0

    def note(self, message: dict[str, Any]) -> None:
        now = time.perf_counter()
        if self.first_text_s is None and (message["text"] or message["tentative"]):
            self.first_text_s = now - self.began_s
        self.arrivals_s += [now] * len(message["text"].split())

    def end(self, final: dict[str, Any]) -> None:
        words = [word for segment in final["segments"] for word in segment["words"]]
        for arrived_s, word in zip(self.arrivals_s, words, strict=True):
            self.lags_s.append(arrived_s - self.began_s - word["end"])


def report(model: str, *, engine: str = "whisper", ramp: tuple[int, ...] = _MOST) -> str:
    """A section of Markdown."""
    rows = [_row("bare engine, 1", bare(model, engine), None, None)]
    sustained = 0
    for sessions in ramp:
        heard = asyncio.run(_measure(model, engine, sessions))
        lags = [lag for one in heard for lag in one.lags_s]
        firsts = [one.first_text_s for one in heard if one.first_text_s is not None]
        finals = [one.final_after_s for one in heard]
        rows.append(_row(f"EchoStream, {sessions}", lags, firsts, finals))
        if _percentile(lags, 95) >= TARGET_S:
            break
        sustained = sessions
    return "\n".join(
        [
            "## Live\n",
            f"`python -m benchmarks.live --model {model} --engine {engine}`\n",
            "Seconds from the end of a word to its confirmation; `first text` is from the start of",
            "the audio (whose first word begins at 0.3 s) to the first confirmed or tentative",
            "words, `final` from `end_audio` to `audio_final`, insights included. Server and",
            "clients share the machine.\n",
            "| sessions | p50 | p95 | p99 | first text | final |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
            f"Sessions of one process with p95 under {TARGET_S} s: {sustained}"
            f"{' (the most that were tried)' if sustained == ramp[-1] else ''}.",
            "",
        ]
    )


def _row(
    name: str, lags: list[float], firsts: list[float] | None, finals: list[float] | None
) -> str:
    shown = [f"{_percentile(lags, share):.2f}" for share in (50, 95, 99)]
    shown += [f"{statistics.median(found):.2f}" if found else "–" for found in (firsts, finals)]
    return f"| {name} | {' | '.join(shown)} |"


def _percentile(values: list[float], share: int) -> float:
    return float(np.percentile(values, share))


def bare(model: str, engine: str) -> list[float]:
    """The lags of an engine that reads each utterance as soon as its end is known."""
    transcriber = load_transcriber(_settings(model, engine))
    try:
        samples = np.frombuffer(_pcm(), "<i2")
        list(_read(transcriber, samples[: SAMPLE_RATE_HZ * 3]))  # warmed up
        lags: list[float] = []
        free_at_s = 0.0
        regions = speech_regions(samples, min_silence_ms=_PAUSE_MS, pad_ms=100, max_region_s=30)
        for region in regions:
            started = time.perf_counter()
            ends_s = list(_read(transcriber, samples[region.start : region.end]))
            took_s = time.perf_counter() - started
            known_at_s = region.end / SAMPLE_RATE_HZ + _PAUSE_MS / 1000
            free_at_s = max(known_at_s, free_at_s) + took_s
            lags += [free_at_s - region.start / SAMPLE_RATE_HZ - end_s for end_s in ends_s]
        return lags
    finally:
        transcriber.close()


def _read(transcriber: Transcriber, samples: np.ndarray) -> Iterator[float]:
    """When each word ends."""
    options = TranscribeOptions(word_timestamps=True)
    for segment in transcriber.transcribe(samples, options).segments:
        yield from (word.end_s for word in segment.words)


def _settings(model: str, engine: str) -> Settings:
    return Settings.model_validate({"whisper_model": model, "asr_engine": engine})


async def _measure(model: str, engine: str, sessions: int) -> list[Heard]:
    async with _server(model, engine, sessions) as url:
        await _speak(url, Heard(), seconds=3)  # so that the engine is loaded
        heard = [Heard() for _ in range(sessions)]
        await asyncio.gather(
            *(_speak(url, one, after_s=number * _STAGGER_S) for number, one in enumerate(heard))
        )
        return heard


async def _speak(
    url: str, heard: Heard, *, after_s: float = 0.0, seconds: float | None = None
) -> None:
    await asyncio.sleep(after_s)
    pcm = _pcm()[: None if seconds is None else int(2 * SAMPLE_RATE_HZ * seconds)]
    final: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
    client = socketio.AsyncClient(reconnection=False, handle_sigint=False)
    client.on("partial_transcript", heard.note)
    client.on("audio_final", final.set_result)
    await client.connect(url, transports=["websocket"])
    answer = await client.call("start_audio", {"ext": "pcm"})
    if not answer["ok"]:
        raise RuntimeError(answer["message"])
    heard.began_s = time.perf_counter()
    for number, start in enumerate(range(0, len(pcm), 2 * _PIECE), 1):
        # A piece is sent once it has been spoken.
        await asyncio.sleep(heard.began_s + number / 10 - time.perf_counter())
        await client.emit("audio_chunk", {"buffer": pcm[start : start + 2 * _PIECE]})
    ended = time.perf_counter()
    await client.emit("end_audio", {})
    heard.end(await final)
    heard.final_after_s = time.perf_counter() - ended
    await client.disconnect()


def _pcm() -> bytes:
    with wave.open(str(SAMPLE), "rb") as file:
        return file.readframes(file.getnframes())


@asynccontextmanager
async def _server(model: str, engine: str, sessions: int) -> AsyncIterator[str]:
    """One API process on a free port."""
    settings = {
        "PORT": "0",
        "WEB_CONCURRENCY": "1",
        "MAX_LIVE_SESSIONS": str(sessions + 1),
        "ASR_ENGINE": engine,
        "WHISPER_MODEL": model,
        "LOG_LEVEL": "info",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "echostream", "serve"),
        env={**os.environ, **settings},
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    url = json.loads(await process.stderr.readline())["url"]
    reading = asyncio.create_task(process.stderr.read())  # so that it never waits for us
    try:
        yield url
    finally:
        process.terminate()
        await process.wait()
        await reading


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="tests/data/whisper-tiny-meeting")
    parser.add_argument("--engine", default="whisper", choices=["whisper", "pocketsphinx"])
    parser.add_argument("--sessions", type=int, nargs="+", default=_MOST)
    args = parser.parse_args()
    print(report(args.model, engine=args.engine, ramp=tuple(args.sessions)))


if __name__ == "__main__":
    main()
