"""Trains the models of the offline insights: `src/echostream/insights/offline/weights.npz`.

    python tools/train_insights.py MEETINGS

MEETINGS is a folder with `ami-train.jsonl.gz`: a line a meeting, with `segments` (`start`, `end`,
`speaker`, `act`, `text`, `asr`) and `actions`, `decisions`, `problems`, `abstract`, each a list of
`{text, evidence}`. The corpus is the AMI Meeting Corpus (CC BY 4.0). Needs numpy only, and takes
some minutes on one core. The same data give the same weights.
"""

import argparse
import gzip
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from insight_phrases import made_up_meetings
from numpy.typing import NDArray

from echostream.domain import Segment
from echostream.insights.offline import model
from echostream.insights.offline.features import COLUMNS, WINDOWS, Features, features_of
from echostream.insights.offline.model import KINDS, Kind, shifted
from echostream.insights.offline.sentences import sentences_of

OUT = Path(model.__file__).with_name("weights.npz")
MADE_UP = 200
STEPS = 80
RATE = 0.1
RARE = 3.0
"""How much more an example counts that is one: there are hundreds of others for each."""

REACH = (1.0, 0.4, 0.4, 0.3)
"""How freely each table is learned: neighbours tell less, and there are more of them."""

SHRINK: dict[Kind, float] = {"actions": 10, "decisions": 20, "questions": 20, "telling": 20}
"""The strength of the L2 penalty. Those of actions and decisions were chosen by leaving out whole
series of meetings; the others follow decisions."""

PADDING = max(offset for offsets in WINDOWS.values() for offset in offsets)


@dataclass(frozen=True, slots=True)
class Example:
    """A meeting: what the models see of it, and for each kind which sentences are one."""

    features: Features
    labels: dict[Kind, NDArray[np.float64]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("meetings", type=Path)
    folder = parser.parse_args().meetings
    examples = [*annotated(folder / "ami-train.jsonl.gz"), *made_up()]
    stored: dict[str, Any] = {}
    for kind in KINDS:
        tables, bias = train(examples, kind)
        scale = np.float32(np.abs(tables).max() / 127)
        stored[f"{kind}_tables"] = np.round(tables / scale).astype(np.int8)
        stored[f"{kind}_scale"] = scale
        stored[f"{kind}_bias"] = np.float32(bias)
        print(kind, f"bias {bias:.2f}, scale {scale:.4f}", flush=True)
    np.savez_compressed(OUT, **stored)
    print(f"{OUT}: {OUT.stat().st_size} bytes")


def annotated(path: Path) -> Iterator[Example]:
    """Each AMI meeting as written, without punctuation and capitals, and as recognised."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            meeting = json.loads(line)
            for texts in variants(meeting["segments"]):
                yield from labelled(meeting, texts)


def variants(segments: Sequence[dict[str, Any]]) -> Iterator[list[str]]:
    written = [segment["text"] for segment in segments]
    yield written
    yield [plain(text) for text in written]
    yield [segment.get("asr") or "" for segment in segments]


def plain(text: str) -> str:
    return re.sub(r"[^\w\s']", " ", text.replace("_", "")).lower()


def labelled(meeting: dict[str, Any], texts: Sequence[str]) -> Iterator[Example]:
    spoken = meeting["segments"]
    segments = [
        Segment(place, said["start"], said["end"], text, speaker=said["speaker"])
        for place, (said, text) in enumerate(zip(spoken, texts, strict=True))
    ]
    evidence = {
        name: evidence_of(meeting[name])
        for name in ("actions", "decisions", "problems", "abstract")
    }
    asked = {place for place, said in enumerate(spoken) if said["act"].startswith("el.")}
    wanted: dict[Kind, set[int]] = {
        "actions": evidence["actions"],
        "decisions": evidence["decisions"],
        "questions": asked & set().union(*evidence.values()),
        "telling": evidence["abstract"],
    }
    sentences = sentences_of(segments)
    if sentences:
        yield Example(
            features_of(sentences),
            {
                kind: np.array([float(not places.isdisjoint(s.segment_ids)) for s in sentences])
                for kind, places in wanted.items()
            },
        )


def evidence_of(statements: Sequence[dict[str, Any]] | None) -> set[int]:
    return {place for statement in statements or () for place in statement["evidence"]}


def made_up() -> Iterator[Example]:
    """With punctuation and without. Nobody has said which of their sentences are telling: all."""
    for number, lines in enumerate(made_up_meetings(MADE_UP)):
        texts = [text if number % 2 else plain(text) for text, _ in lines]
        sentences = sentences_of(Segment(place, 0.0, 0.0, text) for place, text in enumerate(texts))
        kinds = [{lines[place][1] for place in sentence.segment_ids} for sentence in sentences]
        labels = {kind: np.array([float(kind in each) for each in kinds]) for kind in KINDS}
        yield Example(features_of(sentences), labels)


def train(examples: Sequence[Example], kind: Kind) -> tuple[NDArray[np.float32], float]:
    """A logistic regression by Adam over all examples at once."""
    known = [e for e in examples if kind != "telling" or e.labels[kind].any()]
    rows, columns, values, labels, weights = joined(known, kind)
    count = len(labels)
    reach = np.array(REACH)[:, None]
    parameters = np.zeros((len(WINDOWS), COLUMNS))
    bias = np.array([-4.0])
    steppers = (Adam(parameters), Adam(bias))
    for step in range(STEPS):
        total = np.full(count, bias[0])
        for table, offsets in zip(parameters * reach, WINDOWS.values(), strict=True):
            own = np.bincount(rows, table[columns] * values, minlength=count)
            for offset in offsets:
                total += shifted(own, offset)
        error = weights * (1 / (1 + np.exp(-total)) - labels)
        slope = np.stack(
            [
                np.bincount(
                    columns,
                    sum(shifted(error, -offset) for offset in offsets)[rows] * values,
                    minlength=COLUMNS,
                )
                for offsets in WINDOWS.values()
            ]
        )
        rate = RATE * min(1.0, 2 * (STEPS - step) / STEPS)
        steppers[0].step(slope * reach + SHRINK[kind] * parameters, rate)
        steppers[1].step(np.array([error.sum()]), rate)
    return (parameters * reach).astype(np.float32), float(bias[0])


def joined(examples: Sequence[Example], kind: Kind) -> tuple[NDArray[Any], ...]:
    """All meetings one after the other, with empty sentences between that no window crosses."""
    rows, columns, values, labels, weights = [], [], [], [], []
    start = 0
    for example in examples:
        wanted = example.labels[kind]
        rows.append(example.features.rows + start)
        columns.append(example.features.columns)
        values.append(example.features.values)
        labels += [wanted, np.zeros(PADDING)]
        weights += [np.where(wanted > 0, RARE, 1.0), np.zeros(PADDING)]
        start += example.features.count + PADDING
    return tuple(np.concatenate(each) for each in (rows, columns, values, labels, weights))


class Adam:
    """Kingma and Ba, "Adam: A Method for Stochastic Optimization" (2015); changes `values`."""

    def __init__(self, values: NDArray[np.float64]) -> None:
        self._values = values
        self._mean = np.zeros_like(values)
        self._square = np.zeros_like(values)
        self._steps = 0

    def step(self, slope: NDArray[np.float64], rate: float) -> None:
        self._steps += 1
        self._mean += 0.1 * (slope - self._mean)
        self._square += 0.01 * (slope**2 - self._square)
        mean = self._mean / (1 - 0.9**self._steps)
        square = self._square / (1 - 0.99**self._steps)
        self._values -= rate * mean / (np.sqrt(square) + 1e-6)


if __name__ == "__main__":
    main()
