"""Jobs whose API and workers share nothing but Redis and a bucket."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from jobs.api_support import Service, ended, job_of, queued
from moto_server import moto_server, point_aws_at
from redis_server import RedisServer
from web.support import audio, error_of, wait_until, wav

BUCKET = "recordings"
PREFIX = "echostream/jobs"


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    with moto_server() as url:
        yield url


@pytest.fixture
def s3(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of an S3 with one empty bucket, to which the environment points."""
    point_aws_at(monkeypatch, moto_url)
    client = boto3.client("s3")
    client.create_bucket(Bucket=BUCKET)
    yield client
    for key in keys(client):
        client.delete_object(Bucket=BUCKET, Key=key)
    client.delete_bucket(Bucket=BUCKET)
    client.close()


@pytest.fixture
def service(s3: Any, tmp_path: Path) -> Iterator[Service]:
    with RedisServer() as redis:
        values = {"storage_url": f"s3://{BUCKET}/{PREFIX}"}
        yield Service(redis, tmp_path / "data", values)


def keys(client: Any) -> list[str]:
    listed = client.list_objects_v2(Bucket=BUCKET).get("Contents", ())
    return [item["Key"] for item in listed]


def test_a_job_goes_through_a_bucket(service: Service, s3: Any, tmp_path: Path) -> None:
    fields = {"useQueue": "true"}
    sound = wav(3)
    (elsewhere := tmp_path / "elsewhere").mkdir()
    with service.api() as client:
        job_id = queued(client.post("/upload-audio", files=audio(sound), data=fields))
        assert keys(s3) == [f"{PREFIX}/staged/{job_id}"]
        staged = s3.get_object(Bucket=BUCKET, Key=f"{PREFIX}/staged/{job_id}")
        assert staged["Body"].read() == sound

        with service.worker_process(elsewhere):
            job = ended(client, job_id)
            assert (job["state"], job["progress"]) == ("completed", 100), job
            assert job["result"]["transcript"] == "word0 word1 word2"
            assert job["result"]["engine"] == "timed"
            result = f"{PREFIX}/results/{job_id}.json"
            wait_until(lambda: keys(s3) == [result], "the staged audio is removed")

            failed = queued(client.post("/upload-audio", files=audio(b"no audio"), data=fields))
            assert ended(client, failed)["error"] == "invalid_audio"
            wait_until(lambda: keys(s3) == [result], "the staged audio is removed")

        # The worker has gone; what it left is read from the bucket.
        text = client.get(f"/job/{job_id}/transcript.txt").raise_for_status().text
        assert text == "word0\nword1\nword2\n"
        subtitles = client.get(f"/job/{job_id}/transcript.vtt").raise_for_status().text
        cue = "00:00:00.000 --> 00:00:03.000\nword0 word1 word2"
        assert subtitles == f"WEBVTT\n\n{cue}\n"
        assert job_of(client, job_id)["result"] == job["result"]

        client.delete(f"/job/{job_id}").raise_for_status()
        assert keys(s3) == []
    # Neither has kept anything on its own disk.
    assert list(tmp_path.rglob("*")) == [elsewhere]


def test_ready_says_what_the_bucket_does(service: Service, s3: Any) -> None:
    def storage_check() -> dict[str, Any]:
        check: dict[str, Any] = client.get("/ready").json()["checks"]["jobStorage"]
        return check

    with service.api() as client:
        assert storage_check()["ok"]
        assert keys(s3) == []
        s3.delete_bucket(Bucket=BUCKET)
        check = storage_check()
        assert not check["ok"]
        assert "bucket" in check["detail"]
        response = client.post("/upload-audio", files=audio(), data={"useQueue": "true"})
        assert error_of(response) == (503, "storage_unavailable")
        assert client.get("/jobs").json()["jobs"] == []
        s3.create_bucket(Bucket=BUCKET)
        assert storage_check()["ok"]
