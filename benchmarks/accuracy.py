"""Word error rate over a folder laid out as LibriSpeech is: `*.trans.txt` files whose lines are an
utterance's id and its words, and `<id>.flac` (or .wav) beside them.

    python -m benchmarks.accuracy --model base LibriSpeech/test-clean

Without a folder the turns of `samples/meeting.wav` are laid out that way and read.
"""

import argparse
import asyncio
import json
import re
import tempfile
import time
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jiwer

from echostream.domain import TranscribeOptions
from echostream.pipeline import Pipeline, build_pipeline
from echostream.settings import Settings

SAMPLE = Path(__file__).parent.parent / "samples" / "meeting.wav"


@dataclass(frozen=True, slots=True)
class Score:
    """`rtf` is engine time by audio time, summed over all utterances."""

    utterances: int
    words: int
    wer: float
    rtf: float


def report(model: str, source: Path) -> str:
    """A section of Markdown over a folder, or over a recording with its turns beside it."""
    rows = [_row(engine, model, source) for engine in ("whisper", "pocketsphinx")]
    return "\n".join(
        [
            "## Accuracy\n",
            f"`python -m benchmarks.accuracy --model {model} {source.name}`\n",
            "| engine | model | utterances | words | WER | real-time factor |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _row(engine: str, model: str, source: Path) -> str:
    settings = Settings(
        asr_engine=engine, whisper_model=model, insights_provider="none", cache_ttl_s=0
    )
    name = Path(model).name if engine == "whisper" else "en-us"
    score = measure(settings, source)
    return (
        f"| {engine} | {name} | {score.utterances} | {score.words} "
        f"| {score.wer:.3f} | {score.rtf:.3f} |"
    )


def measure(settings: Settings, source: Path) -> Score:
    """Read every utterance through the pipeline and compare."""
    if source.is_dir():
        return asyncio.run(_measure_folder(settings, source))
    with tempfile.TemporaryDirectory() as folder:
        lay_out_turns(source, Path(folder))
        return asyncio.run(_measure_folder(settings, Path(folder)))


async def _measure_folder(settings: Settings, folder: Path) -> Score:
    utterances = list(read_folder(folder))
    if not utterances:
        raise SystemExit(f"no *.trans.txt in {folder}")
    pipeline = build_pipeline(settings)
    try:
        return await _score(pipeline, utterances)
    finally:
        await pipeline.aclose()


async def _score(pipeline: Pipeline, utterances: list[tuple[Path, str]]) -> Score:
    await pipeline.load()
    heard: list[str] = []
    audio_s = 0.0
    started = time.perf_counter()
    for audio, _reference in utterances:
        result = await pipeline.run(audio, TranscribeOptions(language="en"))
        heard.append(plain(result.transcript.text))
        audio_s += result.transcript.duration_s
    took_s = time.perf_counter() - started
    references = [plain(reference) for _audio, reference in utterances]
    words = sum(len(reference.split()) for reference in references)
    return Score(len(utterances), words, jiwer.wer(references, heard), took_s / audio_s)


def read_folder(folder: Path) -> Iterator[tuple[Path, str]]:
    """Each utterance's audio and reference text, in order of their ids."""
    for index in sorted(folder.rglob("*.trans.txt")):
        for line in index.read_text(encoding="utf-8").splitlines():
            utterance, _, text = line.partition(" ")
            for suffix in (".flac", ".wav"):
                audio = index.parent / f"{utterance}{suffix}"
                if audio.is_file():
                    yield audio, text


def lay_out_turns(recording: Path, folder: Path) -> None:
    """Cut a recording at the turns in the JSON beside it, into a LibriSpeech-style folder."""
    turns = json.loads(recording.with_suffix(".json").read_text(encoding="utf-8"))["turns"]
    lines = []
    with wave.open(str(recording), "rb") as source:
        rate_hz = source.getframerate()
        for number, turn in enumerate(turns):
            utterance = f"0-0-{number:04}"
            source.setpos(int(turn["start_s"] * rate_hz))
            frames = source.readframes(int((turn["end_s"] - turn["start_s"]) * rate_hz))
            with wave.open(str(folder / f"{utterance}.wav"), "wb") as file:
                file.setparams(source.getparams())
                file.writeframes(frames)
            lines.append(f"{utterance} {turn['text'].upper()}")
    (folder / "0-0.trans.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def plain(text: str) -> str:
    """Lower case without punctuation, as WER is counted on LibriSpeech."""
    return " ".join(re.sub(r"[^\w\s']", " ", text.lower()).split())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("source", type=Path, nargs="?", default=SAMPLE)
    args = parser.parse_args()
    print(report(args.model, args.source))


if __name__ == "__main__":
    main()
