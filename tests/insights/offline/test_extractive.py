"""Insights without a language model: on speech with and without punctuation, in English and not."""

import json
import random
import re
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from echostream.domain import Insights, Segment, Transcript
from echostream.insights import ExtractiveInsights, with_due_dates
from echostream.insights.offline.cleaning import cleaned
from echostream.insights.offline.commitments import (
    decides,
    is_question,
    plainly,
    reading_of,
)
from echostream.insights.offline.due_phrases import due_of
from echostream.insights.offline.found import find
from echostream.insights.offline.languages import reads_english
from echostream.insights.offline.model import KINDS, Scores
from echostream.insights.offline.sentences import Sentence, sentences_of
from echostream.insights.offline.summary import central
from echostream.insights.offline.topics import topics_of
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
    assert insights.details.title == ""
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
    thursday = date(2026, 11, 26)
    details = with_due_dates(await analyse(transcript(*texts)), thursday).details
    assert [(item.owner, (item.due or "").lower()) for item in details.action_items] == [
        ("David", "the end of next week"),
        ("Maria", "friday"),
        ("Maria", "monday"),
        ("Michael", "wednesday"),
    ]
    ahead = [item.due_date - thursday for item in details.action_items if item.due_date]
    assert ahead == [timedelta(8), timedelta(1), timedelta(4), timedelta(6)]
    assert [item.evidence for item in details.action_items] == [(7,), (8,), (9,), (11,)]
    assert [point.evidence for point in details.decisions] == [(6,), (6,), (10,)]
    assert [point.evidence for point in details.questions] == [(3,)]


@pytest.mark.parametrize("plain", [False, True])
async def test_topics_of_the_sample(plain: bool) -> None:
    planted = json.loads((SAMPLES / "meeting.json").read_text())
    texts = [turn["text"] for turn in planted["turns"]]
    if plain:
        texts = [re.sub(r"[^\w\s]", "", text).lower() for text in texts]
    assert set(planted["topics"]) <= set(topics_of(texts))


def test_debates_are_no_tasks() -> None:
    said = (
        "We'll begin with the honourable member for Carleton, Mr. Poilievre.",
        "I'm wondering if the minister will send the figures to the committee by Friday.",
        "Albert, can you answer that?",
        "I will continue to send the figures to the committee.",
        "The committee will now adjourn until Monday.",
        "What I can't understand is why we should write the report by Friday.",
    )
    sentences = sentences_of(transcript(*said).segments)
    assert find(sentences, certain(sentences)).action_items == ()


def test_one_question_of_each_exchange_about_the_matter() -> None:
    said = (
        "How much does the new insurance for the drivers cost?",
        "What does the new insurance for the drivers cost us?",
        "It costs a lot.",
        "You mean the insurance for all the drivers of the company?",
        "Yes.",
        "Who's Peter?",
        "Do you want me to talk about the insurance for the drivers?",
    )
    sentences = sentences_of(transcript(*said).segments)
    (question,) = find(sentences, certain(sentences)).questions
    assert question.text == said[0]


def test_short_questions_are_left_out_of_long_recordings() -> None:
    said = ["What about the insurance?", *["We went on."] * 100]
    short, long = (sentences_of(transcript(*texts).segments) for texts in (said[:50], said))
    assert len(find(short, certain(short, 0.7)).questions) == 1
    assert find(long, certain(long, 0.7)).questions == ()


def certain(sentences: Sequence[Sentence], likely: float = 0.9) -> Scores:
    return {kind: np.full(len(sentences), likely) for kind in KINDS}


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
def test_who_is_to_act_and_by_when(text: str, owner: str | None, due: str | None) -> None:
    said = [plainly(sentence.text) for sentence in sentences_of(transcript(text).segments)]
    ((reading, due_time),) = [(reading_of(text), due_of(text)) for text in said if reading_of(text)]
    assert reading is not None
    assert (reading.owner, due_time) == (owner, due)


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
async def test_no_action_items(text: str) -> None:
    spoken = transcript("Good morning.", "The rent went up.", text, "Yes.", "The rain was heavy.")
    assert (await analyse(spoken)).details.action_items == ()


LECTURE = (
    "Good morning, today I want to talk about how cells store energy.",
    "You will remember from last week that the membrane keeps salt outside.",
    "We will see in a minute why this is so important.",
    "If you look at the picture on the left, you can see the pump.",
    "The pump has to push the salt against the gradient, and that takes energy.",
    "So what happens if we take the pump away?",
    "The cell will swell, and after some minutes it will burst.",
    "You should always ask where the energy comes from.",
    "Let us assume for the moment that there is enough sugar.",
    "Then the cell has to burn it, and we get thirty units of energy.",
    "I will come back to this number next week.",
    "Thank you for your attention.",
)


@pytest.mark.parametrize("plain", [False, True])
async def test_a_lecture_has_hardly_any_action_items_and_decisions(plain: bool) -> None:
    texts = [re.sub(r"[^\w\s]", "", text).lower() if plain else text for text in LECTURE]
    details = (await analyse(transcript(*texts))).details
    assert len(details.action_items) <= 1
    assert details.decisions == ()


@pytest.mark.parametrize(
    "text", ["I'll start, if that's okay.", "Could you plug me in?", "Is that enough?", "Right?"]
)
async def test_talk_about_the_talk_is_nothing(text: str) -> None:
    spoken = transcript("Hello.", text, "The rent of the warehouse went up last year.", "Yes.")
    details = (await analyse(spoken)).details
    assert (details.action_items, details.decisions, details.questions) == ((), (), ())


async def test_what_a_speaker_promises_is_the_speakers() -> None:
    texts = ("The invoice is late.", "I will send the invoice to the client by Friday.", "Good.")
    segments = tuple(
        Segment(i, 5.0 * i, 5.0 * i + 5, text, speaker="BA"[i % 2]) for i, text in enumerate(texts)
    )
    (item,) = (await analyse(Transcript(segments, "en", 15.0, "fake", "fake"))).details.action_items
    assert (item.owner, item.due) == ("A", "Friday")


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("I'll order the tiles tonight.", "tonight"),
        ("and i will phone the plumber tomorrow morning", "tomorrow morning"),
        ("Those keys are mine, I'm going to fetch them on Saturday, I swear.", "Saturday"),
        ("I will ask the landlord and tell you what he says by Thursday.", "Thursday"),
        ("I'll look into that before the end of the month.", "before the end of the month"),
        ("I'll send you the minutes after the meeting.", "after the meeting"),
    ],
)
def test_a_promise_with_a_day_needs_no_model(text: str, due: str) -> None:
    sentences = sentences_of(transcript("The bath leaks.", text, "Good.").segments)
    (item,) = find(sentences, certain(sentences, likely=0.001)).action_items
    assert (item.due, item.evidence) == (due, (1,))


@pytest.mark.parametrize(
    ("likely", "texts"),
    [
        (
            0.001,
            [
                "I will put that up in a minute.",
                "I'll try to be brief in this meeting.",
                "I'll be in the office on Monday.",
                "I will not call him on Friday.",
                "This week I will generally be more free.",
                "I will come back to that next week.",
                "Will I get the keys on Tuesday?",
                "I would call him on Friday.",
                "She thought I will send it tomorrow, didn't she?",
            ],
        ),
        (
            0.9,  # talk about the call, however likely the models find it
            [
                "I can hear you fine, just carry on if I go silent.",
                "You are on mute, please write into the chat.",
                "I will share my screen, please look at the numbers.",
            ],
        ),
    ],
)
def test_what_is_no_promise_and_no_task(likely: float, texts: list[str]) -> None:
    for text in texts:
        sentences = sentences_of(transcript("The bath leaks.", text, "Good.").segments)
        assert find(sentences, certain(sentences, likely)).action_items == (), text


def test_a_decision_says_what_was_decided() -> None:
    said = ("So we decide for the oak door, if it fits.", "Any objections?", "Then it is decided.")
    sentences = sentences_of(transcript(*said).segments)
    (decision,) = find(sentences, certain(sentences)).decisions
    assert decision.text.startswith("We decide for the oak door")


async def test_everything_quotes_its_evidence() -> None:
    spoken = transcript(*PLANTED)
    insights = await analyse(spoken)
    details = insights.details
    said = {segment.id: segment.text for segment in spoken.segments}
    points = (*details.key_points, *details.decisions, *details.questions, *details.action_items)
    assert points
    for point in points:
        words = re.findall(r"\w+", point.text.lower())
        assert set(words) <= set(" ".join(said[at] for at in point.evidence).split())
    for point in details.key_points:
        assert point.text in insights.summary


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
    assert decides(text) is decided


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


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("she will send it by friday of next week", "friday of next week"),
        ("By Friday, December 4th, please.", "Friday, December 4th"),
        ("Send it on Friday the 4th.", "Friday the 4th"),
        ("it must be done by december 3rd, 2027", "december 3rd, 2027"),
        ("by the third of december", "the third of december"),
        ("by the 15th we need it", "the 15th"),
        ("by the second meeting", "the second meeting"),
        ("he works on the second floor", None),
        ("before the first of next month", "before the first of next month"),
        ("by the day after tomorrow", "the day after tomorrow"),
        ("by a week from friday", "a week from friday"),
        ("in thirty days", "in thirty days"),
    ],
)
def test_due_times_are_whole(text: str, due: str | None) -> None:
    assert due_of(text) == due


def test_no_due_time_is_made_up() -> None:
    assert due_of("we moved it to next week") is None
    assert reading_of("nothing of the kind") is None


def test_sentences_join_across_segments_of_an_engine_that_punctuates() -> None:
    spoken = transcript("Sarah will send", "the report by Friday. Good.", "Next item.", "Yes.")
    first, second, *_ = sentences_of(spoken.segments)
    assert (first.text, first.segment_ids) == ("Sarah will send the report by Friday.", (0, 1))
    assert (second.text, second.segment_ids) == ("Good.", (1,))


def test_a_sentence_has_one_speaker() -> None:
    pieces = (("We could send", "A"), ("the report.", "B"), ("Fine.", "A"))
    segments = [Segment(i, 0.0, 1.0, text, speaker=who) for i, (text, who) in enumerate(pieces)]
    assert [(s.text, s.speaker) for s in sentences_of(segments)] == [
        ("We could send", "A"),
        ("the report.", "B"),
        ("Fine.", "A"),
    ]


async def test_repeated_items_join_their_evidence() -> None:
    said = "Sarah will call the bank by Friday."
    (item,) = (
        await analyse(transcript(said, *("The weather is fine.",) * 9, said))
    ).details.action_items
    assert {0, 10} <= set(item.evidence)


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("Um , so the the budget is , uh , too high .", "the budget is, too high."),
        ("And I I think we we should th throw it away", "I think we should throw it away"),
        ("we , you know , need a bigger room", "we, need a bigger room"),
        ("{vocalsound} Okay , the rent went up .", "the rent went up."),
        ("Sarah will call Bob.", "Sarah will call Bob."),
        ("um uh", ""),
    ],
)
def test_fillers_and_false_starts_are_cut(said: str, written: str) -> None:
    assert cleaned(said) == written


def test_a_summary_covers_what_is_repeated_and_fits() -> None:
    texts = [
        "the budget of the project is too high for the client",
        "the weather was fine on the coast in the summer",
        "the budget of the project has to shrink by a third",
        "yes I think so too",
    ]
    assert central(texts, [0.2] * 4, 12)[0] in {0, 2}
    assert sum(len(texts[place].split()) for place in central(texts, [0.2] * 4, 23)) <= 23
    assert central([], [], 50) == []


def test_topics_are_noun_phrases() -> None:
    texts = [
        "I guess the delivery app is slow, hmm.",
        "We discuss the delivery app and I guess the insurance.",
        "Hmm, the insurance is true to its price.",
        "They will rewrite the training course and we rewrite the training course again.",
        "The delivery app needs insurance, hmm, I guess.",
    ]
    assert set(topics_of(texts)) == {"delivery app", "insurance", "training course"}
    assert topics_of([]) == topics_of(["hmm"]) == ()


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
    assert insights.details.title == ""
    assert (insights.action_items, insights.details.decisions) == ((), ())
    assert "English only" in (insights.details.meta.degraded_reason or "")
    assert (insights.sentiment.label, insights.sentiment.score) == ("neutral", 0.33)
    assert len(insights.details.sentiment_timeline) == len(texts)
    assert insights.details.meta.coverage == 1.0


@pytest.mark.parametrize(
    ("language", "text", "english"),
    [
        ("en", "Sarah will send the report.", True),
        ("", "so we have to send the report to them and that is what they want", True),
        ("", "wir müssen den bericht bis freitag an die kunden schicken sagt anna", False),
        ("en", "wir müssen den bericht bis freitag an die kunden schicken sagt anna", False),
        ("", "il faut envoyer le rapport au client avant la fin de la semaine", False),
        ("", "tenemos que enviar el informe al cliente antes del viernes por la tarde", False),
        ("nl", "so we have to send the report to them and that is what they want", False),
        ("", "hm", False),
    ],
)
def test_whether_the_words_are_english(language: str, text: str, english: bool) -> None:
    assert reads_english(transcript(text, language=language)) is english


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


def long_talk(words: int, one_segment: bool) -> Transcript:
    rng = random.Random(1)
    known = " ".join(PLANTED + LECTURE).split()
    texts = [" ".join(rng.choices(known, k=9)) for _ in range(words // 9)]
    texts[7::50] = ["peter will call the landlord by friday"] * len(texts[7::50])
    return transcript(" ".join(texts)) if one_segment else transcript(*texts)


async def seconds(spoken: Transcript) -> float:
    started = time.process_time()
    await analyse(spoken)
    return time.process_time() - started


@pytest.mark.parametrize("one_segment", [False, True])
async def test_20_000_words_take_two_seconds(one_segment: bool) -> None:
    await seconds(transcript(*PLANTED))  # loads the lexicons
    assert await seconds(long_talk(20_000, one_segment)) < 2


@pytest.mark.parametrize("language", ["en", "de"])
async def test_time_grows_with_the_text_and_not_faster(language: str) -> None:
    await seconds(transcript(*PLANTED))
    short, long = (replace(long_talk(n, False), language=language) for n in (10_000, 80_000))
    assert await seconds(long) < 16 * await seconds(short) + 1
