"""What is done to a server under load: parts of it are killed, and what it needs fails or hangs."""

import asyncio
import random
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from soak.stage import Stage, kill

_SLOW_S = 1.0
_LONGEST_DOWN_S = 2.0
_FULL_BYTES = 48 * 1024
"""Less than any clip has."""


@dataclass(frozen=True)
class Harm:
    """Something that was done, and after how many seconds all was ready again."""

    name: str
    ready_after_s: float


def kill_engine(stage: Stage, _held_s: float) -> None:
    kill(stage.running("engine"))


def kill_member(stage: Stage, _held_s: float) -> None:
    members = stage.members()
    stage.api_ends()
    kill(random.sample(members, min(1, len(members))))
    stage.api_ends()


def kill_worker(stage: Stage, _held_s: float) -> None:
    kill(stage.running("worker"))


def kill_redis(stage: Stage, held_s: float) -> None:
    stage.redis.kill()
    time.sleep(min(held_s, _LONGEST_DOWN_S))
    stage.redis.start()


def freeze_redis(stage: Stage, held_s: float) -> None:
    stage.redis.pause()
    time.sleep(held_s)
    stage.redis.resume()


def fill_disk(stage: Stage, held_s: float) -> None:
    """No process may write a file that is larger than very small, as if there were no room."""
    with limited(stage, _FULL_BYTES):
        time.sleep(held_s)


def slow_bucket(stage: Stage, held_s: float) -> None:
    if stage.bucket is not None:
        stage.bucket.delay_s = _SLOW_S
        time.sleep(held_s)
        stage.bucket.delay_s = 0.0


def stuck_bucket(stage: Stage, held_s: float) -> None:
    if stage.bucket is not None:
        with stage.bucket.stuck():
            time.sleep(held_s)


def slow_receiver(stage: Stage, held_s: float) -> None:
    """Whoever is told of the end of jobs takes the message, and does not answer."""
    with stage.hook.holding():
        time.sleep(held_s)


KILLS: tuple[Callable[[Stage, float], None], ...] = (
    *(kill_engine, kill_member, kill_worker, kill_redis),
)
ALL = (
    *(kill_engine, fill_disk, kill_member, slow_bucket, kill_worker, slow_receiver),
    *(kill_redis, stuck_bucket, freeze_redis),
)


@contextmanager
def limited(stage: Stage, most_bytes: int) -> Iterator[None]:
    """No file of any of the processes may grow beyond `most_bytes`."""
    _limit(stage, most_bytes)
    try:
        yield
    finally:
        for _twice in range(2):  # a process that starts meanwhile has the limit of its parent
            _limit(stage, resource.RLIM_INFINITY)


def _limit(stage: Stage, most_bytes: int) -> None:
    for pid in stage.processes():
        with suppress(ProcessLookupError):
            _soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            # ffmpeg's is lower, and can only be lowered.
            soft = most_bytes if hard == resource.RLIM_INFINITY else hard
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))


async def do_harm(
    stage: Stage,
    harms: Sequence[Callable[[Stage, float], None]],
    *,
    pause_s: float,
    held_s: float,
    is_over: Callable[[], bool],
) -> list[Harm]:
    """Does them in turn, again and again, each once all is ready again, until the time is over and
    each was done."""
    done: list[Harm] = []
    while len(done) < len(harms) or not is_over():
        harm = harms[len(done) % len(harms)]
        await asyncio.to_thread(harm, stage, held_s)
        ready_after_s = await asyncio.to_thread(stage.wait_until_ready)
        done.append(Harm(harm.__name__.replace("_", " "), ready_after_s))
        await asyncio.sleep(pause_s)
    return done
