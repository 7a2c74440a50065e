"""Measures how many words get the wrong speaker.

The clips have no text, so the words are Whisper's on both sides: with the speakers of the
reference, and with those that were found. Then the word error rate is 0, and all of
meeteval's cpWER is due to speakers. The reference's speakers are those of each word by
itself; labelling whole segments is compared with cutting them at words.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING

from echostream.diarization.assignment import assigned
from echostream.diarization.base import Diarizer
from echostream.domain import Segment, SpeakerOptions, Turn, Word

if TYPE_CHECKING:
    from benchmarks.diarization import Clip


def report(clips: Sequence["Clip"], diarizer: Diarizer, model: str) -> str:
    """Returns a section of Markdown."""
    if not find_spec("meeteval"):
        return "The speakers of words were not measured: meeteval is not installed.\n"
    sums: dict[tuple[str, str], tuple[int, int]] = defaultdict(lambda: (0, 0))
    for clip in clips:
        segments = _heard(clip, model)
        turns = diarizer.diarize(clip.samples, SpeakerOptions()).turns
        true = _texts(_each_alone(segments, clip.reference))
        for way, found in (
            ("cut at words", assigned(segments, turns)),
            ("whole segments", assigned([replace(one, words=()) for one in segments], turns)),
            ("cut at words, perfect turns", assigned(segments, clip.reference)),
        ):
            wrong, count = _wrong(true, _texts(found))
            for kind in (clip.kind, "all"):
                before = sums[kind, way]
                sums[kind, way] = before[0] + wrong, before[1] + count
    rows = ["| words of | way | words | wrong speaker (cpWER) |", "|---|---|---|---|"]
    rows += [
        f"| {kind} | {way} | {count} | {wrong / max(1, count):.3f} |"
        for (kind, way), (wrong, count) in sums.items()
    ]
    return "\n".join(rows) + "\n"


def _heard(clip: "Clip", model: str) -> list[Segment]:
    from faster_whisper import WhisperModel

    loaded = WhisperModel(model, device="cpu", compute_type="int8", cpu_threads=1)
    samples = clip.samples.astype("float32") / 32768
    found, _ = loaded.transcribe(samples, language="en", word_timestamps=True, vad_filter=True)
    return [
        Segment(
            number,
            one.start,
            one.end,
            one.text.strip(),
            tuple(Word(word.start, word.end, word.word.strip()) for word in one.words or ()),
        )
        for number, one in enumerate(found)
    ]


def _each_alone(segments: Iterable[Segment], turns: Sequence[Turn]) -> tuple[Segment, ...]:
    alone = [
        Segment(0, word.start_s, word.end_s, word.text) for one in segments for word in one.words
    ]
    return assigned(alone, turns)


def _texts(segments: Iterable[Segment]) -> dict[str, str]:
    """The text of each speaker."""
    said: dict[str, list[str]] = defaultdict(list)
    for one in segments:
        said[one.speaker or "nobody"].append(one.text)
    return {speaker: " ".join(texts) for speaker, texts in said.items()}


def _wrong(true: dict[str, str], found: dict[str, str]) -> tuple[int, int]:
    """Errors and words. A word with the wrong speaker is missing from one and too many for the
    other, which are two errors, or one where it replaces another word."""
    from meeteval.wer import cp_word_error_rate

    if not true:
        return 0, 0
    rate = cp_word_error_rate(true, found)
    return rate.errors, rate.length
