"""`POST /api/finalize`: the given transcript, a space, the new text."""

import asyncio
import json
import re
import time

import httpx2 as httpx
import pytest

from echostream.engine import LocalEngine, Registry
from echostream.insights import load_insights
from echostream.pipeline import Pipeline, text_segments
from echostream.web.app import create_app
from fakes import FakeTranscriber
from web.support import audio, error_of, metric, serving, settings_of

SAID = "we will ship on friday sarah will call the client"


def test_the_new_text_follows_the_given_transcript(api: httpx.Client) -> None:
    fields = {"audioId": "call-7", "transcript": "We met on Monday."}
    response = api.post("/api/finalize", files=audio(), data=fields)
    assert response.status_code == 200
    body = response.json()
    assert set(body) == {
        *("success", "audioId", "transcript", "insights"),
        *("segments", "languages", "speakers", "warnings"),
    }
    assert body["success"] is True
    assert body["audioId"] == "call-7"
    assert body["transcript"] == f"We met on Monday. {SAID}"
    assert body["insights"]["summary"] == body["transcript"]


@pytest.mark.parametrize("given", ["", "  \n "])
def test_audio_alone_gives_its_own_text(api: httpx.Client, given: str) -> None:
    response = api.post("/api/finalize", files=audio(), data={"transcript": given})
    assert response.json()["transcript"] == SAID


@pytest.mark.parametrize("form", ["data", "json"])
def test_a_transcript_alone_gives_insights(api: httpx.Client, form: str) -> None:
    fields = {"audioId": "встреча 7", "transcript": "Sarah ships on Friday. Größe 東京 🎉"}
    body = api.post("/api/finalize", **{form: fields}).json()
    assert body["audioId"] == fields["audioId"]
    assert body["transcript"] == fields["transcript"]
    assert set(body["insights"]) >= {"summary", "topics", "action_items", "sentiment"}


def test_the_answer_has_the_segments_that_evidence_points_at(api: httpx.Client) -> None:
    given = "We met on Monday. All were there."
    body = api.post("/api/finalize", files=audio(), data={"transcript": given}).json()
    texts = [segment["text"] for segment in body["segments"]]
    assert texts[:2] == ["We met on Monday.", "All were there."]
    assert " ".join(texts) == body["transcript"]
    assert [segment["id"] for segment in body["segments"]] == list(range(len(texts)))


@pytest.mark.parametrize("fields", [{}, {"audioId": ""}])
def test_an_audio_id_is_made_of_the_time(api: httpx.Client, fields: dict[str, str]) -> None:
    before_ms = time.time_ns() // 1_000_000
    audio_id = api.post("/api/finalize", json={"transcript": "Hello."} | fields).json()["audioId"]
    made_ms = re.fullmatch(r"rest-(\d{13})", audio_id)
    assert made_ms is not None
    assert before_ms <= int(made_ms[1]) <= time.time_ns() // 1_000_000


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"json": {}},
        {"json": {"transcript": None}},
        {"json": {"audioId": "call-7"}},
        {"json": {"transcript": " \n\t "}},
        {"data": {"transcript": "", "audioId": "call-7"}},
        {"files": {"recording": ("talk.wav", b"RIFF")}},
    ],
)
def test_neither_audio_nor_transcript(api: httpx.Client, arguments: dict[str, object]) -> None:
    response = api.post("/api/finalize", **arguments)
    assert error_of(response) == (400, "missing_audio_or_transcript")


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"audioId": "x" * 201}, "audioId"),
        ({"language": "english please"}, "language"),
        ({"transcript": ["a", "list"]}, "transcript"),
        ({"audioId": 7}, "audioId"),
    ],
)
def test_a_bad_field_is_named(api: httpx.Client, fields: dict[str, object], name: str) -> None:
    response = api.post("/api/finalize", json={"transcript": "Hello."} | fields)
    assert error_of(response) == (422, "invalid_request")
    assert response.json()["message"].startswith(f"{name}: ")


def test_bad_audio_is_refused_although_there_is_a_transcript(api: httpx.Client) -> None:
    fields = {"transcript": "We met."}
    response = api.post("/api/finalize", files=audio(b"not audio"), data=fields)
    assert error_of(response) == (422, "invalid_audio")


def test_the_language_reaches_the_engine(api: httpx.Client, transcriber: FakeTranscriber) -> None:
    api.post("/api/finalize", files=audio(), data={"language": "fr"}).raise_for_status()
    assert transcriber.calls[-1].language == "fr"


def test_its_audio_counts_in_the_metrics(api: httpx.Client) -> None:
    before_s = metric(api, "echostream_audio_seconds_total", engine="fake")
    api.post("/api/finalize", files=audio()).raise_for_status()
    assert metric(api, "echostream_audio_seconds_total", engine="fake") == before_s + 1.0


def test_a_transcript_needs_no_free_place() -> None:
    transcriber = FakeTranscriber()
    with serving(transcriber) as client:
        assert client.post("/api/finalize", json={"transcript": "Hello."}).status_code == 200
        assert not transcriber.calls


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("One. Two!  Three?", ["One.", "Two!", "Three?"]),
        ("first line\nsecond   line", ["first line", "second line"]),
        ("3.5 percent of v1.2", ["3.5 percent of v1.2"]),
        ("", []),
    ],
)
def test_text_becomes_segments_that_join_to_it(text: str, segments: list[str]) -> None:
    found = text_segments(text)
    assert [segment.text for segment in found] == segments
    assert [segment.id for segment in found] == list(range(len(segments)))
    assert " ".join(segments) == " ".join(text.split())


async def test_other_requests_are_served_during_five_megabytes_of_text() -> None:
    said = f"{'Wir müssen den Bericht bis Freitag an die Kunden schicken, ' * 4}ja. "
    given = said * (5_000_000 // len(said.encode()))
    body = json.dumps({"transcript": given}).encode()
    steps_s: list[float] = []

    async def watch() -> None:
        while True:
            began_s = time.thread_time()
            await asyncio.sleep(0.01)
            steps_s.append(time.thread_time() - began_s)

    settings = settings_of(insights_provider="extractive")
    engine = LocalEngine(settings, Registry.only(FakeTranscriber))
    insights = load_insights(settings, None)
    app = create_app(settings, lambda _: Pipeline(settings, engine, insights))
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
            watching = asyncio.create_task(watch())
            response = await client.post("/api/finalize", content=body, timeout=None)
            watching.cancel()
    assert response.json()["transcript"] == given.strip()
    assert max(steps_s) < 0.5


@pytest.mark.parametrize("form", ["data", "files"])
def test_a_form_holds_a_long_transcript(api: httpx.Client, form: str) -> None:
    given = "we met on Monday " * 120_000
    value = (None, given) if form == "files" else given
    body = api.post("/api/finalize", **{form: {"transcript": value}}).json()
    assert body["transcript"] == given.strip()


@pytest.mark.parametrize("form", ["data", "files"])
def test_fields_are_bounded_together(api: httpx.Client, form: str) -> None:
    given = "x" * 9 * 1024 * 1024
    value = (None, given) if form == "files" else given
    fields = {"transcript": value, "prompt": value}
    response = api.post("/api/finalize", **{form: fields})
    assert response.status_code == (422 if form == "files" else 413)
