"""Compares live text with WhisperLiveKit's: the same model, audio and machine, in turn.

Both servers get a recording in real time, in pieces of 100 ms. A word's lag is the time from its
end to the moment when the client has it as confirmed text. Neither side times the words: a file
reading by bare faster-whisper does, and the words of both are aligned with it. A word that never
came has no lag, so the table also has the word error rate and the share of words that came.

WhisperLiveKit needs torch, so it is installed apart: `pip install whisperlivekit faster-whisper` in
an environment whose `python` is given as `--peer`.

    python -m benchmarks.live_peers --model DIR --peer ENV/bin/python [--sessions 1 2 3]
"""

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import numpy as np
import socketio
import websockets

from benchmarks import live, results, runs
from benchmarks.local_llm import cpu_s
from benchmarks.processes import tree
from benchmarks.recordings import Recording, joined_english, sample, voices
from benchmarks.scoring import score
from benchmarks.synth import RATE_HZ

_PIECE_S = 0.1
_STAGGER_S = 0.37
_PATIENCE_S = 120.0
"""How long a client waits for the rest of the text after the audio has ended."""


@dataclass
class Heard:
    """The confirmed text of one client, and when each of its words came, from the audio's start."""

    began_s: float = 0.0
    text: str = ""
    arrivals_s: list[float] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Takes the whole confirmed text so far."""
        self.text = text
        came = len(text.split()) - len(self.arrivals_s)
        self.arrivals_s += [time.perf_counter() - self.began_s] * came


@dataclass(frozen=True, slots=True)
class Measured:
    """One round of one side. `came` is the share of the words that both the reference reading and
    the client have."""

    p50_s: float
    p95_s: float
    wer: float
    came: float
    cpu: float
    """CPU seconds of the server for a second of audio of one session."""


def report(
    model: str, peer: Path, recording: Recording, sessions: Sequence[int], rounds: int
) -> str:
    """Returns a section of Markdown: the median of all rounds, and the range of p95."""
    reference = timed_words(model, recording)
    rows = []
    for count in sessions:
        found: dict[str, list[Measured]] = {"EchoStream": [], "WhisperLiveKit": []}
        for _round in range(rounds):
            for name, side in (("EchoStream", ours()), ("WhisperLiveKit", _peer(peer))):
                found[name].append(asyncio.run(measure(side, model, recording, count, reference)))
        rows += [row(name, count, found[name]) for name in found]
    return "\n".join(
        [
            "## Live beside WhisperLiveKit\n",
            "`python -m benchmarks.live_peers`\n",
            f"{runs.name_of(model)}, int8, of {recording.name}, LocalAgreement with faster-whisper",
            f"on the other side, {rounds} rounds in turn: medians, and the range of p95. The lag",
            "is from the end of a word to its confirmed text at the client; `words` is the share",
            "of a file reading's words that came; CPU is the server's for a second of audio.\n",
            "| | sessions | p50 s | p95 s | words | WER | CPU |",
            "|---|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def row(name: str, sessions: int, found: Sequence[Measured]) -> str:
    def middle(of: Callable[[Measured], float]) -> float:
        return statistics.median(map(of, found))

    spread = f"{min(one.p95_s for one in found):.1f}–{max(one.p95_s for one in found):.1f}"
    return (
        f"| {name} | {sessions} | {middle(lambda one: one.p50_s):.1f}"
        f" | {middle(lambda one: one.p95_s):.1f} ({spread})"
        f" | {middle(lambda one: one.came):.2f} | {middle(lambda one: one.wer):.3f}"
        f" | {middle(lambda one: one.cpu):.2f} |"
    )


def timed_words(model: str, recording: Recording) -> list[tuple[str, float]]:
    """Returns the words of a file reading, without marks, with the seconds of their ends."""
    from faster_whisper import WhisperModel

    whisper = WhisperModel(model, compute_type="int8")
    segments, _info = whisper.transcribe(
        recording.samples.astype(np.float32) / 32768,
        language=recording.language,
        word_timestamps=True,
        vad_filter=True,
        condition_on_previous_text=False,
    )
    return [(_bare(word.word), word.end) for segment in segments for word in segment.words or ()]


def lags_s(heard: Heard, reference: Sequence[tuple[str, float]]) -> list[float]:
    """Returns the lag of each word that the client and the reference reading share."""
    said = [_bare(word) for word in heard.text.split()]
    known = [word for word, _end_s in reference]
    blocks = SequenceMatcher(None, known, said, autojunk=False).get_matching_blocks()
    return [
        heard.arrivals_s[block.b + at] - reference[block.a + at][1]
        for block in blocks
        for at in range(block.size)
    ]


def _bare(word: str) -> str:
    return "".join(letter for letter in word.casefold() if letter.isalnum())


Talk = Callable[[Heard, bytes], Awaitable[None]]
Side = Callable[[str, int], AbstractAsyncContextManager[Talk]]


def ours(**settings: str) -> Side:
    """Our server, with `settings` as environment variables."""

    @asynccontextmanager
    async def side(model: str, sessions: int) -> AsyncIterator[Talk]:
        more = {"INSIGHTS_PROVIDER": "none", **settings}
        async with live.server(model, "whisper", sessions, **more) as url:

            async def talk(heard: Heard, pcm: bytes) -> None:
                final: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
                client = socketio.AsyncClient(reconnection=False, handle_sigint=False)
                client.on("partial_transcript", lambda told: heard.note(heard.text + told["text"]))
                client.on("audio_final", final.set_result)
                await client.connect(url, transports=["websocket"])
                asked = {"ext": "pcm", "language": "en", "finalPass": False}
                answer = await client.call("start_audio", asked)
                if not answer["ok"]:
                    raise RuntimeError(answer["message"])
                await _speak(heard, pcm, lambda one: client.emit("audio_chunk", {"buffer": one}))
                await client.emit("end_audio", {})
                await asyncio.wait_for(final, _PATIENCE_S)
                await client.disconnect()

            yield talk

    return side


def _peer(python: Path) -> Side:
    @asynccontextmanager
    async def peer(model: str, _sessions: int) -> AsyncIterator[Talk]:
        port = _free_port()
        process = await asyncio.create_subprocess_exec(
            *(str(python.with_name("whisperlivekit-server")), "--model-path", model),
            *("--backend", "faster-whisper", "--backend-policy", "localagreement"),
            *("--pcm-input", "--language", "en", "--host", "127.0.0.1", "--port", str(port)),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

        async def talk(heard: Heard, pcm: bytes) -> None:
            async with websockets.connect(f"ws://127.0.0.1:{port}/asr", max_size=None) as link:

                async def listen() -> None:
                    async for message in link:
                        told = json.loads(message)
                        if told.get("type") == "ready_to_stop":
                            return
                        lines = [line.get("text") or "" for line in told.get("lines", [])]
                        heard.note(" ".join(filter(None, lines)))

                listening = asyncio.create_task(listen())
                await _speak(heard, pcm, link.send)
                await link.send(b"")
                await asyncio.wait([listening], timeout=_PATIENCE_S)
                listening.cancel()

        try:
            await _listens(port)
            yield talk
        finally:
            process.terminate()
            await process.wait()

    return peer


async def measure(
    side: Side,
    model: str,
    recording: Recording,
    sessions: int,
    reference: Sequence[tuple[str, float]],
) -> Measured:
    pcm = recording.samples.astype("<i2").tobytes()
    async with side(model, sessions) as talk:
        await talk(Heard(), pcm[: 2 * RATE_HZ * 5])  # loads and warms up
        began_cpu_s = _servers_cpu_s()
        heard = [Heard() for _ in range(sessions)]

        async def start(number: int) -> None:
            await asyncio.sleep(number * _STAGGER_S)
            await talk(heard[number], pcm)

        await asyncio.gather(*map(start, range(sessions)))
        used_s = _servers_cpu_s() - began_cpu_s
    lags = [lag for one in heard for lag in lags_s(one, reference)]
    return Measured(
        p50_s=float(np.percentile(lags, 50)),
        p95_s=float(np.percentile(lags, 95)),
        wer=statistics.mean(score(recording.reference, one.text).wer for one in heard),
        came=len(lags) / len(reference) / sessions,
        cpu=used_s / recording.seconds / sessions,
    )


async def _speak(heard: Heard, pcm: bytes, send: Callable[[bytes], Awaitable[Any]]) -> None:
    """Sends each piece when its last sample would have been spoken."""
    heard.began_s = time.perf_counter()
    size = 2 * int(_PIECE_S * RATE_HZ)
    for number, start in enumerate(range(0, len(pcm), size), 1):
        await asyncio.sleep(heard.began_s + number * _PIECE_S - time.perf_counter())
        await send(pcm[start : start + size])


def _free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


async def _listens(port: int) -> None:
    for _try in range(600):
        try:
            _reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.2)
        else:
            writer.close()
            return
    raise RuntimeError("the other server did not start")


def _servers_cpu_s() -> float:
    """CPU time of all processes that this one has started and that still run."""
    return sum(map(cpu_s, tree(os.getpid())[1:]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--peer", type=Path, required=True, help="python with whisperlivekit")
    parser.add_argument("--speech", type=Path, help="folder with references.tsv")
    parser.add_argument("--voices", action="store_true", help="the meeting of five made voices")
    parser.add_argument("--sessions", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="put it into RESULTS.md")
    args = parser.parse_args()
    recording = (
        voices() if args.voices else joined_english(args.speech) if args.speech else sample()
    )
    part = report(args.model, args.peer, recording, args.sessions, args.rounds)
    print(part)
    if args.write:
        results.put(part)


if __name__ == "__main__":
    main()
