"""Words get the speakers of the turns, in segments of one speaker each."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echostream.diarization.assignment import assigned, speakers
from echostream.domain import Segment, Turn, Voice, Word, joined


def segment(text: str, start_s: float = 0.0, word_s: float = 0.4, number: int = 0) -> Segment:
    """Words that take the same time each."""
    words = tuple(
        Word(start_s + place * word_s, start_s + (place + 1) * word_s, word)
        for place, word in enumerate(text.split())
    )
    return Segment(number, words[0].start_s, words[-1].end_s, text, words, tokens=(1, 2))


def said(segments: tuple[Segment, ...]) -> list[tuple[str | None, str]]:
    return [(each.speaker, each.text) for each in segments]


def test_a_segment_is_cut_where_the_speaker_changes():
    found = assigned(
        [segment("Shall we begin now yes let us begin")], [Turn(0, 1.6, "A"), Turn(1.6, 3.2, "B")]
    )
    assert said(found) == [("A", "Shall we begin now"), ("B", "yes let us begin")]
    assert [(each.id, each.start_s, each.end_s) for each in found] == [(0, 0, 1.6), (1, 1.6, 3.2)]
    assert [each.tokens for each in found] == [(), ()]


def test_a_short_backchannel_does_not_tear_a_sentence():
    turns = [Turn(0, 4.0, "A"), Turn(1.2, 1.7, "B")]
    whole = segment("We will move the release to the first week")
    assert assigned([whole], turns) == (Segment(**{**_fields(whole), "speaker": "A"}),)


def _fields(one: Segment) -> dict[str, object]:
    return {name: getattr(one, name) for name in Segment.__dataclass_fields__}


def test_a_cut_goes_to_the_end_of_a_sentence_beside_it():
    # The turn ends a word too late.
    turns = [Turn(0, 2.0, "A"), Turn(2.0, 4.0, "B")]
    found = assigned([segment("Is it done today? No, it will take longer")], turns)
    assert said(found) == [("A", "Is it done today?"), ("B", "No, it will take longer")]


def test_the_speaker_stays_while_two_speak_at_once():
    turns = [Turn(0, 3.2, "A"), Turn(1.2, 6.0, "B")]
    found = assigned([segment("one two three four five six seven eight nine ten eleven")], turns)
    assert said(found) == [
        ("A", "one two three four five six seven eight"),
        ("B", "nine ten eleven"),
    ]


def test_nobody_is_told_where_nobody_speaks():
    far = segment("Subtitles by the community", start_s=20)
    assert said(assigned([far], [Turn(0, 5, "A")])) == [(None, "Subtitles by the community")]
    assert said(assigned([far], [])) == [(None, "Subtitles by the community")]


def test_a_word_just_beside_a_turn_belongs_to_it():
    assert said(assigned([segment("Good morning")], [Turn(1.2, 3, "A")])) == [("A", "Good morning")]


def test_a_word_without_a_turn_gets_the_speaker_of_its_neighbour():
    text = "this one is said by nobody near"
    assert said(assigned([segment(text)], [Turn(0, 0.8, "A")])) == [("A", text)]


def test_a_word_far_from_all_others_and_all_turns_is_nobodys():
    words = (*segment("this is mine").words, Word(2.5, 3.5, "Subtitles"))
    whole = Segment(0, 0.0, 3.5, joined(words), words)
    assert said(assigned([whole], [Turn(0, 1.2, "A")])) == [
        ("A", "this is mine"),
        (None, "Subtitles"),
    ]
    alone = segment("Subtitles", word_s=1.0)
    for start_s, speaker in ((1.4, "A"), (1.6, None)):
        assert said(assigned([alone], [Turn(start_s, 3, "A")])) == [(speaker, "Subtitles")]


@pytest.mark.parametrize(
    ("share", "parts"), [(0.95, ["one two", "three"]), (0.85, ["one", "two three"])]
)
def test_of_two_at_once_the_speaker_stays_who_speaks_almost_as_long(share: float, parts: list[str]):
    turns = [Turn(0, 1 + share, "A"), Turn(1, 3, "B")]
    found = assigned([segment("one two three", word_s=1.0)], turns)
    assert said(found) == list(zip("AB", parts, strict=True))


@pytest.mark.parametrize(("first", "last"), [(3, 5), (5, 3)])
def test_a_run_that_is_too_short_joins_the_longer_neighbour(first: int, last: int):
    before, after = ["so"] * first, ["no"] * last
    yes_s = first * 0.4
    end_s = yes_s + 0.4
    turns = [Turn(0, yes_s, "A"), Turn(yes_s, end_s, "B"), Turn(end_s, end_s + last * 0.4, "C")]
    found = assigned([segment(" ".join([*before, "yes", *after]))], turns)
    joins = (
        [("A", [*before, "yes"]), ("C", after)]
        if first > last
        else [("A", before), ("C", ["yes", *after])]
    )
    assert said(found) == [(speaker, " ".join(words)) for speaker, words in joins]


def test_turns_of_one_speaker_within_a_word_count_together():
    turns = [Turn(0.0, 0.3, "A"), Turn(0.1, 0.55, "B"), Turn(0.5, 0.8, "A")]
    assert said(assigned([segment("Congratulations", word_s=1.0)], turns)) == [
        ("A", "Congratulations")
    ]


def test_of_turns_beside_a_word_the_nearest_counts():
    """Two turns of one speaker are no further away than the nearer of them."""
    turns = [Turn(0.0, 0.9, "A"), Turn(1.55, 2.0, "B"), Turn(1.7, 2.0, "A")]
    assert said(assigned([segment("Hello", start_s=1.0)], turns)) == [("A", "Hello")]


def test_whoever_spoke_long_before_does_not_stay():
    words = (*segment("Yes, indeed.").words, *segment("No, I never.", start_s=2.0).words)
    whole = Segment(0, 0.0, 3.2, "Yes, indeed. No, I never.", words)
    turns = [Turn(0.0, 0.8, "A"), Turn(2.0, 3.2, "B")]
    assert said(assigned([whole], turns)) == [("A", "Yes, indeed."), ("B", "No, I never.")]


@pytest.mark.parametrize(
    ("words", "turns", "whose"),
    [
        # Beside a turn, whoever spoke before is no nearer.
        ([(0, 1), (3, 4)], [(0, 1, "A"), (4.1, 6, "B")], "AB"),
        ([(0, 1), (3, 4)], [(0, 1, "A"), (4.0, 6, "B")], "AB"),
        # Of two at once, it is the one of the word before who stays, not of the first word.
        ([(0, 1), (1, 2), (2, 3)], [(0, 1, "A"), (2, 3, "A"), (1, 2.95, "B")], "ABB"),
        # Beyond all turns, the word before counts, up to a second away.
        ([(0, 1), (2.0, 3.0)], [(0, 1, "A")], "AA"),
        ([(0, 1), (2.1, 3.1)], [(0, 1, "A")], "A-"),
        ([(0, 1), (1.8, 2.8), (3.6, 4.6)], [(0, 1, "A")], "AAA"),
        ([(0, 1), (1, 2), (2.8, 3.8)], [(0, 1, "B"), (1, 2, "A")], "BAA"),
        ([(0, 1), (1.8, 2.8), (3.6, 4.6)], [(0, 1, "A"), (3.6, 4.6, "B")], "AAB"),
        # Failing that, the word after.
        ([(0, 1), (2.0, 3.0)], [(2, 3, "A")], "AA"),
        ([(0, 1), (2.1, 3.1)], [(2.1, 3.1, "A")], "-A"),
        ([(0, 1), (1.8, 2.8), (3.6, 4.6)], [(3.6, 4.6, "A")], "AAA"),
        ([(0, 1), (1.8, 2.8), (2.8, 3.8)], [(1.8, 2.8, "A"), (2.8, 3.8, "B")], "AAB"),
        ([(0, 1), (5, 6)], [(5, 6, "A")], "-A"),
        # Turns half a second away are out of reach.
        ([(0, 1)], [(1.5, 3, "A")], "-"),
        ([(1.5, 2.5)], [(0, 1, "A")], "-"),
        ([(1.5, 2.5)], [(0, 1.01, "A")], "A"),
    ],
)
def test_whose_words_are_whose(
    words: list[tuple[float, float]], turns: list[tuple[float, float, str]], whose: str
):
    spoken = tuple(Word(*times, f"w{number}") for number, times in enumerate(words))
    whole = Segment(0, spoken[0].start_s, spoken[-1].end_s, joined(spoken), spoken)
    found = assigned([whole], [Turn(*each) for each in turns])
    assert "".join((each.speaker or "-") * len(each.words) for each in found) == whose


def test_a_segment_without_words_goes_by_the_longer_overlap():
    turns = [Turn(10, 11, "B"), Turn(11, 14, "A")]
    assert said(assigned([Segment(0, 10, 14, "first")], turns)) == [("A", "first")]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        # Two seconds each; the cut is after four words, or one beside it if a sentence ends there.
        ("a b c d e f g h", ["a b c d", "e f g h"]),
        ("a b c d. e. f g h", ["a b c d.", "e. f g h"]),
        ("a b c d e. f g h", ["a b c d e.", "f g h"]),
        ("a b c. d e f g h", ["a b c.", "d e f g h"]),
        ("a b c. d e. f g h", ["a b c. d e.", "f g h"]),
        *((f"a b c d e{end} f g h", [f"a b c d e{end}", "f g h"]) for end in ".?!…。？！"),
        *((f"a b c d e.{end} f g h", [f"a b c d e.{end}", "f g h"]) for end in "\"'”’»)"),
        ("a b c d e, f g h", ["a b c d", "e, f g h"]),
    ],
)
def test_cuts_are_at_the_ends_of_sentences(text: str, parts: list[str]):
    turns = [Turn(0, 2, "A"), Turn(2, 4, "B")]
    found = assigned([segment(text, word_s=0.5)], turns)
    assert [each.text for each in found] == parts


@pytest.mark.parametrize(
    ("words", "turns", "parts"),
    [
        # Runs of one word are not emptied, even if a sentence ends there.
        ([(0, 1, "a"), (1, 2, "b.")], [(0, 1, "A"), (1, 2, "B")], ["a", "b."]),
        ([(0, 1, "a."), (1, 2, "b")], [(0, 1, "A"), (1, 2, "B")], ["a.", "b"]),
        ([(0, 0.5, "a."), (0.5, 1, "b"), (1, 2, "c")], [(0, 1, "A"), (1, 2, "B")], ["a.", "b c"]),
        ([(0, 1, "a"), (1, 1.5, "b."), (1.5, 2, "c")], [(0, 1, "A"), (1, 2, "B")], ["a b.", "c"]),
        # The first has no run before it.
        ([(0, 0.5, "a"), (0.5, 1.5, "b"), (1.5, 4, "c")],
         [(0, 0.5, "A"), (0.5, 1.5, "B"), (1.5, 4, "C")], ["a b", "c"]),
        # Eight tenths of a second are enough to be sure of.
        ([(0, 1, "a"), (1, 1.8, "b"), (1.8, 3, "c")], [(0, 1, "A"), (1, 1.8, "B"), (1.8, 3, "A")],
         ["a", "b", "c"]),
        ([(0, 1, "a"), (1, 1.7, "b"), (1.7, 3, "c")], [(0, 1, "A"), (1, 1.7, "B"), (1.7, 3, "A")],
         ["a b c"]),
        ([(0, 0.5, "a"), (0.5, 2, "b")], [(0, 0.5, "A"), (0.5, 2, "B")], ["a b"]),
        ([(0, 1.5, "a"), (1.5, 2, "b")], [(0, 1.5, "A"), (1.5, 2, "B")], ["a b"]),
    ],
)  # fmt: skip
def test_short_runs_and_short_sentences(
    words: list[tuple[float, float, str]], turns: list[tuple[float, float, str]], parts: list[str]
):
    spoken = tuple(Word(*each) for each in words)
    whole = Segment(0, spoken[0].start_s, spoken[-1].end_s, joined(spoken), spoken)
    found = assigned([whole], [Turn(*each) for each in turns])
    assert [each.text for each in found] == parts


def test_the_parts_of_a_segment_are_as_long_as_it():
    """Also where its times reach beyond those of its words."""
    words = segment("Shall we begin now yes let us begin").words
    whole = Segment(0, -0.25, 3.5, joined(words), words)
    first, second = assigned([whole], [Turn(0, 1.6, "A"), Turn(1.6, 3.2, "B")])
    assert (first.start_s, first.end_s) == (-0.25, 1.6)
    assert (second.start_s, second.end_s) == (1.6, 3.5)


def test_segments_without_words_go_by_overlap():
    turns = [Turn(0, 3, "A"), Turn(3, 9, "B")]
    wordless = [Segment(0, 0, 3.4, "first"), Segment(1, 3.4, 6, "second")]
    assert said(assigned(wordless, turns)) == [("A", "first"), ("B", "second")]


def test_speakers_are_listed_by_first_speech_with_their_time():
    voice = Voice("model", (1.0,))
    segments = [
        Segment(0, 0, 2.5, "x", speaker="B"),
        Segment(1, 3, 4, "y"),
        Segment(2, 4, 5, "z", speaker="Ada"),
        Segment(3, 6, 7.5, "x", speaker="B"),
        Segment(4, 9, 8.5, "ends before it begins", speaker="B"),
        Segment(5, 9, 9.0016, "x", speaker="Ada"),
    ]
    found = speakers(segments, {"B": voice}, known={"Ada"})
    assert [(each.id, each.seconds, each.name) for each in found] == [
        ("B", 4.0, None),
        ("Ada", 1.002, "Ada"),
    ]
    assert [each.voice for each in found] == [voice, None]


TIMES = st.floats(0, 60, allow_nan=False).map(lambda s: round(s, 2))
TURNS = st.lists(
    st.builds(
        lambda start, length, who: Turn(start, start + length, who),
        TIMES,
        st.floats(0.1, 10),
        st.sampled_from("ABC"),
    ),
    max_size=8,
)


@st.composite
def transcripts(draw: st.DrawFn) -> list[Segment]:
    at_s, segments, number = 0.0, [], 0
    for count in draw(st.lists(st.integers(0, 8), max_size=4)):
        start_s, words = at_s, []
        for _ in range(count):
            length_s = draw(st.floats(0.02, 1.5))
            end = draw(st.sampled_from(["", ".", "?", ","]))
            words.append(
                Word(at_s, at_s + length_s, f"w{number}{end}", space_before=draw(st.booleans()))
            )
            number, at_s = number + 1, at_s + length_s + draw(st.floats(0, 1.2))
        text = joined(words) or "no words"
        at_s += 0.5
        segments.append(Segment(len(segments), start_s, at_s, text, tuple(words)))
    return segments


@settings(max_examples=60, deadline=None)
@given(transcripts(), TURNS)
def test_no_word_is_lost_doubled_or_moved(segments: list[Segment], turns: list[Turn]):
    found = assigned(segments, turns)
    assert [w for each in found for w in each.words] == [w for each in segments for w in each.words]
    assert [each.id for each in found] == list(range(len(found)))
    assert joined(found) == joined(segments)
    for each in found:
        assert not each.words or each.text == joined(each.words)
        assert each.start_s <= each.end_s


@settings(max_examples=60, deadline=None)
@given(transcripts(), TURNS)
def test_neighbours_of_one_sentence_differ(segments: list[Segment], turns: list[Turn]):
    """So no segment is cut without reason, and none has two speakers to be cut between."""
    for each in segments:
        parts = assigned([each], turns)
        assert all(a.speaker != b.speaker for a, b in itertools.pairwise(parts))
        assert {part.speaker for part in parts} <= {turn.speaker for turn in turns} | {None}
