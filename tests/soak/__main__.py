"""Keeps a server busy while parts of it are killed, and counts what is lost, wrong or doubled.

    make soak MODELS=tiny.en [SOAK="--minutes 1"]

It starts everything that the server needs: a Redis, an S3 with a proxy that can be slow, a receiver
of webhooks. It needs Linux, `flite` and `redis-server`. The exit status is 1 if anything is lost,
wrong or doubled, if the server's memory, descriptors, processes or files grew, or if it did not
stop within its grace.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
from collections import defaultdict
from contextlib import redirect_stdout
from pathlib import Path

from benchmarks import results, runs
from benchmarks.clips import spoken
from benchmarks.load import Clients
from benchmarks.tallies import table
from insights.offline.rude_texts import TEXTS, long
from soak.harms import ALL
from soak.run import Outcome, Plan, calibrated, soak
from soak.stage import GRACE_S, staged

_TEXT_CHARS = 8_000
_END_S = 1.0
"""How long after the grace the last process may be noticed to have gone."""


def report(model: str, minutes: float, clients: Clients, outcome: Outcome) -> str:
    """Returns a section of Markdown."""
    before, after = outcome.before, outcome.after
    roles = sorted(before.mib.keys() | after.mib.keys())
    memory = [
        f"| {role}, MiB | {before.mib.get(role, 0):.0f} | {after.mib.get(role, 0):.0f} |"
        for role in roles
    ]
    times: dict[str, list[float]] = defaultdict(list)
    for harm in outcome.harms:
        times[harm.name].append(harm.ready_after_s)
    return "\n".join(
        [
            "## Soak\n",
            f'`make soak MODELS={runs.name_of(model)} SOAK="--minutes {minutes:g} --uploads'
            f' {clients.uploads} --live {clients.live} --jobs {clients.jobs}"`\n',
            f"{clients.uploads} uploads and {clients.live} live sessions at all times,"
            f" {clients.jobs} jobs in {minutes:g} minutes, {os.cpu_count()} cores; two API",
            "processes, one engine, one worker, Redis with an append-only file, S3 (moto). Parts",
            "were killed meanwhile, and what they need failed or hung. The clip of each client has",
            "a text of its own, which was first read alone; `word for word` is the same words as",
            "then. Cut off are connections of processes that were killed or stopped. A job that",
            "has stalled was at work in two workers that were killed; its client tried it again.\n",
            table(outcome.tallies),
            "",
            f"{outcome.left} more clients left in the middle of an upload or a live session.\n",
            "| harm | times | ready again after s, median | longest |",
            "|---|---|---|---|",
            *(
                f"| {name} | {len(found)} | {statistics.median(found):.1f} | {max(found):.1f} |"
                for name, found in times.items()
            ),
            "",
            "| of the server, idle | before | after |",
            "|---|---|---|",
            *memory,
            f"| all, MiB | {before.total_mib:.0f} | {after.total_mib:.0f} |",
            f"| processes | {before.processes} | {after.processes} |",
            f"| descriptors | {before.total_descriptors} | {after.total_descriptors} |",
            f"| temporary files | {before.temp_files} | {after.temp_files} |",
            f"| recordings kept for jobs | {before.staged} | {after.staged} |",
            "",
            f"The storage had {outcome.swept} files of jobs that had ended or of broken writes,",
            "which the sweep of workers removes.\n",
            "SIGTERM with all at work, storage and receivers of webhooks stuck: all processes had",
            f"gone after {outcome.stopped_after_s:.1f} s, with a grace of {GRACE_S} s.",
            "",
        ]
    )


def too_late(stopped_after_s: float) -> list[str]:
    if stopped_after_s <= GRACE_S + _END_S:
        return []
    return [f"SIGTERM: the last process had gone after {stopped_after_s:.1f} s"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--uploads", type=int, default=30)
    parser.add_argument("--live", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--log", type=Path, default=Path(os.devnull), help="what the server says")
    parser.add_argument("--write", action="store_true", help="put it into RESULTS.md")
    args = parser.parse_args()
    clients = Clients(args.uploads, args.live, args.jobs)
    plan = Plan(
        clients,
        ALL,
        seconds=60 * args.minutes,
        warm_s=max(20.0, 6 * args.minutes),
        stop_s=20.0,
        pause_s=min(12.0, 2 * args.minutes),
        held_s=8.0,
        settle_s=30.0,
        patience_s=900.0,
    )
    texts = [long(name, _TEXT_CHARS) for name in TEXTS]
    with tempfile.TemporaryDirectory() as folder, args.log.open("w") as log:
        said = list(spoken(clients.clips))
        # `server_process` prints the log of each server that it has run.
        with (
            redirect_stdout(log),
            staged(
                args.model, Path(folder), with_bucket=True, max_live_sessions=args.live + 4
            ) as stage,
        ):
            clips = asyncio.run(calibrated(stage, said, plan))
            outcome = asyncio.run(soak(stage, clips, texts, plan))
    part = report(args.model, args.minutes, clients, outcome)
    print(part)
    faults = [*outcome.faults, *too_late(outcome.stopped_after_s)]
    for fault in faults:
        print(fault, file=sys.stderr)
    if args.write:
        results.put(part)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
