"""Insights without audio, and templates, over HTTP."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2 as httpx
import pytest

from conftest import MakePipeline
from echostream.domain import InsightsOptions
from echostream.engine import LocalEngine, Registry
from echostream.insights import InsightsChoice, load_insights
from echostream.pipeline import Pipeline
from echostream.settings import Settings
from echostream.templates import BUILT_IN
from fakes import FakeInsights, FakeTranscriber
from web.support import audio, error_of, serving

SEGMENTS = [
    {"id": 4, "text": "The budget is too high.", "start": 0.0, "end": 2.0, "speaker": "A"},
    {"id": 7, "text": "Sarah will send the report by Friday.", "words": [], "channel": None},
]
OWN = {
    "name": "Risks",
    "instructions": "A board meeting.",
    "sections": [{"key": "risks", "title": "Risks", "instructions": "What may go wrong."}],
}


@pytest.fixture(scope="module")
def insights() -> FakeInsights:
    return FakeInsights()


@pytest.fixture(scope="module")
def api(insights: FakeInsights) -> Iterator[httpx.Client]:
    with serving(insights=insights, insights_template="stand-up") as client:
        yield client


def offline(settings: Settings) -> Pipeline:
    """A pipeline with the insights of the settings."""
    transcriber = FakeTranscriber()
    engine = LocalEngine(settings, Registry.only(lambda: transcriber, transcriber.model))
    return Pipeline(settings, engine, load_insights(settings, None))


def test_templates(api: httpx.Client) -> None:
    body = api.get("/insights/templates").raise_for_status().json()
    assert body["default"] == "stand-up"
    assert [template["name"] for template in body["templates"]] == list(BUILT_IN)
    assert set(body["templates"][1]) == {"name", "title", "instructions", "sections"}
    assert set(body["templates"][1]["sections"][0]) == {"key", "title", "instructions"}


def test_a_built_in_template_may_be_sent_back(api: httpx.Client, insights: FakeInsights) -> None:
    given = api.get("/insights/templates").json()["templates"][2]
    body = {"segments": SEGMENTS, "template": given}
    api.post("/insights", json=body).raise_for_status()
    sent = insights.calls[-1].template
    assert sent is not None
    assert sent.sections == BUILT_IN[given["name"]].sections


def test_insights_of_segments(api: httpx.Client, insights: FakeInsights) -> None:
    body = api.post("/insights", json={"segments": SEGMENTS}).raise_for_status().json()
    assert set(body) == {"success", "insights", "segments"}
    assert body["success"] is True
    assert body["insights"]["summary"] == (
        "The budget is too high. Sarah will send the report by Friday."
    )
    assert body["segments"] == []
    assert insights.calls[-1] == InsightsOptions(BUILT_IN["stand-up"])


def test_insights_of_a_text(api: httpx.Client) -> None:
    body = api.post("/insights", json={"transcript": "One. Two."}).raise_for_status().json()
    assert [(each["id"], each["text"]) for each in body["segments"]] == [(0, "One."), (1, "Two.")]


def test_a_template_and_a_language(api: httpx.Client, insights: FakeInsights) -> None:
    body = {"transcript": "Hello.", "template": OWN, "language": "de-AT"}
    api.post("/insights", json=body).raise_for_status()
    template, language = insights.calls[-1].template, insights.calls[-1].language
    assert template is not None
    assert (template.name, template.instructions, language) == ("Risks", "A board meeting.", "de")
    assert [section.key for section in template.sections] == ["risks"]


@pytest.mark.parametrize("path", ["/upload-audio", "/api/finalize"])
@pytest.mark.parametrize("template", ["meeting", json.dumps(OWN)])
def test_recordings_may_name_a_template(
    api: httpx.Client, insights: FakeInsights, path: str, template: str
) -> None:
    fields = {"template": template, "insightsLanguage": "fr"}
    api.post(path, files=audio(), data=fields).raise_for_status()
    asked = insights.calls[-1]
    assert asked.template is not None
    assert asked.template.name == ("Risks" if template.startswith("{") else "meeting")
    assert asked.language == "fr"


RECORDED = ["2026-11-26", "2026-11-26T23:30:00-08:00", "2026-11-26T23:30:00Z"]


def test_due_times_get_dates_where_the_day_is_known() -> None:
    with serving(insights=FakeInsights(due="by Friday")) as api:

        def dates_of(fields: dict[str, str]) -> set[str | None]:
            answers = (
                api.post("/insights", json={"transcript": "Hello."} | fields),
                api.post("/upload-audio", files=audio(), data=fields),
                api.post("/api/finalize", data={"transcript": "Hello."} | fields),
            )
            found = [each.raise_for_status().json()["insights"]["details"] for each in answers]
            return {item["due_date"] for details in found for item in details["action_items"]}

        for recorded_at in RECORDED:
            assert dates_of({"recordedAt": recorded_at}) == {"2026-11-27"}
        assert dates_of({}) == {None}


def section(**changes: Any) -> dict[str, Any]:
    return {"key": "risks", "title": "Risks", "instructions": ""} | changes


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "send either 'segments' or a 'transcript'"),
        ({"transcript": " \n"}, "send either 'segments' or a 'transcript'"),
        ({"transcript": "Hello.", "segments": SEGMENTS}, "send either 'segments'"),
        ({"transcript": 3}, "transcript: "),
        ({"transcript": "Hello.", "recordedAt": "Friday"}, "recordedAt: must be a date such as"),
        ({"transcript": "Hello.", "recordedAt": 1795600000}, "recordedAt: must be a date such"),
        ({"segments": []}, "segments: "),
        ({"segments": "Hello."}, "segments: "),
        ({"segments": [{"text": "Hello."}]}, "segments.0.id: "),
        ({"segments": [{"id": 0}]}, "segments.0.text: "),
        ({"segments": [{"id": -1, "text": "Hello."}]}, "segments.0.id: "),
        ({"segments": [{"id": 0, "text": " "}]}, "segments: no segment has any text"),
        ({"segments": [SEGMENTS[0], SEGMENTS[0]]}, "segments: two segments have the id 4"),
        ({"segments": [{"id": 0, "text": "x", "speaker": "A" * 201}]}, "segments.0.speaker: "),
        ({"transcript": "Hello.", "language": "klingon!"}, "language: must be an ISO 639-1 code"),
        ({"transcript": "Hello.", "template": "party"}, "template: must be one of general, "),
        ({"transcript": "Hello.", "template": "{"}, "template: is not valid JSON"),
        ({"transcript": "Hello.", "template": ["meeting"]}, "template"),
        ({"transcript": "Hello.", "template": {}}, "template.name: "),
        ({"transcript": "Hello.", "template": {"name": " "}}, "template.name: "),
        (
            {"transcript": "Hello.", "template": OWN | {"instructions": "x" * 2001}},
            "template.instructions: ",
        ),
        (
            {"transcript": "Hello.", "template": OWN | {"sections": [section(key="A b")]}},
            "template.sections.0.key: ",
        ),
        (
            {"transcript": "Hello.", "template": OWN | {"sections": [section(), section()]}},
            "template.sections: two sections have the same key",
        ),
        (
            {
                "transcript": "Hello.",
                "template": OWN | {"sections": [section(key=f"k{each}") for each in range(13)]},
            },
            "template.sections: ",
        ),
        (
            {"transcript": "Hello.", "template": OWN | {"sections": [section(title="")]}},
            "template.sections.0.title: ",
        ),
        (
            {
                "transcript": "Hello.",
                "template": OWN | {"sections": [section(instructions="x" * 501)]},
            },
            "template.sections.0.instructions: ",
        ),
        ({"transcript": "Hello \ud800."}, "the body is not valid JSON: "),
    ],
)
def test_bad_input_is_named(api: httpx.Client, fields: dict[str, Any], message: str) -> None:
    response = api.post("/insights", content=json.dumps(fields))
    assert error_of(response) == (422, "invalid_request")
    assert response.json()["message"].startswith(message)


def test_every_model_that_is_set_up_can_be_asked_for() -> None:
    providers = [
        FakeInsights(name="gemini", model="gemini-3.8-flash"),
        FakeInsights(name="local", model="qwen3"),
    ]

    def make(settings: Settings) -> Pipeline:
        offline = load_insights(settings, None)
        assert offline is not None
        choice = InsightsChoice(providers[0], [providers[1], offline])
        transcriber = FakeTranscriber()
        engine = LocalEngine(settings, Registry.only(lambda: transcriber, transcriber.model))
        return Pipeline(settings, engine, choice)

    with serving(make_pipeline=make) as client:
        offered = client.get("/insights/models").raise_for_status().json()
        assert offered == {
            "default": "gemini-3.8-flash",
            "models": [
                {"name": "gemini-3.8-flash", "provider": "gemini"},
                {"name": "qwen3", "provider": "local"},
                {"name": "offline", "provider": "extractive"},
            ],
        }

        def answers_of(fields: dict[str, str]) -> list[httpx.Response]:
            return [
                client.post("/insights", json={"transcript": "We ship on Friday."} | fields),
                client.post("/upload-audio", files=audio(), data=fields),
                client.post("/api/finalize", data={"transcript": "We ship on Friday."} | fields),
            ]

        def makers_of(fields: dict[str, str]) -> set[str]:
            found = [each.raise_for_status().json()["insights"] for each in answers_of(fields)]
            return {each["details"]["meta"]["provider"] for each in found}

        assert makers_of({}) == {"gemini"}
        for model in offered["models"]:
            assert makers_of({"insightsModel": model["name"]}) == {model["provider"]}
            assert makers_of({"insightsModel": model["provider"]}) == {model["provider"]}
        for refused in answers_of({"insightsModel": "gpt"}):
            assert error_of(refused) == (422, "invalid_request")
            assert refused.json()["message"] == (
                "insightsModel: 'gpt' may not be asked for here, but gemini-3.8-flash, qwen3,"
                " offline"
            )


@pytest.mark.parametrize("template", ["party", '{"name": ""}', "{"])
@pytest.mark.parametrize("path", ["/upload-audio", "/api/finalize"])
def test_recordings_with_a_bad_template(api: httpx.Client, path: str, template: str) -> None:
    response = api.post(path, files=audio(), data={"template": template})
    assert error_of(response) == (422, "invalid_request")
    assert response.json()["message"].startswith("template")


def test_what_is_too_large_is_refused(api: httpx.Client) -> None:
    body = {"transcript": "x" * (16 * 1024 * 1024)}
    response = api.post("/insights", json=body)
    assert error_of(response) == (422, "invalid_request")
    assert "16 MiB" in response.json()["message"]


@pytest.mark.parametrize("path", ["/insights", "/ask"])
def test_a_token_is_needed(path: str) -> None:
    with serving(api_bearer_token="a-token-that-is-long-enough-0123456789") as client:
        assert error_of(client.post(path, json={})) == (401, "unauthorized")
        assert error_of(client.get("/insights/templates")) == (401, "unauthorized")


def test_offline_insights_say_that_they_fill_no_template() -> None:
    with serving(make_pipeline=offline) as client:
        body = {"segments": SEGMENTS, "template": "stand-up"}
        found = client.post("/insights", json=body).raise_for_status().json()["insights"]
        plain = client.post("/insights", json={"segments": SEGMENTS}).json()["insights"]
    meta = found["details"]["meta"]
    assert (meta["provider"], meta["template"]) == ("extractive", "stand-up")
    assert "only a language model fills the template" in meta["degraded_reason"]
    assert meta["tokens"] == {"sent": 0, "written": 0}
    assert [each["key"] for each in found["details"]["sections"]] == ["done", "planned", "blocked"]
    assert all(each["items"] == [] for each in found["details"]["sections"])
    assert not plain["details"]["meta"]["degraded"]
    for item in found["details"]["action_items"]:
        assert set(item["evidence"]) <= {4, 7}


def test_a_server_without_insights() -> None:
    make: MakePipeline = offline
    with serving(make_pipeline=make, insights_provider="none") as client:
        response = client.post("/insights", json={"segments": SEGMENTS})
        assert error_of(response) == (503, "insights_off")
