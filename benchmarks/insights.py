"""Offline insights on real meetings that people have annotated.

    python -m benchmarks.insights MEETINGS [--write]

MEETINGS is a folder with `ami-dev.jsonl.gz` (AMI, CC BY 4.0) and `qmsum-val.jsonl.gz` (QMSum, MIT).
Needs `pip install rouge-score`. `--write` replaces the section in `RESULTS.md`.

An item is right if one of its segments lies within one segment of the evidence of an annotated
item, and an annotated item is found if an item does so for it. ROUGE is F1 with stemming, against
the answer to the first general question about a meeting. A topic is right if it shares a word with
a topic of the annotated list, as it is written or by its stem.
"""

import argparse
import asyncio
import gzip
import json
import re
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from benchmarks.lexrank import centrality
from echostream.domain import Insights, Segment, Transcript
from echostream.insights import ExtractiveInsights

RESULTS = Path(__file__).parent / "RESULTS.md"
HEADING = "## Offline insights on real meetings"

_WORDS = 110
"""The length of the simple summaries, that of the references."""

_LONG_WORDS = 20_000
_SMALL = {"the", "of", "and", "a", "an", "in", "to", "for", "on", "with", "about", "its", "their"} for summary in written)
        lines.append(f"| {name} | {scores} | {words:.0f} |")
    return lines


def _remarks(meetings: Sequence[dict[str, Any]], insights: Sequence[Insights]) -> list[str]:
    exact, stemmed = _topics_right(meetings, insights)
    lines = [
        f"Topics that share a word with the annotated list: {exact:.0%} as written, "
        f"{stemmed:.0%} by stem.\n",
    ]
    for domain in sorted({meeting["domain"] for meeting in meetings}):
        details = [
            each.details
            for each, meeting in zip(insights, meetings, strict=True)
            if meeting["domain"] == domain
        ]
        lines.append(
            f"{domain} meetings ({len(details)}): {_mean(d.action_items for d in details)} action "
            f"items, {_mean(d.decisions for d in details)} decisions and "
            f"{_mean(d.questions for d in details)} questions a meeting.\n"
        )
    text = " ".join(turn.text for meeting in meetings for turn in turns_of(meeting))
    words = text.split()[:_LONG_WORDS]
    pieces = [" ".join(words[start : start + 15]) for start in range(0, len(words), 15)]
    segments = [Segment(i, 5.0 * i, 5.0 * i + 5, piece) for i, piece in enumerate(pieces)]
    started = time.perf_counter()
    analyse(segments)
    lines.append(f"{_LONG_WORDS} words take {time.perf_counter() - started:.1f} s.")
    return lines


def _topics_right(
    meetings: Sequence[dict[str, Any]], insights: Sequence[Insights]
) -> tuple[float, float]:
    exact, stemmed = [], []
    for each, meeting in zip(insights, meetings, strict=True):
        listed = [topic["topic"] for topic in meeting["topic_list"]]
        for topic in each.topics:
            exact.append(bool(_contents([topic]) & _contents(listed)))
            stemmed.append(bool(_stems([topic]) & _stems(listed)))
    return fmean(exact), fmean(stemmed)


def _contents(texts: Iterable[str]) -> set[str]:
    return {word for text in texts for word in re.findall(r"\w+", text.lower())} - _SMALL


def _stems(texts: Iterable[str]) -> set[str]:
    from nltk.stem import PorterStemmer

    stem: Callable[[str], str] = PorterStemmer().stem
    return {stem(word) for word in _contents(texts)}


def _rouge(answers: Sequence[str], summaries: Sequence[str]) -> list[float]:
    from rouge_score.rouge_scorer import RougeScorer

    kinds = ["rouge1", "rouge2", "rougeL"]
    scorer = RougeScorer(kinds, use_stemmer=True)
    scores = [scorer.score(*pair) for pair in zip(answers, summaries, strict=True)]
    return [fmean(score[kind].fmeasure for score in scores) for kind in kinds]


def textrank(bags: Sequence[Sequence[str]]) -> list[float]:
    """Mihalcea and Tarau, "TextRank" (2004): shared words, over the sum of the lengths' logs."""
    sets = [set(bag) for bag in bags]
    logs = np.log([max(1.5, len(bag)) for bag in bags])
    weights = np.array(
        [
            [len(one & other) / (a + b) for other, b in zip(sets, logs, strict=True)]
            for one, a in zip(sets, logs, strict=True)
        ]
    )
    np.fill_diagonal(weights, 0)
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
    scores = np.ones(len(bags))
    for _ in range(50):
        scores = 0.15 + 0.85 * weights.T @ scores
    return [float(score) for score in scores]


def _ranked(
    turns: Sequence[str], rank: Callable[[Sequence[Sequence[str]]], Sequence[float]]
) -> str:
    """The best sentences in their order, up to the length of the references."""
    sentences = [s for turn in turns for s in re.split(r"(?<=[.!?])\s+", turn) if len(s) > 20]
    scores = rank([[w for w in re.findall(r"\w+", s.lower()) if len(w) > 3] for s in sentences])
    chosen: list[int] = []
    words = 0
    for place in sorted(range(len(sentences)), key=lambda place: -scores[place]):
        words += len(sentences[place].split())
        chosen.append(place)
        if words >= _WORDS:
            break
    return _cut(" ".join(sentences[place] for place in sorted(chosen)))


def _cut(text: str) -> str:
    return " ".join(text.split()[:_WORDS])


def _plain(text: str) -> str:
    return " ".join(re.sub(r"\{\w+\}", " ", text).split())


def _mean(lists: Iterable[Sequence[object]]) -> str:
    return f"{fmean(map(len, lists)):.1f}"


def _read(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


if __name__ == "__main__":
    main()
