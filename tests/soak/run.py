"""A server under load while parts of it are killed: what became of all that it was asked, what it
took of the machine, and how it stops and starts again."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from benchmarks.clips import Clip
from benchmarks.load import Clients, Load
from benchmarks.tallies import STALLED, Tally, deliveries
from jobs.place import until
from soak.footprint import Footprint
from soak.harms import Harm, do_harm
from soak.stage import Stage

MOST_GROWTH = 1.05
_LOOK_EVERY_S = 0.5


@dataclass(frozen=True)
class Plan:
    """`warm_s` come before all else and, without harm, after it. Then the server is stopped and
    started in the middle of `stop_s`. It has `settle_s` to give back what it took; what takes
    longer than `patience_s` is lost."""

    clients: Clients
    harms: Sequence[Callable[[Stage, float], None]]
    seconds: float
    warm_s: float
    stop_s: float
    pause_s: float
    held_s: float
    settle_s: float
    patience_s: float


@dataclass(frozen=True)
class Outcome:
    tallies: dict[str, Tally]
    left: int
    harms: list[Harm]
    before: Footprint
    after: Footprint
    swept: int
    stopped_after_s: float

    @property
    def faults(self) -> list[str]:
        """All that must not be, in words; empty if all is well."""
        found = [f"{kind} {fault}" for kind, each in self.tallies.items() for fault in each.faults]
        return found + list(growth(self.before, self.after))


def load_of(stage: Stage, clips: Sequence[Clip], plan: Plan, texts: Sequence[str] = ()) -> Load:
    return Load(
        stage.server.url,
        clips,
        plan.clients,
        callback_url=stage.hook.url(),
        texts=texts,
        ended_since=stage.ended_since,
        patience_s=plan.patience_s,
    )


async def calibrated(stage: Stage, said: Sequence[Clip], plan: Plan) -> list[Clip]:
    """The clips with the texts that they give when each is read alone."""
    clips = []
    async with load_of(stage, said, plan) as load:
        for clip in said:
            answer = await load.post(clip)
            clips.append(replace(clip, text=answer.raise_for_status().json()["transcript"]))
    return clips


async def soak(stage: Stage, clips: Sequence[Clip], texts: Sequence[str], plan: Plan) -> Outcome:
    """Runs the plan on a running server. There must be a clip for each client; `texts` are those
    that insights are asked for."""
    async with load_of(stage, clips, plan, texts) as load:
        some = max(1, plan.clients.jobs // 10)
        await load.run(plan.warm_s, "warm", some)
        before = await _settled(stage, load, plan.settle_s)
        harms = await _harmed(stage, load, plan)
        await load.run(plan.warm_s, "calm", some)
        await _told(stage, load)
        swept = await stage.sweep()
        after = await _settled(stage, load, plan.settle_s, before)
        stopped_after_s = await _stopped(stage, load, plan.stop_s, some)
        await _told(stage, load)
        tallies = {**load.tallies, "webhooks": _webhooks(stage, load, clips)}
        unknown = await load.jobs_there_are() - set(load.accepted)
        tallies["jobs"].doubled += [f"{job_id}, which nobody was given" for job_id in unknown]
        return Outcome(tallies, load.left, harms, before, after, swept, stopped_after_s)


async def _harmed(stage: Stage, load: Load, plan: Plan) -> list[Harm]:
    """Both the load and the harm go on for `seconds`, and until each harm was done once."""
    loop = asyncio.get_running_loop()
    over_s = loop.time() + plan.seconds
    harming = asyncio.create_task(
        do_harm(
            stage,
            plan.harms,
            pause_s=plan.pause_s,
            held_s=plan.held_s,
            is_over=lambda: loop.time() >= over_s,
        )
    )
    await load.run(plan.seconds, "harmed", meanwhile=harming)
    return await harming


async def _stopped(stage: Stage, load: Load, seconds: float, jobs: int) -> float:
    """SIGTERM while all are at work, and neither webhooks nor the storage get an answer. What was
    accepted before is found again by the server that comes next."""

    async def stop_and_start() -> float:
        await asyncio.sleep(seconds / 2)
        with ExitStack() as stuck:
            stuck.enter_context(stage.hook.holding())
            if stage.bucket is not None:
                stuck.enter_context(stage.bucket.stuck())
            await asyncio.sleep(seconds / 4)
            stopped_after_s = await asyncio.to_thread(stage.terminate)
        await asyncio.to_thread(stage.start)
        return stopped_after_s

    stopping = asyncio.create_task(stop_and_start())
    await load.run(seconds, "stopped", jobs, meanwhile=stopping)
    return await stopping


async def _settled(
    stage: Stage, load: Load, within_s: float, before: Footprint | None = None
) -> Footprint:
    """What the server takes once it has nothing more to do: what it has not given back within the
    time or, if that is sooner, no more than `before`."""
    await _told(stage, load)
    give_up = time.monotonic() + within_s
    while True:
        found = await stage.footprint()
        is_back = before is not None and not list(growth(before, found))
        if is_back or time.monotonic() > give_up:
            return found
        await asyncio.sleep(_LOOK_EVERY_S)


async def _told(stage: Stage, load: Load) -> None:
    """Waits until there was a webhook for the last end of each job, however long the pauses between
    attempts."""

    def all_came() -> bool:
        told = (message.content["data"] for message in stage.hook.messages)
        ended = {data["jobId"] for data in told if data.get("error") != STALLED}
        return load.accepted.keys() <= ended

    try:
        await until(all_came, load.patience_s, every_s=0.2)
    except AssertionError:
        return  # the tally says which


def _webhooks(stage: Stage, load: Load, clips: Sequence[Clip]) -> Tally:
    messages = ((each.headers["webhook-id"], each.content) for each in stage.hook.messages)
    return deliveries(messages, load.accepted, clips)


def growth(before: Footprint, after: Footprint) -> Iterable[str]:
    if after.total_mib > before.total_mib * MOST_GROWTH:
        yield f"memory grew from {before.total_mib:.0f} to {after.total_mib:.0f} MiB"
    for name in ("processes", "temp_files", "staged"):
        was, is_now = getattr(before, name), getattr(after, name)
        if is_now > was:
            yield f"{name.replace('_', ' ')} grew from {was} to {is_now}"
    was, is_now = before.total_descriptors, after.total_descriptors
    if is_now > was * MOST_GROWTH:
        more = Counter(after.descriptors)
        more.subtract(before.descriptors)
        which = ", ".join(f"{kind} by {count}" for kind, count in more.most_common(3))
        yield f"descriptors grew from {was} to {is_now}: {which}"
