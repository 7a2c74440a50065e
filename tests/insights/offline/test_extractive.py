"""Insights without a model: on speech with and without punctuation, in English and otherwise."""

import json
import random
import re
import time
from pathlib import Path

import pytest

from echostream.domain import Insights, Transcript
from echostream.insights import ExtractiveInsights
from echostream.insights.offline.commitments import action_item, due_of, find, is_question
from echostream.insights.offline.lexrank import centrality
from echostream.insights.offline.sentences import sentences_of
from insights.meeting import transcript

SAMPLES = Path(__file__).parents[3] / "samples"

PLANTED = (
    "okay good morning everybody let us start with the warehouse the rent of the warehouse went up",
    "the delivery app keeps crashing and drivers are unhappy with the delivery app",
    "we agreed to close the old warehouse in june",
    "peter will call the landlord by friday",
    "the training course for new drivers is too short they need a longer training course",
    "laura needs to rewrite the training course before the end of the month",
    "what about the insurance",
    "the insurance for the warehouse is too expensive so we compared three offers for insurance",
    "we decided to switch the insurance to a cheaper company",
    "the support team must answer all complaints about the delivery app tomorrow",
    "and omar has to send the insurance papers to the bank next week",
    "that is all thank you everybody",
)


async def analyse(spoken: Transcript) -> Insights:
    return await ExtractiveInsights().analyse(spoken)


async def test_planted_meeting_in_lower_case_without_punctuation() -> None:
    insights = await analyse(transcript(*PLANTED))
    found = {(item.owner, item.due, item.evidence) for item in insights.details.action_items}
    assert found == {
        ("Peter", "friday", (3,)),
        ("Laura", "before the end of the month", (5,)),
        ("the support team", "tomorrow", (9,)),
        ("Omar", "next week", (10,)),
    }
    assert [point.evidence for point in insights.details.decisions] == [(2,), (8,)]
    assert [point.text for point in insights.details.questions] == ["What about the insurance?"]
    topics = " ".join(insights.topics)
    assert (
        sum(t in topics for t in ("warehouse", "delivery app", "training course", "insurance")) >= 3
    )
    assert 20 < len(insights.summary.split()) < 80
    assert "thank you" not in insights.summary
    assert insights.details.title
    assert [at.segment_id for at in insights.details.sentiment_timeline] == list(range(12))
    assert insights.details.sentiment_timeline[1].label == "negative"


async def test_planted_meeting_in_one_segment() -> None:
    insights = await analyse(transcript(" ".join(PLANTED)))
    owners = [(item.owner, item.due) for item in insights.details.action_items]
    assert ("Peter", "friday") in owners
    assert ("Omar", "next week") in owners
    assert {item.evidence for item in insights.details.action_items} == {(0,)}


@pytest.mark.parametrize("plain", [False, True])
async def test_sample_meeting(plain: bool) -> None:
    planted = json.loads((SAMPLES / "meeting.json").read_text())
    texts = [turn["text"] for turn in planted["turns"]]
    if plain:
        texts = [re.sub(r"[^\w\s]", "", text).lower() for text in texts]
    insights = await analyse(transcript(*texts))
    said = [set(re.findall(r"\w+", item.lower())) for item in insights.action_items]
    named = [
        item
        for item in planted["action_items"]
        if any(set(item.lower().split()) <= words for words in said)
    ]
    assert len(named) >= 2
    topics = " ".join(insights.topics).lower()
    assert sum(topic.lower() in topics for topic in planted["topics"]) >= 3
    assert len(insights.details.decisions) >= 2


@pytest.mark.parametrize(
    ("text", "owner", "due"),
    [
        ("Sarah Jones will review the contract with Acme before the deadline.", "Sarah Jones",
         "before the deadline"),
        ("finish the report sarah will call the client tomorrow", "Sarah", "tomorrow"),
        ("the marketing team has to share the numbers by the end of the day", "the marketing team",
         "the end of the day"),
        ("i'll send the notes after lunch", None, "after lunch"),
        ("we should test the server on monday", None, "monday"),
        ("emma and robert need to prepare the slides by 5 pm", "Emma and Robert", "5 pm"),
        ("david agreed to fix the server within two days", "David", "within two days"),
        ("by friday we need to send the invoice", None, "friday"),
        ("on monday sarah will present the results", "Sarah", "monday"),
        ("sarah can you send the invoice", "Sarah", None),
        ("Anna, please send me the deck by EOD.", "Anna", "EOD"),
        ("let's schedule a call next week", None, "next week"),
        ("ask maria to check the server", "Maria", None),
        ("don't forget to book the room", None, None),
        ("action item for robert is to update the plan", "Robert", None),
        ("the report must be finished by the end of next week", None, "the end of next week"),
    ],
)  # fmt: skip
def test_commitments(text: str, owner: str | None, due: str | None) -> None:
    (item,) = find(sentences_of(transcript(text).segments)).action_items
    assert (item.owner, item.due, item.evidence) == (owner, due, (0,))


@pytest.mark.parametrize(
    "text",
    [
        "the release schedule will change next week",
        "sales will go up ten percent next month",
        "it will rain tomorrow",
        "the budget will be ready on monday",
        "we will see what happens",
        "we will not do that",
        "let us move on",
        "who will review the contract",
        "should we approve the design",
        "we have not decided yet",
        "we agreed to cut the budget",
        "Can you hear me?",
    ],
)
def test_no_commitments(text: str) -> None:
    assert find(sentences_of(transcript(text).segments)).action_items == ()


@pytest.mark.parametrize(
    ("text", "decided"),
    [
        ("we agreed to move the release", True),
        ("the board has approved the plan", True),
        ("it was decided to wait", True),
        ("the decision is to postpone", True),
        ("we have not decided yet", False),
        ("have we decided anything", False),
    ],
)
def test_decisions(text: str, decided: bool) -> None:
    assert bool(find(sentences_of(transcript(text).segments)).decisions) is decided


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("when will it be ready", True),
        ("so what is the next step", True),
        ("is the server ready", True),
        ("Ready?", True),
        ("いつですか\uff1f", True),
        ("when we are done we leave", False),
        ("Is it so. No.", False),
        ("what we need is time", False),
    ],
)
def test_questions(text: str, asked: bool) -> None:
    assert is_question(text) is asked


def test_no_due_time_is_made_up() -> None:
    assert due_of("we moved it to next week") is None
    assert action_item("nothing of the kind", (0,)) is None


def test_sentences_join_across_segments_of_an_engine_that_punctuates() -> None:
    spoken = transcript("Sarah will send", "the report by Friday. Good.", "Next item.", "Yes.")
    first, second, *_ = sentences_of(spoken.segments)
    assert (first.text, first.segment_ids) == ("Sarah will send the report by Friday.", (0, 1))
    assert (second.text, second.segment_ids) == ("Good.", (1,))


def test_repeated_items_join_their_evidence() -> None:
    spoken = transcript("Sarah will call Bob.", "Good.", "Sarah will call Bob.")
    (item,) = find(sentences_of(spoken.segments)).action_items
    assert item.evidence == (0, 2)


def test_centrality_prefers_what_others_repeat() -> None:
    bags = [["budget", "high"], ["weather"], ["budget", "cut"], ["budget", "high", "cut"], []]
    scores = centrality(bags)
    assert sum(scores) == pytest.approx(1)
    assert max(range(5), key=scores.__getitem__) == 3
    assert scores[1] == pytest.approx(scores[4])
    assert centrality([]) == []
    assert centrality([[], []]) == [0.5, 0.5]


@pytest.mark.parametrize(
    ("language", "texts"),
    [
        ("de", ["Das Budget ist leider viel zu hoch.", "Anna will das Budget kürzen.", "Wann?"]),
        ("ja", ["本日は予算について話します。予算は高すぎます。", "いつですか\uff1f"]),
        ("ar", ["صباح الخير", "متى الاجتماع\u061f"]),
        ("hi", ["बजट बहुत अधिक है। बैठक कब है?"]),
        ("", ["hm"]),
    ],
)
async def test_other_languages(language: str, texts: list[str]) -> None:
    insights = await analyse(transcript(*texts, language=language))
    assert insights.summary
    assert insights.details.title
    assert insights.action_items == ()
    assert (insights.sentiment.label, insights.sentiment.score) == ("neutral", 0.33)
    assert len(insights.details.sentiment_timeline) == len(texts)
    assert insights.details.meta.coverage == 1.0


@pytest.mark.parametrize("text", ["...", "?!", "\u200d", "𝕏 🎉", "a", "um uh", "<b>&", "\\(["])
async def test_odd_texts(text: str) -> None:
    insights = await analyse(transcript(text, "", text))
    assert [at.segment_id for at in insights.details.sentiment_timeline] == [0, 2]


async def test_no_speech() -> None:
    for empty in (transcript(), transcript("", " \n")):
        insights = await analyse(empty)
        assert (insights.summary, insights.topics, insights.action_items) == ("", (), ())
        assert insights.sentiment.label == "neutral"
        assert insights.details.sentiment_timeline == ()


@pytest.mark.parametrize("one_segment", [False, True])
async def test_four_hours_take_seconds(one_segment: bool) -> None:
    rng = random.Random(1)
    words = [f"{rng.choice('bdfgklmnprst')}{a}{b}" for a in "aeiou" for b in "dklmnprst"]
    texts = [" ".join(rng.choices(words, k=9)) for _ in range(4_000)]
    texts[7::50] = ["peter will call the landlord by friday"] * len(texts[7::50])
    spoken = transcript(" ".join(texts)) if one_segment else transcript(*texts)
    started = time.perf_counter()
    insights = await analyse(spoken)
    assert time.perf_counter() - started < 20
    assert insights.details.meta.coverage == 1.0
    assert insights.action_items
