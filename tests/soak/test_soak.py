"""The soak in small: parts of a server are killed under load, then it is stopped and started again.

It has the small Whisper of the repository, and turns of the sample as clips.
"""

from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.clips import Clip, is_of, is_of_another, sentences, words
from benchmarks.load import Clients
from benchmarks.tallies import deliveries
from conftest import TINY_WHISPER, sample_pcm, sample_turns
from insights.offline.rude_texts import TEXTS, long
from soak.footprint import Footprint
from soak.harms import KILLS, fill_disk
from soak.run import Outcome, Plan, growth, soak
from soak.stage import STOP_S, staged

RATE_HZ = 16_000
FEW = Clients(uploads=2, live=1, jobs=3)


def turns(count: int) -> list[Clip]:
    """Turns of the sample, with what is said in them."""
    return [
        Clip(
            f"turn-{number}",
            sample_pcm()[int(turn["start_s"] * RATE_HZ) : int(turn["end_s"] * RATE_HZ)],
            turn["text"],
        )
        for number, turn in enumerate(sample_turns()[:count])
    ]


async def test_nothing_is_lost_wrong_or_doubled(tmp_path: Path) -> None:
    harms = (*KILLS, fill_disk)
    plan = Plan(
        FEW,
        harms,
        seconds=3.0,
        warm_s=1.0,
        stop_s=2.0,
        pause_s=0.1,
        held_s=0.5,
        settle_s=1.5,
        patience_s=90.0,
    )
    with staged(
        TINY_WHISPER,
        tmp_path,
        with_bucket=False,
        command=(),
        max_live_sessions=8,
        shutdown_grace_s=3,
        job_lock_s=3,
        job_stalled_check_s=0.5,
        live_resume_s=1,
    ) as stage:
        outcome = await soak(stage, turns(FEW.clips), [long(name, 500) for name in TEXTS], plan)
    # Nothing is warm after a second, so these still grow.
    warm = ("memory", "descriptors")
    assert [fault for fault in outcome.faults if not fault.startswith(warm)] == []
    assert [kind for kind, tally in outcome.tallies.items() if not tally.completed] == []
    jobs, webhooks = outcome.tallies["jobs"], outcome.tallies["webhooks"]
    assert jobs.asked == jobs.accepted == jobs.completed == webhooks.completed > FEW.jobs
    assert len({harm.name for harm in outcome.harms}) == len(harms)
    assert outcome.left
    assert outcome.stopped_after_s < STOP_S


def test_sentences_of_clips_differ() -> None:
    said = [words(text) for text in sentences(289)]
    frame = frozenset.intersection(*said)
    assert len(frame) == 4
    assert max(len((one & other) - frame) for one, other in combinations(said, 2)) == 1


ONE, OTHER = (Clip(text, np.zeros(1, np.int16), text) for text in sentences(2))


def test_a_text_of_another_clip_is_seen() -> None:
    both = (ONE, OTHER)
    assert is_of(ONE, ONE.text.upper(), both)
    assert not is_of(ONE, OTHER.text, both)
    assert is_of_another(ONE, OTHER.text, both)
    for unfinished in ("", "The", ONE.text[:20]):
        assert not is_of(ONE, unfinished, both)
        assert not is_of_another(ONE, unfinished, both)


def webhook(job: str, text: str, message_id: str) -> tuple[str, dict[str, Any]]:
    return message_id, {"data": {"jobId": job, "result": {"transcript": text}}}


STALLED = ("0", {"data": {"jobId": "a", "error": "job_stalled"}})


@pytest.mark.parametrize(
    ("messages", "faults"),
    [
        ([webhook("a", ONE.text, "1"), webhook("b", OTHER.text, "2")], []),
        ([STALLED, webhook("a", ONE.text, "1"), webhook("b", OTHER.text, "2")], []),
        ([STALLED, webhook("b", OTHER.text, "2")], ["lost"]),
        ([webhook("a", ONE.text, "1")], ["lost"]),
        ([webhook("a", OTHER.text, "1"), webhook("b", ONE.text, "2")], ["wrong", "wrong"]),
        (
            [webhook("a", ONE.text, "1"), webhook("a", ONE.text, "1"), webhook("b", "", "2")],
            ["wrong"],
        ),
        (
            [webhook("a", ONE.text, "1"), webhook("a", ONE.text, "3"), webhook("c", "", "2")],
            ["lost", "doubled", "doubled"],
        ),
    ],
)
def test_webhooks_are_told_apart(
    messages: list[tuple[str, dict[str, Any]]], faults: list[str]
) -> None:
    tally = deliveries(messages, {"a": ONE, "b": OTHER}, (ONE, OTHER))
    assert [fault.partition(":")[0] for fault in tally.faults] == faults
    assert tally.repeated == (len({message_id for message_id, _ in messages}) < len(messages))


def test_growth_is_told() -> None:
    idle = Footprint({"engine": 100.0}, 5, {"worker socket": 100}, temp_files=0, staged=0)
    near = replace(idle, mib={"engine": 104.0}, descriptors={"worker socket": 104})
    assert list(growth(idle, near)) == []
    grown = Footprint({"engine": 106.0}, 6, {"worker socket": 106}, temp_files=1, staged=1)
    *_, last = growth(idle, grown)
    assert last.endswith("worker socket by 6")
    told = [fault.partition(" grew")[0] for fault in growth(idle, grown)]
    assert told == ["memory", "processes", "temp files", "staged", "descriptors"]
    bad = Outcome({}, 0, [], idle, grown, swept=0, stopped_after_s=1.0)
    assert len(bad.faults) == len(told)
