"""Measure a model from ``train_tiny_whisper.py`` with faster-whisper, on unseen speech.

Word error rates compare words in lower case without punctuation. Times are compared with flite's
own phone durations. It prints one line per figure and, with ``--json``, writes them all.
"""

from __future__ import annotations

import argparse
import difflib
import json
import random
import time
import wave
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import jiwer
import meeting_corpus as corpus
import numpy as np

RATE = corpus.SAMPLE_RATE


@dataclass
class Speech:
    """A piece of test sound with its sentences, times in seconds."""

    sound: np.ndarray  # float32 at 16 kHz
    sentences: list[tuple[str, float, float]] = field(default_factory=list)
    words: list[tuple[str, float, float]] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Returns all sentences in one line."""
        return " ".join(text for text, _, _ in self.sentences)


def make_speech(rng: random.Random, seconds: float, one_voice: bool) -> Speech:
    """Makes random sentences with pauses of 0.15 to 2.5 s, gain and a little noise."""
    pieces, made, at = [], Speech(np.zeros(0, np.float32)), rng.uniform(0.35, 1.0)
    manner = corpus.draw_manner(rng)
    while True:
        text = corpus.sentence(rng)
        voice, stretch, pitch = manner if one_voice else corpus.draw_manner(rng)
        sound, phones = corpus.speak(text, voice, stretch, pitch)
        words = corpus.word_times(text, voice, phones)
        if words is None:
            continue
        offset = at - words[0][1]
        if offset + words[-1][2] > seconds and made.sentences:
            break
        pieces.append((max(0.0, offset), sound * 10 ** rng.uniform(-0.25, 0.1)))
        made.sentences.append((text, at, offset + words[-1][2]))
        made.words += [(word, start + offset, end + offset) for word, start, end in words]
        at = offset + words[-1][2] + rng.choice((rng.uniform(0.15, 0.9), rng.uniform(0.4, 2.5)))
    length = round((made.sentences[-1][2] + rng.uniform(0.1, 0.8)) * RATE)
    made.sound = np.zeros(length, np.float32)
    for offset, sound in pieces:
        first = round(offset * RATE)
        sound = sound[: length - first]
        made.sound[first : first + len(sound)] += sound
    made.sound *= 10 ** rng.uniform(-0.7, 0.1)
    if rng.random() < 0.6:
        noise = np.random.default_rng(rng.randrange(1 << 30)).standard_normal(length)
        made.sound += (noise * 10 ** rng.uniform(-4, -2.4)).astype(np.float32)
    return made


def read_sample(folder: Path) -> Speech:
    """Reads samples/meeting.wav with its turns."""
    with wave.open(str(folder / "meeting.wav")) as reader:
        pcm = np.frombuffer(reader.readframes(reader.getnframes()), "<i2")
    turns = json.loads((folder / "meeting.json").read_text())["turns"]
    return Speech(
        pcm.astype(np.float32) / 32768,
        [(turn["text"], turn["start_s"], turn["end_s"]) for turn in turns],
    )


def plain(text: str) -> str:
    """Returns only the words, in lower case."""
    return " ".join(corpus.words_of(text))


def error_rate(pairs: list[tuple[str, str]]) -> float:
    """Returns the word error rate over (wanted, got) texts."""
    return jiwer.wer([plain(wanted) for wanted, _ in pairs], [plain(got) for _, got in pairs])


def read(transcribe: Callable, speech: Speech, **options) -> tuple[str, list]:
    """Returns the text and the segments of one transcription."""
    segments = list(transcribe(speech.sound, **options)[0])
    return "".join(segment.text for segment in segments), segments


def matched(
    wanted: Iterable[tuple[str, float, float]],
    got: Iterable[tuple[str, float, float]],
) -> tuple[list[float], list[float]]:
    """Returns start and end errors (seconds) of the items that both lists have, in order."""
    wanted, got = list(wanted), list(got)
    names = [[plain(item[0]) for item in items] for items in (wanted, got)]
    starts, ends = [], []
    for block in difflib.SequenceMatcher(None, *names, autojunk=False).get_matching_blocks():
        for k in range(block.size):
            true, seen = wanted[block.a + k], got[block.b + k]
            starts.append(abs(true[1] - seen[1]))
            ends.append(abs(true[2] - seen[2]))
    return starts, ends


def spread(errors: list[float]) -> dict[str, float]:
    """Returns the median, 90th percentile and share within 0.3 s."""
    if not errors:
        return {"count": 0}
    values = np.array(errors)
    return {
        "count": len(values),
        "median_s": round(float(np.median(values)), 3),
        "p90_s": round(float(np.quantile(values, 0.9)), 3),
        "within_0.3_s": round(float((values <= 0.3).mean()), 3),
    }


def measure_clips(model, batched, clips: list[Speech]) -> dict[str, object]:
    """Measures word error rates and times on clips that fit one window."""
    ways = {
        "greedy": (model.transcribe, {"beam_size": 1}),
        "beam5": (model.transcribe, {"beam_size": 5}),
        "beam5_prompt": (
            model.transcribe,
            {"initial_prompt": " We will discuss the budget. Thank you for joining."},
        ),
        "no_timestamps": (model.transcribe, {"beam_size": 1, "without_timestamps": True}),
        "vad": (model.transcribe, {"vad_filter": True}),
        "batched": (batched.transcribe, {"batch_size": 8}),
        "word_timestamps": (model.transcribe, {"word_timestamps": True}),
    }
    out: dict[str, object] = {}
    segment_errors, word_errors = ([], []), ([], [])
    for name, (transcribe, options) in ways.items():
        pairs, begun = [], time.perf_counter()
        for clip in clips:
            text, segments = read(transcribe, clip, **options)
            pairs.append((clip.text, text))
            if name == "beam5":
                found = [(s.text, s.start, s.end) for s in segments]
                for total, new in zip(segment_errors, matched(clip.sentences, found), strict=True):
                    total += new
            if name == "word_timestamps":
                found = [(w.word, w.start, w.end) for s in segments for w in s.words]
                for total, new in zip(word_errors, matched(clip.words, found), strict=True):
                    total += new
        out[f"clips_wer_{name}"] = round(error_rate(pairs), 4)
        seconds = sum(len(clip.sound) for clip in clips) / RATE
        out[f"clips_speed_{name}"] = round((time.perf_counter() - begun) / seconds, 4)
    for name, errors in (("segment", segment_errors), ("word", word_errors)):
        out[f"{name}_start"], out[f"{name}_end"] = spread(errors[0]), spread(errors[1])
    return out


def measure_long(model, batched, speeches: list[Speech], name: str) -> dict[str, float]:
    """Measures word error rates on speech longer than one window."""
    ways = {
        "unbatched": (model.transcribe, {"condition_on_previous_text": False}),
        "unbatched_conditioned": (model.transcribe, {}),
        "unbatched_vad": (
            model.transcribe,
            {"condition_on_previous_text": False, "vad_filter": True},
        ),
        "batched_vad": (batched.transcribe, {"batch_size": 8}),
        "batched_vad_stamps": (batched.transcribe, {"batch_size": 8, "without_timestamps": False}),
    }
    return {
        f"{name}_wer_{way}": round(
            error_rate(
                [(speech.text, read(transcribe, speech, **options)[0]) for speech in speeches]
            ),
            4,
        )
        for way, (transcribe, options) in ways.items()
    }


def measure_nothing(model, batched) -> dict[str, str]:
    """Returns the text for silence and for white noise, with and without VAD."""
    rng, out = np.random.default_rng(5), {}
    sounds = {"silence": np.zeros(40 * RATE, np.float32)}
    for name, level in (("faint_noise", 0.001), ("noise", 0.02), ("loud_noise", 0.2)):
        sounds[name] = (rng.standard_normal(40 * RATE) * level).astype(np.float32)
    for name, sound in sounds.items():
        for seconds in (3, 40):
            piece = Speech(sound[: seconds * RATE])
            out[f"{name}_{seconds}s"] = read(model.transcribe, piece)[0]
            out[f"{name}_{seconds}s_vad"] = read(model.transcribe, piece, vad_filter=True)[0]
            try:
                out[f"{name}_{seconds}s_batched"] = read(batched.transcribe, piece)[0]
            except RuntimeError:  # "No clip timestamps found": the VAD left nothing
                out[f"{name}_{seconds}s_batched"] = ""
    return out


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--clips", type=int, default=60)
    parser.add_argument("--long", type=int, default=3, help="long recordings of 2 to 5 minutes")
    parser.add_argument("--seed", type=int, default=777_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--samples", type=Path, default=Path(__file__).resolve().parents[1] / "samples"
    )
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--show", type=int, default=0, help="print so many wrong clips")
    args = parser.parse_args()
    from faster_whisper import BatchedInferencePipeline, WhisperModel

    model = WhisperModel(
        str(args.model), device="cpu", compute_type="int8", cpu_threads=args.threads
    )
    batched = BatchedInferencePipeline(model)
    rng = random.Random(args.seed)
    clip_jobs = [
        (random.Random(rng.random()), rng.uniform(3, 29.5), rng.random() < 0.3)
        for _ in range(args.clips)
    ]
    long_jobs = [
        (random.Random(rng.random()), rng.uniform(120, 300), False) for _ in range(args.long)
    ]
    with ThreadPoolExecutor(args.threads) as threads:
        made = list(threads.map(lambda job: make_speech(*job), clip_jobs + long_jobs))
    clips, longs = made[: args.clips], made[args.clips :]
    figures: dict[str, object] = {}
    if clips:
        figures |= measure_clips(model, batched, clips)
    if longs:
        figures |= measure_long(model, batched, longs, "long")
    if (args.samples / "meeting.wav").exists():
        figures |= measure_long(model, batched, [read_sample(args.samples)], "sample")
    figures["nothing"] = measure_nothing(model, batched)
    for name, value in figures.items():
        print(f"{name}: {value}")
    for clip in clips[: args.show]:
        print("wanted", clip.text, "\n   got", read(model.transcribe, clip)[0])
    if args.json:
        args.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
