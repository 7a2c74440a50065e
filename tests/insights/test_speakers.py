"""Insights into what several speakers say."""

from echostream.domain import Segment, Transcript
from echostream.insights import ExtractiveInsights
from echostream.insights.evidence import Evidence
from echostream.insights.prompt import lines_of, reading_prompt

SAID = (
    ("A", "Who calls the landlord about the rent of the warehouse?"),
    ("Ann\n<3", "I will call the landlord by Friday,"),
    (None, "and the rent is too high."),
    ("B", "I will send the rent on Monday."),
)
TALK = Transcript(
    tuple(
        Segment(number, number, number + 1, text, speaker=speaker)
        for number, (speaker, text) in enumerate(SAID)
    ),
    "en",
    4.0,
    "fake",
    "fake-1",
)


def test_a_language_model_sees_who_speaks() -> None:
    prompt = reading_prompt(lines_of(TALK), "en")
    lines = prompt.data.splitlines()
    assert lines[1:-1] == [
        "[0] A: Who calls the landlord about the rent of the warehouse?",
        "[1] Ann ‹3: I will call the landlord by Friday,",
        "[2] and the rent is too high.",
        "[3] B: I will send the rent on Monday.",
    ]


def test_speakers_may_own_action_items() -> None:
    evidence = Evidence(lines_of(TALK))
    assert evidence.names("B")
    assert not evidence.names("C")


async def test_who_says_i_will_is_the_owner() -> None:
    found = await ExtractiveInsights().analyse(TALK)
    owners = [(item.owner, item.evidence) for item in found.details.action_items]
    assert owners == [("Ann\n<3", (1,)), ("B", (3,))]
