"""Measures how well speakers are told apart, and what that costs.

A folder of clips has audio and its reference beside it: `name.flac` and `name.rttm`. The error
rate (DER) has a collar of 0.25 s on each side of a change and counts speech of several at once.
It needs pyannote.metrics, which brings pandas and scikit-learn, so it is not among the development
dependencies; sherpa-onnx and meeteval are compared with if they are installed:

    pip install pyannote.metrics sherpa-onnx meeteval
    python -m benchmarks.diarization --clips DIR [--models DIR] [--minutes 60] [--whisper base]
"""

import argparse
import multiprocessing
import re
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import speaker_words
from benchmarks.recordings import decoded
from benchmarks.synth import RATE_HZ
from echostream.diarization import models
from echostream.diarization.onnx import OnnxDiarizer
from echostream.domain import SpeakerOptions, Turn

COLLAR_S = 0.25
_SHERPA_THRESHOLD = 0.5
"""sherpa-onnx's default."""

Samples = NDArray[np.int16]
Side = Callable[["Clip"], Sequence[Turn]]


@dataclass(frozen=True, slots=True)
class Clip:
    name: str
    samples: Samples
    reference: tuple[Turn, ...]

    @property
    def kind(self) -> str:
        """The letters that its name starts with."""
        return re.split(r"[^a-z]", self.name)[0]

    @property
    def people(self) -> int:
        return len({turn.speaker for turn in self.reference})

    @property
    def seconds(self) -> float:
        return len(self.samples) / RATE_HZ


def clips_of(folder: Path) -> Iterator[Clip]:
    for path in sorted(folder.glob("*.rttm")):
        fields = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
        turns = tuple(
            Turn(float(start), float(start) + float(length), speaker)
            for kind, _, _, start, length, _, _, speaker, *_ in fields
            if kind == "SPEAKER"
        )
        yield Clip(path.stem, decoded(path.with_suffix(".flac")), turns)


@dataclass(frozen=True, slots=True)
class Errors:
    """Seconds of speech, and of each kind of error."""

    total_s: float = 0.0
    missed_s: float = 0.0
    false_alarm_s: float = 0.0
    confused_s: float = 0.0
    right_count: int = 0
    clips: int = 0

    def __add__(self, other: "Errors") -> "Errors":
        return Errors(
            self.total_s + other.total_s,
            self.missed_s + other.missed_s,
            self.false_alarm_s + other.false_alarm_s,
            self.confused_s + other.confused_s,
            self.right_count + other.right_count,
            self.clips + other.clips,
        )

    @property
    def rate(self) -> float:
        wrong_s = self.missed_s + self.false_alarm_s + self.confused_s
        return wrong_s / self.total_s if self.total_s else float(wrong_s > 0)


def errors(clip: Clip, turns: Sequence[Turn]) -> Errors:
    from pyannote.core import Segment, Timeline
    from pyannote.metrics.diarization import DiarizationErrorRate

    found: dict[str, float] = DiarizationErrorRate(collar=2 * COLLAR_S)(
        _annotation(clip.reference),
        _annotation(turns),
        uem=Timeline([Segment(0, clip.seconds)]),
        detailed=True,
    )
    return Errors(
        found["total"],
        found["missed detection"],
        found["false alarm"],
        found["confusion"],
        int(len({turn.speaker for turn in turns}) == clip.people),
        1,
    )


def _annotation(turns: Sequence[Turn]) -> Any:
    from pyannote.core import Annotation, Segment

    annotation = Annotation()
    for number, turn in enumerate(turns):
        annotation[Segment(turn.start_s, turn.end_s), number] = turn.speaker
    return annotation


def own(folder: Path, segmentation: str, voices: str) -> OnnxDiarizer:
    return OnnxDiarizer(folder / segmentation, folder / voices)


def ours(diarizer: OnnxDiarizer, *, told: bool = False) -> Side:
    def turns(clip: Clip) -> Sequence[Turn]:
        options = SpeakerOptions(count=clip.people if told else None)
        return diarizer.diarize(clip.samples, options).turns

    return turns


def sherpa(folder: Path) -> Side:
    """sherpa-onnx with the same models."""
    import sherpa_onnx as so

    config = so.OfflineSpeakerDiarizationConfig(
        segmentation=so.OfflineSpeakerSegmentationModelConfig(
            pyannote=so.OfflineSpeakerSegmentationPyannoteModelConfig(
                model=str(folder / models.SEGMENTATION)
            )
        ),
        embedding=so.SpeakerEmbeddingExtractorConfig(model=str(folder / models.VOICE)),
        clustering=so.FastClusteringConfig(num_clusters=-1, threshold=_SHERPA_THRESHOLD),
    )
    loaded = so.OfflineSpeakerDiarization(config)

    def turns(clip: Clip) -> Sequence[Turn]:
        found = loaded.process(clip.samples.astype(np.float32) / 32768)
        return [Turn(one.start, one.end, str(one.speaker)) for one in found.sort_by_start_time()]

    return turns


def quality(clips: Sequence[Clip], sides: dict[str, Side]) -> str:
    """A table of each clip, and of all clips of a kind."""
    rows = [
        "| clip | speakers | " + " | ".join(f"{side}: DER (speakers)" for side in sides) + " |",
        "|---" * (len(sides) + 2) + "|",
    ]
    pooled: dict[tuple[str, str], Errors] = {}
    for clip in clips:
        cells = []
        for name, side in sides.items():
            turns = side(clip)
            found = errors(clip, turns)
            for kind in (clip.kind, "all"):
                pooled[kind, name] = pooled.get((kind, name), Errors()) + found
            cells.append(f"{found.rate:.3f} ({len({turn.speaker for turn in turns})})")
        rows.append(f"| {clip.name} | {clip.people} | " + " | ".join(cells) + " |")
    for kind in dict.fromkeys(kind for kind, _ in pooled):
        cells = [
            f"{(sum_ := pooled[kind, name]).rate:.3f} (right: {sum_.right_count} of {sum_.clips})"
            for name in sides
        ]
        rows.append(f"| **{kind}** | | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def long_recording(clips: Sequence[Clip], minutes: float) -> str:
    """Time and memory of the clips again and again, in a process of its own."""
    joined = np.concatenate([clip.samples for clip in clips])
    times = -(-int(minutes * 60 * RATE_HZ) // len(joined))
    samples = np.tile(joined, times)[: int(minutes * 60 * RATE_HZ)]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        wall_s, cpu_s, before_mib, peak_mib, people = pool.apply(_measured, (samples,))
    return (
        f"{minutes:g} minutes: {cpu_s / (minutes * 60):.3f} of real time on one core"
        f" ({cpu_s:.0f} s of CPU, {wall_s:.0f} s passed), {peak_mib - before_mib:.0f} MiB above"
        f" the audio and the libraries; {people} speakers found.\n"
    )


def _measured(samples: Samples) -> tuple[float, float, float, float, int]:
    diarizer = OnnxDiarizer(
        models.OWN_WEIGHTS / models.SEGMENTATION, models.OWN_WEIGHTS / models.VOICE
    )
    before_mib, wall_s, cpu_s = _peak_mib(), time.perf_counter(), time.process_time()
    found = diarizer.diarize(samples, SpeakerOptions())
    return (
        time.perf_counter() - wall_s,
        time.process_time() - cpu_s,
        before_mib,
        _peak_mib(),
        len({turn.speaker for turn in found.turns}),
    )


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def report(folder: Path, model_folder: Path, minutes: float, whisper: str | None) -> str:
    """Returns a section of Markdown."""
    clips = list(clips_of(folder))
    diarizer = own(model_folder, models.SEGMENTATION, models.VOICE)
    sides = {"ours": ours(diarizer), "ours, count told": ours(diarizer, told=True)}
    if find_spec("sherpa_onnx"):
        sides["sherpa-onnx"] = sherpa(model_folder)
    parts = ["## Speakers\n", quality(clips, sides), "", _precisions(clips, model_folder)]
    if minutes:
        parts.append(long_recording(clips, minutes))
    if whisper:
        parts.append(speaker_words.report(clips, diarizer, whisper))
    return "\n".join(parts)


def _precisions(clips: Sequence[Clip], folder: Path) -> str:
    """The same models as float and int8, if the folder has both."""

    def at(name: str, precision: str) -> str:
        return name.removesuffix(".onnx").removesuffix(".int8") + precision + ".onnx"

    sides = {
        f"segmentation{first or ' float'}, voices{second or ' float'}": ours(
            own(folder, at(models.SEGMENTATION, first), at(models.VOICE, second))
        )
        for first in ("", ".int8")
        for second in ("", ".int8")
        if (folder / at(models.SEGMENTATION, first)).is_file()
        and (folder / at(models.VOICE, second)).is_file()
    }
    return quality(clips, sides) + "\n" if len(sides) > 1 else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--models", type=Path, default=models.OWN_WEIGHTS)
    parser.add_argument("--minutes", type=float, default=60.0, help="0: no long recording")
    parser.add_argument("--whisper", help="a Whisper model, for the speakers of words")
    args = parser.parse_args()
    print(report(args.clips, args.models, args.minutes, args.whisper))


if __name__ == "__main__":
    main()
