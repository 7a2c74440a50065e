"""`POST /upload-audio`: both forms of the request, its options, and the shape of the answer."""

from collections.abc import Callable
from typing import Any

import httpx2 as httpx
import pytest

from echostream.domain import TranscribeOptions
from echostream.engine import LocalEngine, Registry
from echostream.pipeline import Pipeline
from echostream.settings import Settings
from fakes import FakeTranscriber
from web.support import audio, error_of, serving, wav

Site = Callable[[str], str]

KEYS = {
    "success": bool,
    "transcript": str,
    "insights": dict,
    "language": str,
    "languages": list,
    "speakers": list,
    "warnings": list,
    "duration": float,
    "segments": list,
    "engine": str,
    "model": str,
    "cached": bool,
}


@pytest.fixture(params=["form", "urlencoded", "json"])
def send(request: pytest.FixtureRequest, api: httpx.Client, site: Site) -> Callable[..., Any]:
    """Posts audio with options, in each form that the endpoint takes."""

    def as_form(**options: object) -> httpx.Response:
        fields = {name: _text(value) for name, value in options.items()}
        return api.post("/upload-audio", files=audio(), data=fields)

    def as_urlencoded(**options: object) -> httpx.Response:
        fields = {name: _text(value) for name, value in options.items()}
        return api.post("/upload-audio", data={"audioUrl": site("/talk.wav"), **fields})

    def as_json(**options: object) -> httpx.Response:
        return api.post("/upload-audio", json={"audioUrl": site("/talk.wav"), **options})

    return {"form": as_form, "urlencoded": as_urlencoded, "json": as_json}[request.param]


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_the_answer_has_the_promised_shape(send: Callable[..., httpx.Response]) -> None:
    response = send(wordTimestamps=True)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert {key: type(value) for key, value in body.items()} == KEYS
    assert body["success"] is True
    assert body["transcript"] == "we will ship on friday sarah will call the client"
    assert body["language"] == "en"
    assert body["duration"] == 1.0
    assert (body["engine"], body["model"], body["cached"]) == ("fake", "fake-1", False)
    first = {"id": 0, "start": 0.0, "end": 0.5, "text": "we will ship on friday"}
    word = {"word": first["text"], "start": 0.0, "end": 0.5, "probability": 1.0}
    more = {"spaceBefore": True, "language": "en", "channel": None, "speaker": None}
    assert body["segments"][0] == first | more | {
        "words": [word | {"spaceBefore": True, "speaker": None}]
    }
    assert [segment["id"] for segment in body["segments"]] == [0, 1]


def test_insights_have_the_promised_shape(send: Callable[..., httpx.Response]) -> None:
    insights = send().json()["insights"]
    assert set(insights) == {"summary", "topics", "action_items", "sentiment", "details"}
    assert insights["summary"] == "we will ship on friday sarah will call the client"
    assert insights["topics"] == ["fakes"]
    assert insights["action_items"] == []
    assert insights["sentiment"] == {"label": "neutral", "score": 0.5}
    assert set(insights["details"]) == {
        "title",
        "key_points",
        "decisions",
        "questions",
        "action_items",
        "sentiment_timeline",
        "sections",
        "meta",
    }
    assert insights["details"]["meta"] == {
        "provider": "fake",
        "model": None,
        "coverage": 1.0,
        "degraded": False,
        "degraded_reason": None,
        "template": "general",
        "tokens": {"sent": 0, "written": 0},
        "seconds": 0.0,
    }


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, TranscribeOptions()),
        ({"language": "de"}, TranscribeOptions(language="de")),
        ({"language": "EN-us"}, TranscribeOptions(language="en")),
        ({"task": "translate"}, TranscribeOptions(task="translate")),
        ({"prompt": "Sarah, Größe, 東京"}, TranscribeOptions(prompt="Sarah, Größe, 東京")),
        ({"hotwords": "Anouk, Kubernetes"}, TranscribeOptions(hotwords=("Anouk", "Kubernetes"))),
        ({"keywords": "Anouk"}, TranscribeOptions(hotwords=("Anouk",))),
        ({"model": "fake-1"}, TranscribeOptions(model="fake-1")),
        ({"wordTimestamps": True}, TranscribeOptions()),
        ({"useQueue": False}, TranscribeOptions()),
        ({"unknown": "field"}, TranscribeOptions()),
    ],
)
def test_options_reach_the_engine(
    send: Callable[..., httpx.Response],
    transcriber: FakeTranscriber,
    options: dict[str, Any],
    expected: TranscribeOptions,
) -> None:
    assert send(**options).status_code == 200
    assert transcriber.calls[-1] == expected


def test_a_field_that_is_not_known_is_told_of(send: Callable[..., httpx.Response]) -> None:
    """It does not fail the request: clients of other servers send more than is read here."""
    [warning] = send(langauge="de", word_timestamps=True).json()["warnings"]
    assert (warning["code"], warning["start"], warning["end"]) == ("unknown_field", None, None)
    assert "'langauge'" in warning["message"]


def test_names_of_unknown_fields_cannot_break_the_answer(api: httpx.Client, site: Site) -> None:
    odd = {"\x1b[31m": 1, "x" * 10_000: 2, "": 3} | {f"field {n}": n for n in range(1000)}
    response = api.post("/upload-audio", json={"audioUrl": site("/talk.wav"), **odd})
    messages = [warning["message"] for warning in response.json()["warnings"]]
    assert len(messages) == 20
    assert max(map(len, messages)) < 200
    broken = api.post("/upload-audio", content=b'{"transcript": "x", "\\ud800": 1}')
    assert error_of(broken) == (422, "invalid_request")


def test_lists_in_a_form(api: httpx.Client, transcriber: FakeTranscriber) -> None:
    for fields in (
        {"hotwords": ["Anouk", "Kubernetes, Inc."]},
        {"hotwords[]": ["Anouk", "Kubernetes, Inc."]},
        {"keywords[0]": "Anouk", "keywords[1]": "Kubernetes, Inc."},
        {"hotwords": '["Anouk", "Kubernetes, Inc."]'},
    ):
        assert api.post("/upload-audio", files=audio(), data=fields).status_code == 200
        assert transcriber.calls[-1].hotwords == ("Anouk", "Kubernetes, Inc.")


def test_one_value_where_two_were_sent_is_not_chosen(api: httpx.Client) -> None:
    response = api.post("/upload-audio", files=audio(), data={"language": ["de", "en"]})
    assert error_of(response) == (422, "invalid_request")
    assert response.json()["message"].startswith("language: ")


def test_words_are_left_out_unless_asked_for(send: Callable[..., httpx.Response]) -> None:
    assert [segment["words"] for segment in send().json()["segments"]] == [[], []]


def test_insights_can_be_turned_off(send: Callable[..., httpx.Response]) -> None:
    body = send(insights=False).json()
    assert body["insights"] is None
    assert body["transcript"]


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"language": "klingon!"}, "language"),
        ({"task": "sing"}, "task"),
        ({"wordTimestamps": "perhaps"}, "wordTimestamps"),
        ({"insights": "perhaps"}, "insights"),
        ({"useQueue": "perhaps"}, "useQueue"),
        ({"prompt": "x" * 2001}, "prompt"),
        ({"model": "x" * 201}, "model"),
        ({"audioTrack": 100}, "audioTrack"),
        ({"channels": "left"}, "channels"),
    ],
)
def test_a_bad_option_is_named(
    send: Callable[..., httpx.Response],
    transcriber: FakeTranscriber,
    options: dict[str, Any],
    field: str,
) -> None:
    before = len(transcriber.calls)
    response = send(**options)
    assert error_of(response) == (422, "invalid_request")
    assert response.json()["message"].startswith(f"{field}: ")
    assert len(transcriber.calls) == before


def test_empty_form_fields_count_as_left_out(
    api: httpx.Client, transcriber: FakeTranscriber
) -> None:
    names = ("language", "task", "prompt", "wordTimestamps", "insights", "useQueue", "audioUrl")
    response = api.post("/upload-audio", files=audio(), data=dict.fromkeys(names, ""))
    assert response.status_code == 200
    assert transcriber.calls[-1] == TranscribeOptions()


def test_json_needs_no_content_type(api: httpx.Client, site: Site) -> None:
    body = f'{{"audioUrl": "{site("/talk.wav")}"}}'
    assert api.post("/upload-audio", content=body).status_code == 200


def test_a_file_goes_before_a_url(api: httpx.Client) -> None:
    nowhere = {"audioUrl": "http://127.0.0.1:1/none.wav"}
    response = api.post("/upload-audio", files=audio(wav(2)), data=nowhere)
    assert response.json()["duration"] == 2.0


def test_a_file_larger_than_memory_is_given_is_read_whole(api: httpx.Client) -> None:
    response = api.post("/upload-audio", files=audio(wav(90)))
    assert response.json()["duration"] == 90.0


def test_a_form_may_come_in_chunks_of_unknown_number(api: httpx.Client) -> None:
    form = httpx.Request("POST", "http://x", files=audio())
    body = b"".join(form.stream)  # type: ignore[arg-type]
    pieces = (body[at : at + 1000] for at in range(0, len(body), 1000))
    headers = {"content-type": form.headers["content-type"]}
    response = api.post("/upload-audio", content=pieces, headers=headers)
    assert "content-length" not in response.request.headers
    assert response.json()["duration"] == 1.0


def test_no_provider_of_insights_gives_null() -> None:
    def without_insights(settings: Settings) -> Pipeline:
        return Pipeline(settings, LocalEngine(settings, Registry.only(FakeTranscriber)), None)

    with serving(make_pipeline=without_insights) as client:
        body = client.post("/upload-audio", files=audio()).json()
    assert body["insights"] is None
    assert body["success"] is True


def test_silence_gives_an_empty_transcript() -> None:
    with serving(FakeTranscriber(texts=("",))) as client:
        body = client.post("/upload-audio", files=audio()).json()
    assert body["transcript"] == ""
    assert body["success"] is True


def test_openapi_shows_both_forms_with_an_example(api: httpx.Client) -> None:
    document = api.get("/openapi.json").json()
    operation = document["paths"]["/upload-audio"]["post"]
    content = operation["requestBody"]["content"]
    assert set(content) == {"multipart/form-data", "application/json"}
    assert content["application/json"]["example"]["audioUrl"].startswith("https://")
    form = content["multipart/form-data"]["schema"]["properties"]
    options = {
        *("useQueue", "language", "task", "prompt", "wordTimestamps", "insights"),
        *("hotwords", "audioTrack", "channels", "model", "callbackUrl", "audioUrl"),
        *("diarize", "numSpeakers", "minSpeakers", "maxSpeakers", "knownSpeakers"),
        *("template", "insightsLanguage", "insightsModel", "recordedAt"),
    }
    assert {"audio", *options} == set(form)
    assert options == set(content["application/json"]["schema"]["properties"])
    assert "Idempotency-Key" in [found["name"] for found in operation["parameters"]]
    assert {"200", "400", "401", "413", "422", "500", "502", "503", "507"} <= set(
        operation["responses"]
    )
