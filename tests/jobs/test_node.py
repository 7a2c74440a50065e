"""The queue from Node, with the stock `bullmq`: it adds jobs, reads ours, and works on them."""

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fakes import FakeTranscriber
from jobs.api_support import (
    Receiver,
    Service,
    caching,
    ended,
    in_state,
    job_of,
    queued,
    receiver,
    until,
)
from node_packages import with_packages
from redis_server import RedisServer
from web.support import audio, error_of, wait_until, wav

HERE = Path(__file__).parent / "node"
SAID = "we will ship on friday sarah will call the client"
_WAIT_S = 60


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
def site() -> Iterator[Receiver]:
    with receiver() as server:
        server.files["/talk.wav"] = wav()
        yield server


@pytest.fixture(scope="session")
def program(request: pytest.FixtureRequest) -> Path:
    """`client.mjs` beside its packages."""
    return with_packages(request.config, HERE)


@dataclass
class Node:
    """Runs the program on the queue of a service."""

    program: Path
    service: Service

    def add(self, data: Any, **options: Any) -> str:
        """Add a job; gives its id."""
        job_id = self._ask("add", json.dumps(data), json.dumps(options))["id"]
        assert isinstance(job_id, str)
        return job_id

    def look(self, job_id: str) -> dict[str, Any]:
        return self._ask("look", job_id)

    @contextmanager
    def running(self, *command: str) -> Iterator["Conversation"]:
        with subprocess.Popen(
            self._command(*command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            try:
                yield Conversation(process)
                assert process.wait(_WAIT_S) == 0
            finally:
                process.kill()

    def _ask(self, *command: str) -> dict[str, Any]:
        ran = subprocess.run(
            self._command(*command), capture_output=True, text=True, timeout=_WAIT_S
        )
        assert ran.returncode == 0, ran.stderr
        answer: dict[str, Any] = json.loads(ran.stdout)
        return answer

    def _command(self, *command: str) -> list[str]:
        settings = self.service.settings
        return ["node", str(self.program), settings.redis_url, settings.queue_name, *command]


@dataclass
class Conversation:
    process: "subprocess.Popen[str]"

    def hear(self) -> dict[str, Any]:
        """The next line; blocks until it comes, or the program ends without."""
        assert self.process.stdout is not None
        line: dict[str, Any] = json.loads(self.process.stdout.readline())
        return line

    def tell(self, what: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        print(json.dumps(what), file=self.process.stdin, flush=True)


@pytest.fixture
def node(program: Path, service: Service) -> Node:
    return Node(program, service)


# --- Node adds, we work ---------------------------------------------------------------------------


def test_a_url(service: Service, node: Node, site: Receiver) -> None:
    data = {"audioUrl": site.url("/talk.wav"), "language": "en", "wordTimestamps": True}
    engine = FakeTranscriber()
    with service.api() as client, service.worker(caching(engine)):
        named = node.add(data, jobId="my-job-1")
        numbered = node.add({"audioUrl": site.url("/talk.wav")})
        assert named == "my-job-1"
        assert numbered.isdecimal()
        for job_id in (named, numbered):
            job = ended(client, job_id)
            assert (job["state"], job["progress"]) == ("completed", 100)
            assert job["result"]["transcript"] == SAID
            assert bool(job["result"]["segments"][0]["words"]) == (job_id == named)
            # What it returns names a file in the storage, since results are large.
            seen = node.look(job_id)
            assert seen["state"] == "completed"
            assert seen["returnvalue"] == {"result": f"results/{job_id}.json"}
            assert (service.folder / seen["returnvalue"]["result"]).is_file()
        assert client.get(f"/job/{named}/transcript.txt").status_code == 200
    assert [options.language for options in engine.calls] == ["en", None]


def test_staged_audio(service: Service, node: Node) -> None:
    staged = service.folder / "staged" / "upload-7"
    staged.parent.mkdir(parents=True)
    staged.write_bytes(wav())
    with service.api() as client, service.worker():
        job_id = node.add({"audio": "upload-7", "insights": False})
        result = ended(client, job_id)["result"]
        assert (result["transcript"], result["insights"]) == (SAID, None)
        wait_until(lambda: not staged.exists(), "the audio is removed")

        job = ended(client, node.add({"audio": "upload-8"}))
        assert (job["state"], job["error"]) == ("failed", "staged_audio_missing")


def test_a_finalize(service: Service, node: Node) -> None:
    with service.api() as client, service.worker():
        job = ended(client, node.add({"transcript": "Good morning.", "audioId": "call-7"}))
    assert job["result"]["transcript"] == "Good morning."
    assert job["result"]["audioId"] == "call-7"


def test_a_field_that_is_not_known_is_told_of_in_the_result(service: Service, node: Node) -> None:
    with service.api() as client, service.worker():
        job = ended(client, node.add({"transcript": "Good morning.", "langauge": "de"}))
    [warning] = job["result"]["warnings"]
    assert warning["code"] == "unknown_field"
    assert "'langauge'" in warning["message"]


def test_what_is_no_job_fails_with_a_reason(
    service: Service, node: Node, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = (
        {},
        {"audioUrl": 5},
        {"audio": "../results/other.json"},
        {"audioUrl": "https://a.example", "task": "sing"},
        "https://a.example/talk.wav",
        ["talk.wav"],
        None,
    )
    with service.api() as client, service.worker():
        for data in wrong:
            job_id = node.add(data, attempts=3)
            job = ended(client, job_id)
            found = (job["state"], job["error"], job["attempts"])
            assert found == ("failed", "invalid_request", 1), data
            assert job["message"], data
        assert node.look(job_id)["failedReason"] == f"invalid_request: {job['message']}"
        assert len(client.get("/jobs").json()["jobs"]) == len(wrong)
        # The worker goes on.
        other = queued(client.post("/api/finalize", json={"transcript": "a", "useQueue": True}))
        assert ended(client, other)["state"] == "completed"
    assert "never retrieved" not in caplog.text


def test_audio_that_cannot_be_removed_keeps_no_webhook_back(
    service: Service, node: Node, site: Receiver
) -> None:
    secret = {"webhook_secret": "whsec_" + "c2VjcmV0" * 5}
    with service.api(**secret) as client, service.worker(**secret):
        job_id = node.add({"audio": "../results/other", "callbackUrl": site.url()})
        [message] = site.wait_for(1)
        assert message.content["type"] == "job.failed"
        assert message.content["data"]["error"] == "invalid_request"
        delivered = {"state": "delivered", "attempts": 1}
        until(client, job_id, lambda job: job["webhook"] == delivered)


# --- we add, Node looks ---------------------------------------------------------------------------


def test_node_follows_our_job(service: Service, node: Node) -> None:
    engine = FakeTranscriber(hold=threading.Event())
    assert engine.hold is not None
    with service.api() as client:
        fields = {"useQueue": "true", "prompt": "Köln"}
        job_id = queued(client.post("/upload-audio", files=audio(), data=fields))
        seen = node.look(job_id)
        assert (seen["state"], seen["progress"], seen["attemptsMade"]) == ("waiting", 0, 0)
        assert seen["data"].items() >= {"audio": job_id, "prompt": "Köln"}.items()
        with node.running("watch", job_id) as watching:
            assert watching.hear() == {"watching": job_id}
            with service.worker(caching(engine)):
                until(client, job_id, lambda job: job["progress"] == 50)
                seen = node.look(job_id)
                assert (seen["state"], seen["progress"]) == ("active", 50)
                engine.hold.set()
                ended(client, job_id)
            events = [watching.hear()]
            while "progress" in events[-1]:
                events.append(watching.hear())
    progress = [event["progress"] for event in events[:-1]]
    assert 50 in progress
    assert progress == sorted(progress)
    assert events[-1] == {"completed": {"result": f"results/{job_id}.json"}}


# --- we add, Node works ---------------------------------------------------------------------------


def test_node_works_on_our_job(service: Service, node: Node) -> None:
    with service.api() as client:
        first = queued(client.post("/upload-audio", files=audio(), data={"useQueue": "true"}))
        with node.running("work") as worker:
            taken = worker.hear()
            assert (taken["id"], taken["name"]) == (first, "transcribe")
            assert (service.folder / "staged" / taken["data"]["audio"]).read_bytes() == wav()
            job = in_state(client, first, "active")
            assert (job["state"], job["progress"]) == ("active", 40)
            worker.tell({"fail": "invalid_audio: there is nothing to hear"})
        job = job_of(client, first)
        assert (job["state"], job["error"]) == ("failed", "invalid_audio")
        assert job["message"] == "there is nothing to hear"

        # One whose result is not in the storage.
        second = queued(client.post("/upload-audio", files=audio(), data={"useQueue": "true"}))
        with node.running("work") as worker:
            assert worker.hear()["id"] == second
            worker.tell({"give": {"transcript": "elsewhere"}})
        [listed] = client.get("/jobs", params={"state": "completed"}).json()["jobs"]
        assert (listed["jobId"], listed["progress"]) == (second, 100)
        assert error_of(client.get(f"/job/{second}")) == (404, "job_not_found")
