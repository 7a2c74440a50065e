"""Insights by a language model on this machine, from the transcript to checked insights.

    python -m benchmarks.local_llm MODEL.gguf MEETINGS [--transcripts 20] [--words 150] [--write]

MEETINGS is a folder with `ami-dev.jsonl.gz` (AMI, CC BY 4.0). Says how many transcripts, cut
to so many words, gave insights of the right shape, how long the model goes on after a call was
cancelled, and what happens when its process is killed. `--write` replaces the section in
`RESULTS.md`. This is about the machinery: no model so small writes anything of use.
"""

import argparse
import asyncio
import os
import signal
import sys
import time
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from statistics import median

from benchmarks import insights as offline
from benchmarks import results
from echostream.domain import Insights, Segment, Transcript
from echostream.insights import InsightsProvider, load_insights
from echostream.llm import load_language_model
from echostream.logs import configure_logging
from echostream.settings import Settings

_LOOK_EVERY_S = 0.05
_STILL_S = 0.5
"""A process that uses no CPU for this long has stopped."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="a GGUF file")
    parser.add_argument("meetings", type=Path)
    parser.add_argument("--transcripts", type=int, default=20)
    parser.add_argument("--words", type=int, default=150, help="of each transcript")
    parser.add_argument("--write", action="store_true", help="replace the section in RESULTS.md")
    args = parser.parse_args()
    configure_logging("warning")
    section = asyncio.run(report(args.model, args.meetings, args.transcripts, args.words))
    print(section)
    if args.write:
        results.put(section)


async def report(model: Path, meetings: Path, transcripts: int, words: int) -> str:
    spoken = [
        cut(offline.spoken(meeting, "text", speakers=True), words)
        for meeting in offline.read(meetings / "ami-dev.jsonl.gz")[:transcripts]
    ]
    settings = Settings(insights_provider="local", local_llm_model=str(model))
    provider = load_insights(settings, load_language_model(settings))
    assert provider is not None
    try:
        writing_s = await seconds_to_stop(provider, spoken[0], 15)
        reading_s = await seconds_to_stop(provider, spoken[1], 0.5)
        killed, again_s = await kill(provider, spoken[0])
        found = [await analyse(provider, each) for each in spoken]
    finally:
        await provider.aclose()
    seconds = [each.details.meta.seconds or 0.0 for each in found]
    written = [tokens.written for each in found if (tokens := each.details.meta.tokens)]
    return "\n".join(
        (
            "## Insights by a language model on this machine\n",
            "Written by `python -m benchmarks.local_llm MODEL.gguf MEETINGS --write` with Gemma 3 "
            "270M\n(Q4_K_M, a base model: it shows that the machinery works, not what insights are "
            "like).\n",
            "| what | result |",
            "|---|---|",
            f"| transcripts of {words} words that gave valid insights | {valid(found)} |",
            f"| median time for one | {median(seconds):.0f} s, {median(written):.0f} tokens "
            "written |",
            f"| the model rests after a cancelled call | {reading_s:.2f} s while it read, "
            f"{writing_s:.2f} s while it wrote |",
            f"| its process killed during a call | {told(killed)} |",
            f"| the call after that | valid after {again_s:.0f} s, with the time to load |",
            "",
        )
    )


def cut(segments: Sequence[Segment], words: int) -> Transcript:
    """The beginning of a meeting."""
    counts = accumulate(len(segment.text.split()) for segment in segments)
    kept = [segment for segment, count in zip(segments, counts, strict=True) if count <= words]
    return Transcript(tuple(kept), "en", kept[-1].end_s, "none", "none")


async def analyse(provider: InsightsProvider, spoken: Transcript) -> Insights:
    found = await provider.analyse(spoken)
    meta = found.details.meta
    print(meta.provider, meta.seconds, meta.tokens, meta.degraded_reason, file=sys.stderr)
    return found


async def seconds_to_stop(provider: InsightsProvider, spoken: Transcript, after_s: float) -> float:
    """How long the model's process uses the CPU after a call was cancelled, that it had worked on
    for so many seconds of CPU."""
    before_s = sum(map(cpu_s, model_processes()))
    run = asyncio.create_task(provider.analyse(spoken))
    while not (pids := model_processes()) or cpu_s(pids[0]) < before_s + after_s:  # noqa: ASYNC110
        await asyncio.sleep(_LOOK_EVERY_S)
    cancelled_at = time.monotonic()
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    used_at, used_s = time.monotonic(), cpu_s(pids[0])
    while time.monotonic() - used_at < _STILL_S:
        await asyncio.sleep(_LOOK_EVERY_S)
        if (now_s := cpu_s(pids[0])) > used_s:
            used_at, used_s = time.monotonic(), now_s
    print("stopped after", used_at - cancelled_at, file=sys.stderr)
    return used_at - cancelled_at


async def kill(provider: InsightsProvider, spoken: Transcript) -> tuple[Insights, float]:
    """What a call gives whose process is killed, and how long the next call takes."""
    run = asyncio.create_task(provider.analyse(spoken))
    await asyncio.sleep(2)
    os.kill(model_processes()[0], signal.SIGKILL)
    killed = await run
    started = time.monotonic()
    await analyse(provider, spoken)
    return killed, time.monotonic() - started


def model_processes() -> list[int]:
    """The models' processes that this one has started."""
    found = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [int(pid) for pid in found if b"\0llm\0" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def valid(found: Sequence[Insights]) -> str:
    metas = [each.details.meta for each in found]
    count = sum(meta.provider == "local" and not meta.degraded for meta in metas)
    return f"{count} of {len(metas)}"


def told(killed: Insights) -> str:
    meta = killed.details.meta
    return f"insights by `{meta.provider}`; {meta.degraded_reason}"


if __name__ == "__main__":
    main()
