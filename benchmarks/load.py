"""Clients that keep a server busy: uploads, live sessions, background jobs and requests for
insights, each again and again, and clients that leave in the middle.

`make soak` has them at work while it kills parts of the server. Every client has a clip of its own
(`benchmarks.clips`), so that a text that belongs to another is seen.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

import httpx2 as httpx
import socketio

from benchmarks.clips import Clip, is_of_another
from benchmarks.leaving import leave_live, leave_upload
from benchmarks.tallies import STALLED, Tally
from echostream.domain import SAMPLE_RATE_HZ
from echostream.live_client import LiveClient, LiveFailed, pieces_of

_REFUSED_PAUSE_S = 2.0
_LOOK_EVERY_S = 0.5
_SAME_KEY_EVERY = 5
_GONE_WITH_ITS_PROCESS = ("resume_failed", "unreachable")


@dataclass(frozen=True, slots=True)
class Clients:
    """How many of each kind are at work at the same time, and how many jobs there are in all."""

    uploads: int
    live: int
    jobs: int
    insights: int = 2
    leaving: int = 2

    @property
    def clips(self) -> int:
        """How many clips they need."""
        return self.uploads + self.live + self.jobs


class Load:
    """The clients of one server, as an async context manager.

    `texts` are sent for insights. `ended_since` says whether one of the server's API processes has
    ended since a moment of `time.monotonic()`: a connection may break only then. What takes longer
    than `patience_s` is lost; that is no measure of speed, as the machine may be slow.
    """

    def __init__(
        self,
        url: str,
        clips: Sequence[Clip],
        clients: Clients,
        *,
        callback_url: str,
        texts: Sequence[str],
        ended_since: Callable[[float], bool],
        patience_s: float,
    ) -> None:
        self.patience_s = patience_s
        self.tallies = {kind: Tally() for kind in ("uploads", "live", "jobs", "insights")}
        self.accepted: dict[str, Clip] = {}
        """Jobs by their id."""
        self.left = 0
        self._url = url
        self._clips = clips
        self._clients = clients
        self._callback_url = callback_url
        self._texts = texts
        self._ended_since = ended_since
        self._over = asyncio.Event()
        # A connection that is kept could end with its process before it is used again.
        self._http = httpx.AsyncClient(
            timeout=patience_s, limits=httpx.Limits(max_keepalive_connections=0), trust_env=False
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def run(
        self,
        seconds: float,
        name: str,
        jobs: int | None = None,
        meanwhile: Awaitable[object] | None = None,
    ) -> None:
        """Keeps the clients at work for so long and until `meanwhile` is over. Returns when each
        has its answer. There are `jobs` jobs, or all; `name` is part of their keys."""
        self._over.clear()
        uploads, live = self._clients.uploads, self._clients.live
        of_jobs = self._clips[uploads + live :][:jobs]
        async with asyncio.TaskGroup() as group:
            for clip in self._clips[:uploads]:
                group.create_task(self._again(self._upload, clip))
            for clip in self._clips[uploads : uploads + live]:
                group.create_task(self._again(self._speak, clip))
            for number in range(min(self._clients.insights, len(self._texts))):
                mine = self._texts[number :: self._clients.insights]
                group.create_task(self._again(self._analyse, mine))
            for number in range(self._clients.leaving):
                group.create_task(self._again(self._leave, number))
            for number, clip in enumerate(of_jobs):
                start_s = seconds * number / len(of_jobs)
                group.create_task(self._job(clip, f"{name}-{clip.name}", start_s))
            await asyncio.sleep(seconds)
            if meanwhile is not None:
                await meanwhile
            self._over.set()

    async def post(self, clip: Clip, key: str | None = None) -> httpx.Response:
        """Sends a clip, with `key` as a job. Raises httpx.TransportError."""
        fields = {"language": "en"}
        if key is not None:
            fields |= {"useQueue": "true", "callbackUrl": self._callback_url}
        return await self._http.post(
            f"{self._url}/upload-audio",
            files={"audio": (f"{clip.name}.wav", clip.wav())},
            data=fields,
            headers={} if key is None else {"Idempotency-Key": key},
        )

    async def jobs_there_are(self) -> set[str]:
        """The ids of all jobs that the server knows."""
        found: set[str] = set()
        cursor: dict[str, str] = {}
        while True:
            answer = await self._http.get(f"{self._url}/jobs", params={"limit": "100", **cursor})
            page = answer.raise_for_status().json()
            found |= {job["jobId"] for job in page["jobs"]}
            if page["cursor"] is None:
                return found
            cursor = {"cursor": page["cursor"]}

    async def _again(self, ask: Callable[[Any], Any], what: object) -> None:
        while not self._over.is_set():
            await ask(what)

    async def _upload(self, clip: Clip) -> None:
        tally = self.tallies["uploads"]
        tally.asked += 1
        began = time.monotonic()
        try:
            answer = await self.post(clip)
        except httpx.TransportError as error:
            await self._broken(tally, clip.name, began, error)
            return
        if answer.status_code == 200:
            tally.accepted += 1
            tally.complete(clip, answer.json()["transcript"], self._clips)
        else:
            await self._refused(tally, clip.name, answer)

    async def _analyse(self, texts: Sequence[str]) -> None:
        tally = self.tallies["insights"]
        for text in texts:
            if self._over.is_set():
                return
            tally.asked += 1
            began = time.monotonic()
            try:
                answer = await self._http.post(f"{self._url}/insights", json={"transcript": text})
            except httpx.TransportError as error:
                await self._broken(tally, "insights", began, error)
                continue
            if answer.status_code == 200:
                tally.accepted += 1
                tally.completed += 1
            else:
                await self._refused(tally, "insights", answer)

    async def _speak(self, clip: Clip) -> None:
        tally = self.tallies["live"]
        tally.asked += 1
        began = time.monotonic()
        appended: list[str] = []
        client = LiveClient(
            self._url,
            None,
            {"ext": "pcm", "sampleRate": SAMPLE_RATE_HZ, "language": "en"},
            on_partial=lambda partial: appended.append(partial["text"]),
            on_fault=lambda _reason: None,
        )
        try:
            async with asyncio.timeout(self.patience_s):
                final = await client.run(pieces_of(clip.samples[None], speed=1.0))
        except LiveFailed as error:
            if error.code in _GONE_WITH_ITS_PROCESS:
                await self._broken(tally, clip.name, began, error)
            else:
                tally.refused[error.code] += 1
                await self._pause()
        except (TimeoutError, socketio.exceptions.SocketIOError) as error:
            await self._broken(tally, clip.name, began, error)
        else:
            tally.accepted += 1
            said = "".join(appended)
            if "error" in final:
                tally.lost.append(f"{clip.name}, live: {final['error']}")
            elif self._ended_since(began):  # a server that stops ends the session where it is
                tally.cut += 1
                said = final["transcript"]
            else:
                tally.complete(clip, final["transcript"], self._clips)
            if is_of_another(clip, said, self._clips):
                tally.wrong.append(f"live text of {clip.name}: {said!r}")

    async def _job(self, clip: Clip, key: str, start_s: float) -> None:
        await asyncio.sleep(start_s)
        tally = self.tallies["jobs"]
        tally.asked += 1
        job_id = await self._accepted(tally, clip, key)
        if job_id is None:
            tally.lost.append(f"{key} was never accepted")
            return
        tally.accepted += 1
        self.accepted[job_id] = clip
        if len(self.accepted) % _SAME_KEY_EVERY == 0:
            again = await self._accepted(tally, clip, key)
            if again != job_id:
                tally.doubled.append(f"{key} is {job_id} and {again}")
        job = await self._ended(job_id)
        while job.get("error") == STALLED:
            tally.stalled += 1
            await self._try_again(job_id)
            job = await self._ended(job_id)
        if job["state"] == "completed":
            tally.complete(clip, job["result"]["transcript"], self._clips)
        else:
            told = {name: job.get(name) for name in ("state", "error", "message")}
            tally.lost.append(f"{key}, {job_id}: {told}")

    async def _accepted(self, tally: Tally, clip: Clip, key: str) -> str | None:
        """Sends a job until it is accepted, with the same key, as it may have been."""
        give_up = time.monotonic() + self.patience_s
        while (began := time.monotonic()) < give_up:
            try:
                answer = await self.post(clip, key)
            except httpx.TransportError as error:
                await self._broken(tally, key, began, error)
            else:
                if answer.status_code == 200:
                    return str(answer.json()["jobId"])
                await self._refused(tally, key, answer)
            await asyncio.sleep(_LOOK_EVERY_S)
        return None

    async def _try_again(self, job_id: str) -> None:
        """Asks for it until the job no longer counts as stalled."""
        give_up = time.monotonic() + self.patience_s
        while time.monotonic() < give_up:
            with suppress(httpx.TransportError):
                answer = await self._http.post(f"{self._url}/job/{job_id}/retry")
                if answer.status_code in (200, 409):
                    return
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _ended(self, job_id: str) -> dict[str, Any]:
        """The job once it has ended, or as it was last seen."""
        give_up = time.monotonic() + self.patience_s
        job: dict[str, Any] = {"state": "never seen"}
        while time.monotonic() < give_up:
            with suppress(httpx.TransportError):
                answer = await self._http.get(f"{self._url}/job/{job_id}")
                if answer.status_code == 404:
                    return {"state": "gone", "message": answer.text}
                if answer.status_code == 200:
                    job = answer.json()
                if job["state"] in ("completed", "failed"):
                    break
            await asyncio.sleep(_LOOK_EVERY_S)
        return job

    async def _leave(self, number: int) -> None:
        leave = leave_upload if number % 2 else leave_live
        await leave(self._url, self._clips[number])
        self.left += 1
        await self._pause()

    async def _refused(self, tally: Tally, name: str, answer: httpx.Response) -> None:
        """A request that gave an error: a fault of ours nobody foresaw counts as lost."""
        code = _code_of(answer)
        if code is None or answer.status_code == 500:
            tally.lost.append(f"{name}: {answer.status_code} {answer.text[:200]}")
        else:
            tally.refused[code] += 1
        await self._pause()

    async def _broken(self, tally: Tally, name: str, began: float, error: Exception) -> None:
        """A connection that broke or gave no answer, which a process that has ended excuses."""
        await self._pause()
        if self._ended_since(began):
            tally.cut += 1
        else:
            tally.lost.append(f"{name}: {error!r}")

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), _REFUSED_PAUSE_S)


def _code_of(answer: httpx.Response) -> str | None:
    try:
        code = answer.json()["error"]
    except (ValueError, KeyError, TypeError):
        return None
    return code if isinstance(code, str) else None
