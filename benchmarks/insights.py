"""Offline insights on real meetings that people have annotated.

    python -m benchmarks.insights MEETINGS [--write]

MEETINGS is a folder with `ami-dev.jsonl.gz` (AMI, CC BY 4.0) and `qmsum-val.jsonl.gz` (QMSum, MIT).
Needs `pip install rouge-score`. `--write` replaces the section in `RESULTS.md`.

An item is right if one of its segments lies within one segment of the evidence of an annotated
item, and an annotated item is found if an item does so for it. Nobody annotated which questions
matter: here they are those that annotators took as evidence of anything they wrote about a meeting.
ROUGE is F1 with stemming, against the answer to the first general question about a meeting. A topic
is right if it shares a word with a topic of the annotated list, as it is written or by its stem.
"""

import argparse
import asyncio
import gzip
import json
import re
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from benchmarks import results
from benchmarks.lexrank import centrality
from echostream.domain import Insights, Segment, Transcript
from echostream.insights import ExtractiveInsights

_WORDS = 110
"""The length of the simple summaries, that of the references."""

_LONG_WORDS = 20_000
_SMALL = {"the", "of", "and", "a", "an", "in", "to", "for", "on", "with", "about", "its", "by"}

Evidence = Sequence[set[int]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("meetings", type=Path)
    parser.add_argument("--write", action="store_true", help="replace the section in RESULTS.md")
    args = parser.parse_args()
    section = report(args.meetings)
    print(section)
    if args.write:
        results.put(section)


def report(folder: Path) -> str:
    ami = read(folder / "ami-dev.jsonl.gz")
    qmsum = read(folder / "qmsum-val.jsonl.gz")
    insights = [analyse(turns_of(meeting)) for meeting in qmsum]
    return "\n".join(
        (
            "## Offline insights on real meetings\n",
            "Written by `python -m benchmarks.insights MEETINGS --write`.\n",
            *_found_table(ami),
            "",
            *_summary_table(qmsum, insights),
            "",
            *_remarks(qmsum, insights),
            "",
        )
    )


def analyse(segments: Sequence[Segment]) -> Insights:
    transcript = Transcript(tuple(segments), "en", segments[-1].end_s, "fake", "fake")
    return asyncio.run(ExtractiveInsights().analyse(transcript))


def spoken(meeting: dict[str, Any], words: str = "text", speakers: bool = True) -> list[Segment]:
    """An AMI meeting as written (`text`), as recognised (`asr`) or without marks (`plain`)."""
    segments = []
    for place, said in enumerate(meeting["segments"]):
        text = said["text"] if words == "plain" else said.get(words) or ""
        if words == "plain":
            text = re.sub(r"[^\w\s']", " ", text.replace("_", "")).lower()
        speaker = said["speaker"] if speakers else None
        segments.append(Segment(place, said["start"], said["end"], text, speaker=speaker))
    return segments


def turns_of(meeting: dict[str, Any]) -> list[Segment]:
    """A QMSum meeting without its notes of sounds, a segment a turn."""
    return [
        Segment(place, float(place), place + 1.0, _plain(turn["content"]), speaker=turn["speaker"])
        for place, turn in enumerate(meeting["meeting_transcripts"])
    ]


def scored(found: Sequence[Evidence], annotated: Sequence[Evidence]) -> tuple[int, float, float]:
    """How many were found, the precision and the recall. Without evidence nothing is annotated."""
    right = count = recalled = wanted = 0
    for items, truths in zip(found, annotated, strict=True):
        truths = [truth for truth in truths if truth]
        count += len(items)
        wanted += len(truths)
        right += sum(any(_near(item, truth) for truth in truths) for item in items)
        recalled += sum(any(_near(item, truth) for item in items) for truth in truths)
    return count, right / max(1, count), recalled / max(1, wanted)


def _near(one: set[int], other: set[int]) -> bool:
    return any({place - 1, place, place + 1} & other for place in one)


def _found_table(meetings: Sequence[dict[str, Any]]) -> list[str]:
    lines = [
        f"{len(meetings)} AMI meetings (development part):\n",
        "| what | text | found | precision | recall | F1 |",
        "|---|---|---|---|---|---|",
    ]
    ways = (
        ("as written", "text", True),
        ("without speakers", "text", False),
        ("without marks and capitals", "plain", True),
        ("as a recogniser of 2007 heard it", "asr", True),
    )
    for label, words, speakers in ways:
        details = [analyse(spoken(meeting, words, speakers)).details for meeting in meetings]
        for name, truths_of, items in (
            ("action items", partial(_annotated, "actions"), [d.action_items for d in details]),
            ("decisions", partial(_annotated, "decisions"), [d.decisions for d in details]),
            ("questions", _questions_that_matter, [d.questions for d in details]),
        ):
            found = [[set(item.evidence) for item in each] for each in items]
            truths = [truths_of(meeting) for meeting in meetings]
            count, precision, recall = scored(found, truths)
            f1 = 2 * precision * recall / max(1e-9, precision + recall)
            lines.append(
                f"| {name} | {label} | {count} | {precision:.2f} | {recall:.2f} | {f1:.2f} |"
            )
    asked = [_asked(meeting) for meeting in meetings]
    matter = [_questions_that_matter(meeting) for meeting in meetings]
    count, share, _ = scored(asked, matter)
    lines.append(f"| questions, all | as written | {count} | {share:.2f} | 1.00 | – |")
    return lines


def _annotated(field: str, meeting: dict[str, Any]) -> Evidence:
    return [set(item["evidence"]) for item in meeting[field] or ()]


def _questions_that_matter(meeting: dict[str, Any]) -> Evidence:
    fields = ("actions", "decisions", "problems", "abstract")
    borne_out = set().union(*(each for field in fields for each in _annotated(field, meeting)))
    return [place for place in _asked(meeting) if place <= borne_out]


def _asked(meeting: dict[str, Any]) -> Evidence:
    """The dialogue acts that ask for something."""
    acts = [segment["act"] for segment in meeting["segments"]]
    return [{place} for place, act in enumerate(acts) if act.startswith("el.")]


def _summary_table(meetings: Sequence[dict[str, Any]], insights: Sequence[Insights]) -> list[str]:
    answers = [meeting["general_query_list"][0]["answer"] for meeting in meetings]
    texts = [[s.text for s in turns_of(meeting) if s.text] for meeting in meetings]
    ways: tuple[tuple[str, Iterable[str]], ...] = (
        ("EchoStream", (each.summary for each in insights)),
        ("lead", (_cut(" ".join(turns)) for turns in texts)),
        ("longest turns", (_cut(" ".join(sorted(turns, key=len)[::-1])) for turns in texts)),
        ("LexRank", (_ranked(turns, centrality) for turns in texts)),
        ("TextRank", (_ranked(turns, textrank) for turns in texts)),
    )
    lines = [
        f"Summaries of {len(meetings)} QMSum meetings (validation part):\n",
        "| summary | ROUGE-1 | ROUGE-2 | ROUGE-L | words |",
        "|---|---|---|---|---|",
    ]
    for name, summaries in ways:
        written = list(summaries)
        scores = " | ".join(f"{100 * score:.1f}" for score in _rouge(answers, written))
        words = fmean(len(summary.split()) for summary in written)
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
    started = time.process_time()
    analyse(segments)
    lines.append(f"{_LONG_WORDS} words take {time.process_time() - started:.1f} s of CPU.")
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


def read(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


if __name__ == "__main__":
    main()
