"""Which segments are read for a question."""

from hypothesis import given, settings
from hypothesis import strategies as st

from echostream.domain import Segment
from echostream.insights.passages import Passages, Recording, find_passages, terms_of


def recording(*texts: str, first_id: int = 0) -> Recording:
    segments = (
        Segment(first_id + number, number, number + 1.0, text) for number, text in enumerate(texts)
    )
    return Recording(tuple(segments))


def places(passages: Passages) -> list[tuple[int, int]]:
    """The recording and the id of each segment that was found."""
    return [(each.recording, each.segment.id) for each in passages.found]


FILLER = [f"Item {number} of the agenda takes its usual course." for number in range(40)]


def found(recordings: list[Recording], question: str, room: int) -> Passages:
    """With one unit of room for each segment."""
    return find_passages(recordings, question, room=room, cost=lambda _segment: 1)


def test_all_is_read_if_it_fits() -> None:
    passages = found([recording("One.", "Two."), recording("Three.")], "what?", 3)
    assert places(passages) == [(0, 0), (0, 1), (1, 0)]
    assert passages.coverage == 1.0


def test_the_best_matches_come_with_their_neighbours_in_order() -> None:
    texts = [*FILLER]
    texts[20] = "The warehouse needs a new roof."
    passages = found([recording(*texts)], "What about the roof of the warehouse?", 5)
    assert places(passages) == [(0, place) for place in range(18, 23)]
    assert 0 < passages.coverage < 0.2


def test_rare_words_weigh_more_than_common_ones() -> None:
    texts = [*FILLER]
    texts[7] = "Then Anouk spoke."
    passages = found([recording(*texts)], "What did Anouk say about the item of the agenda?", 1)
    assert places(passages) == [(0, 7)]


def test_neighbours_are_of_the_same_recording() -> None:
    passages = found(
        [recording(*FILLER), recording("The roof leaks.", "Badly."), recording(*FILLER)], "roof", 2
    )
    assert places(passages) == [(1, 0), (1, 1)]


def test_the_speaker_can_be_asked_for() -> None:
    said = tuple(
        Segment(number, number, number + 1.0, "Yes.", speaker="Ann" if number == 30 else "Bob")
        for number in range(40)
    )
    assert places(found([Recording(said)], "What does Ann think?", 1)) == [(0, 30)]


def test_without_any_match_the_whole_is_sampled_evenly() -> None:
    passages = found([recording(*FILLER)], "xylophone", 5)
    assert places(passages) == [(0, place) for place in (0, 8, 16, 24, 32)]


def test_what_is_too_long_for_the_room_is_passed_over() -> None:
    passages = find_passages(
        [recording("The roof " + "leaks " * 50, "Roof.")],
        "roof",
        room=20,
        cost=lambda segment: len(segment.text),
    )
    assert places(passages) == [(0, 1)]


def test_a_very_long_segment_is_read_in_pieces() -> None:
    said = "and so on " * 5_000 + "the roof leaks " + "and so on " * 5_000
    passages = found([recording("Hello.", said)], "Which roof?", 1)
    assert places(passages) == [(0, 1)]
    assert "the roof leaks" in passages.found[0].segment.text
    assert len(passages.found[0].segment.text) <= 500
    everything = found([recording(said, "x" * 2_500)], "Which roof?", 1_000)
    texts = "".join(each.segment.text for each in everything.found)
    assert texts.replace(" ", "") == (said + "x" * 2_500).replace(" ", "")


def test_nothing_was_said() -> None:
    assert found([recording("", "  ")], "what?", 5) == Passages((), 1.0)


def test_word_forms_count_as_the_same_word() -> None:
    assert terms_of("Ships, shipped, SHIPPING") == ["ship"] * 3
    assert terms_of("moves move moving moved") == ["mov"] * 4
    assert terms_of("calls called call") == ["cal"] * 3
    assert terms_of("MÜLLER, as") == ["müller", "as"]


def test_scripts_without_spaces_are_compared_by_pairs() -> None:
    texts = ["今日は天気がいいです。"] * 20
    texts[11] = "倉庫の屋根が壊れています。"
    assert places(found([recording(*texts)], "屋根はどうですか", 1)) == [(0, 11)]


@settings(deadline=None)
@given(st.lists(st.lists(st.text(max_size=30), max_size=8), max_size=4), st.text(), st.integers(0))
def test_passages_are_in_order_fit_and_exist(
    texts: list[list[str]], question: str, room: int
) -> None:
    recordings = [recording(*each) for each in texts]
    passages = found(recordings, question, room)
    keys = [(each.recording, each.order) for each in passages.found]
    assert keys == sorted(set(keys))
    assert len(keys) <= room
    for each in passages.found:
        said = recordings[each.recording].segments[each.segment.id].text
        assert each.segment.text.strip()
        assert each.segment.text in said
    assert 0 <= passages.coverage <= 1
