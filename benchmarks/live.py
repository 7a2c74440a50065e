"""Measures live transcription: the delay until a spoken word is confirmed, the word error rate, and
how many sessions one process can handle.

Clients send a recording in real time over Socket.IO, each starting a little after the previous one.
A word's lag is the time from its end, as the engine timed it, to the arrival of the
`partial_transcript` that confirms it. The comparison is bare faster-whisper, which reads each
utterance once, after its end: no text while somebody speaks, and nothing between engine and client.

    python -m benchmarks.live --model small [--speech DIR] [--compute-type float16]
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import socketio

from benchmarks import runs
from benchmarks.recordings import Recording, joined_english, sample
from benchmarks.scoring import score
from benchmarks.synth import RATE_HZ

TARGET_S = 3.3
_PIECE = RATE_HZ // 10
_STAGGER_S = 0.37
_PAUSE_MS = 600
_MOST = (1, 4, 8, 12, 16, 24, 32, 48)


@dataclass
class Heard:
    """What one client received: when each confirmed letter came, and the first text of any kind.

    It counts letters, because one word at the client may be several words of the engine.
    """

    began_s: float = 0.0
    arrivals_s: list[float] = field(default_factory=list)
    first_text_s: float | None = None
    lags_s: list[float] = field(default_factory=list)
    final_after_s: float | None = None
    text: str = ""

    def note(self, message: dict[str, Any]) -> None:
        now = time.perf_counter()
        if self.first_text_s is None and (message["text"] or message["tentative"]):
            self.first_text_s = now - self.began_s
        self.arrivals_s += [now] * _letters(message["text"])

    def end(self, final: dict[str, Any]) -> None:
        self.text = final["transcript"]
        words = [word for segment in final["segments"] for word in segment["words"]]
        if sum(_letters(word["word"]) for word in words) != len(self.arrivals_s):
            raise RuntimeError("the final words are not those that were confirmed")
        letters = 0
        for word in words:
            letters += _letters(word["word"])
            self.lags_s.append(self.arrivals_s[letters - 1] - self.began_s - word["end"])


def _letters(text: str) -> int:
    return len("".join(text.split()))


def report(
    models: Sequence[str],
    *,
    engine: str = "whisper",
    compute_type: str = "int8",
    ramp: tuple[int, ...] = _MOST,
    speech: Path | None = None,
) -> str:
    """Returns a section of Markdown. Uses real voices if `speech` is given, else the sample."""
    recording = joined_english(speech) if speech else sample()
    rows: list[str] = []
    sustained = []
    for model in models:
        name = runs.name_of(model) if engine == "whisper" else engine
        if engine == "whisper":
            rows.append(
                _row(
                    "bare, each utterance once",
                    name,
                    [bare(model, recording, compute_type)],
                    recording,
                )
            )
        most = 0
        for sessions in ramp:
            heard = asyncio.run(_measure(model, engine, sessions, recording, compute_type))
            rows.append(_row(f"EchoStream, {sessions}", name, heard, recording))
            if _percentile(_lags(heard), 95) >= TARGET_S:
                break
            most = sessions
        tried = " (the most that were tried)" if most == ramp[-1] else ""
        sustained.append(f"{name} {most}{tried}")
    return "\n".join(
        [
            "## Live\n",
            "`python -m benchmarks.live`\n",
            f"Of {recording.name}, {compute_type}: seconds from the end of a word to its",
            "confirmation; `first text` is from the start of the audio to the first confirmed or",
            "tentative words, `final` from `end_audio` to `audio_final`, insights included. The",
            "word error rate is the mean of the sessions. Server and clients share the machine.\n",
            "| sessions | model | p50 | p95 | p99 | first text | final | WER |",
            "|---|---|---|---|---|---|---|---|",
            *rows,
            "",
            f"Sessions of one process with p95 under {TARGET_S} s: {', '.join(sustained)}.",
            "",
        ]
    )


def _row(sessions: str, model: str, heard: Sequence[Heard], recording: Recording) -> str:
    shown = [f"{_percentile(_lags(heard), share):.2f}" for share in (50, 95, 99)]
    for times in ([one.first_text_s for one in heard], [one.final_after_s for one in heard]):
        known = [seconds for seconds in times if seconds is not None]
        shown.append(f"{statistics.median(known):.2f}" if known else "–")
    wer = statistics.mean(score(recording.reference, one.text).wer for one in heard)
    return f"| {sessions} | {model} | {' | '.join(shown)} | {wer:.3f} |"


def _lags(heard: Sequence[Heard]) -> list[float]:
    return [lag for one in heard for lag in one.lags_s]


def _percentile(values: list[float], share: int) -> float:
    return float(np.percentile(values, share))


def bare(model: str, recording: Recording, compute_type: str) -> Heard:
    """Simulates an engine that reads each utterance once its end is known, 600 ms later."""
    from faster_whisper import WhisperModel
    from faster_whisper.vad import get_speech_timestamps

    whisper = WhisperModel(model, compute_type=compute_type)
    audio = recording.samples.astype(np.float32) / 32768
    list(whisper.transcribe(audio[: RATE_HZ * 3], language="en")[0])  # to warm up
    utterances = get_speech_timestamps(
        audio, min_silence_duration_ms=_PAUSE_MS, speech_pad_ms=100, max_speech_duration_s=30
    )
    heard = Heard()
    free_at_s = 0.0
    for utterance in utterances:
        began_s, over_s = utterance["start"] / RATE_HZ, utterance["end"] / RATE_HZ
        started = time.perf_counter()
        found, _info = whisper.transcribe(
            audio[utterance["start"] : utterance["end"]], language="en", word_timestamps=True
        )
        segments = list(found)
        took_s = time.perf_counter() - started
        free_at_s = max(over_s + _PAUSE_MS / 1000, free_at_s) + took_s
        heard.text += "".join(segment.text for segment in segments)
        heard.lags_s += [
            free_at_s - began_s - word.end for segment in segments for word in segment.words
        ]
    return heard


async def _measure(
    model: str, engine: str, sessions: int, recording: Recording, compute_type: str
) -> list[Heard]:
    pcm = recording.samples.astype("<i2").tobytes()
    async with server(model, engine, sessions, WHISPER_COMPUTE_TYPE=compute_type) as url:
        await _speak(url, Heard(), pcm[: 2 * RATE_HZ * 3])  # to load the engine
        heard = [Heard() for _ in range(sessions)]
        await asyncio.gather(
            *(
                _speak(url, one, pcm, after_s=number * _STAGGER_S)
                for number, one in enumerate(heard)
            )
        )
        return heard


async def _speak(url: str, heard: Heard, pcm: bytes, *, after_s: float = 0.0) -> None:
    await asyncio.sleep(after_s)
    final: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
    client = socketio.AsyncClient(reconnection=False, handle_sigint=False)
    client.on("partial_transcript", heard.note)
    client.on("audio_final", final.set_result)
    await client.connect(url, transports=["websocket"])
    answer = await client.call("start_audio", {"ext": "pcm", "language": "en", "finalPass": False})
    if not answer["ok"]:
        raise RuntimeError(answer["message"])
    heard.began_s = time.perf_counter()
    for number, start in enumerate(range(0, len(pcm), 2 * _PIECE), 1):
        # Send each piece only after it was spoken.
        await asyncio.sleep(heard.began_s + number / 10 - time.perf_counter())
        await client.emit("audio_chunk", {"buffer": pcm[start : start + 2 * _PIECE]})
    ended = time.perf_counter()
    await client.emit("end_audio", {})
    heard.end(await final)
    heard.final_after_s = time.perf_counter() - ended
    await client.disconnect()


@asynccontextmanager
async def server(model: str, engine: str, sessions: int, **more: str) -> AsyncIterator[str]:
    """Runs one API process on a free port, with `more` settings."""
    settings = {
        "PORT": "0",
        "WEB_CONCURRENCY": "1",
        "MAX_LIVE_SESSIONS": str(sessions + 1),
        "ASR_ENGINE": engine,
        "WHISPER_MODEL": model,
        "WHISPER_COMPUTE_TYPE": "int8",
        "LOG_LEVEL": "info",
        **more,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "echostream", "serve"),
        env={**os.environ, **settings},
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    line = await process.stderr.readline()
    while b'"url"' not in line:
        if not line:
            raise RuntimeError("the server ended before it listened")
        line = await process.stderr.readline()
    url = json.loads(line)["url"]
    reading = asyncio.create_task(process.stderr.read())  # so that it never blocks
    try:
        yield url
    finally:
        process.terminate()
        await process.wait()
        await reading


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", action="append", required=True)
    parser.add_argument("--engine", default="whisper", choices=["whisper", "pocketsphinx"])
    parser.add_argument("--compute-type", default="int8", help="float16 for a GPU")
    parser.add_argument("--sessions", type=int, nargs="+", default=_MOST)
    parser.add_argument("--speech", type=Path, help="folder with references.tsv")
    args = parser.parse_args()
    print(
        report(
            args.model,
            engine=args.engine,
            compute_type=args.compute_type,
            ramp=tuple(args.sessions),
            speech=args.speech,
        )
    )


if __name__ == "__main__":
    main()
