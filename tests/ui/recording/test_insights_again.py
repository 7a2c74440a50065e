"""Insights that are made again: a real API, and a stand-in for its language model."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from conftest import running
from echostream.building import local_pipeline
from echostream_ui.api_client import ApiClient
from echostream_ui.components.answer import parts_of, place
from echostream_ui.library.sqlite.store import SqliteStore
from echostream_ui.library.store import StoreError
from echostream_ui.library.values import Json
from echostream_ui.recording.insights_again import Wanted, make_again
from echostream_ui.recording.template_choice import own_template, sections_text
from insights.meeting import answer as model_answer
from llm.standins import openai_reply, standing_in
from ui.recordings import add_recording
from ui.standins import ANSWER
from web.support import settings_of

SEGMENTS = [
    {"id": 5, "start": 0.0, "end": 4.0, "text": "The lift is broken again.", "speaker": "A"},
    {"id": 6, "start": 4.0, "end": 8.0, "text": "I will call the firm.", "speaker": "B"},
]
TEMPLATE = own_template("Board", "A housing cooperative.", "Repairs: what is broken\n\nRest")


async def test_they_know_the_names_and_fill_the_template(tmp_path: Path) -> None:
    repairs = [{"text": "The lift is broken.", "evidence": [5]}]
    found = model_answer(
        title="The lift",
        summary="Bo calls the firm.",
        key_points=[],
        decisions=[],
        action_items=[{"text": "Call the firm.", "owner": "Bo", "evidence": [6]}],
        sentiment_timeline=[],
        sections={"section_1": repairs, "section_2": []},
    )
    with (
        closing(SqliteStore(tmp_path / "library")) as store,
        standing_in(openai_reply(found)) as model,
        running(
            settings_of(
                openai_base_url=f"{model.url}/v1", openai_model="llama", asr_engine="pocketsphinx"
            ),
            local_pipeline,
        ) as url,
    ):
        media_id = add_recording(
            store,
            ANSWER | {"segments": SEGMENTS, "insights": None},
            audio=None,
            title="meeting.wav",
        )
        store.update_analysis(media_id, speakers={"B": "Bo"}, edits={5: "The lift is broken."})
        api = ApiClient(url, None)
        assert "meeting" in {each["name"] for each in (await api.templates()).offered}
        await make_again(api, store, media_id, Wanted(TEMPLATE, "en"))
        with pytest.raises(StoreError, match="deleted"):
            await make_again(api, store, "gone", Wanted())
        await api.aclose()
        analysis, media = store.analysis(media_id), store.media(media_id)
    assert media is not None
    assert media.title == "The lift"
    prompt = str(model.requests[0].body["messages"])
    assert "[5] A: The lift is broken." in prompt
    assert "[6] Bo: I will call the firm." in prompt
    assert "A housing cooperative." in prompt
    assert analysis is not None
    assert analysis.insights is not None
    assert analysis.insights["details"]["sections"][0]["items"] == repairs
    assert analysis.insights["details"]["meta"]["template"] == "Board"
    assert analysis.insights["speakers"] == {"B": "Bo"}
    assert [(item.text, item.owner) for item in analysis.action_items] == [("Call the firm.", "Bo")]
    assert Wanted.before(analysis.request) == Wanted(TEMPLATE, "en")


def test_a_template_as_it_is_typed() -> None:
    assert TEMPLATE["sections"] == [
        {"key": "section_1", "title": "Repairs", "instructions": "what is broken"},
        {"key": "section_2", "title": "Rest", "instructions": ""},
    ]
    assert sections_text(TEMPLATE) == "Repairs: what is broken\nRest"
    many = own_template(" ", "", "\n".join(map(str, range(20))))
    assert (many["name"], len(many["sections"])) == ("Your own", 12)


def test_marks_of_an_answer_become_its_places() -> None:
    here, there = place(4, 61.0, "Yes."), place(7, 2.0, "No.", media="m", title="Talk " * 20)
    assert parts_of("It is [1][2]. Or [3] not.", [here, there]) == [
        "It is",
        here,
        there,
        ". Or",
        " not.",
    ]
    assert here["clock"] == "1:01"
    assert there["label"].endswith("…, 0:02")
    assert parts_of("Nobody said it.", []) == ["Nobody said it."]


async def test_insights_into_another_transcript_are_not_kept(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "library")) as store:
        media_id = add_recording(store, ANSWER, audio=None)

        class Api(ApiClient):
            """While it is asked, the recording is transcribed again."""

            async def insights(self, request: Json) -> Json:
                before = store.analysis(media_id)
                assert before is not None
                store.versions.replace(replace(before, response=ANSWER | {"language": "de"}))
                return {"summary": "Of the old text."}

        with pytest.raises(StoreError, match="another transcript"):
            await make_again(Api("http://127.0.0.1:1", None), store, media_id, Wanted())
        analysis = store.analysis(media_id)
        assert analysis is not None
        assert analysis.insights == ANSWER["insights"]
