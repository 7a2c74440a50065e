"""Where turns start and stop, by speech probabilities of 32 ms each."""

from echostream.streaming.turn_detection import Change, TurnDetection, TurnDetector

QUIET, UNSURE, LOUD = 0.1, 0.4, 0.9


def changes(chances: list[float], wanted: TurnDetection) -> dict[int, Change]:
    detector = TurnDetector(wanted)
    noted = {number: detector.note(chance) for number, chance in enumerate(chances)}
    return {number: change for number, change in noted.items() if change}


def test_a_turn_stops_after_the_silence() -> None:
    wanted = TurnDetection(silence_duration_ms=320)
    found = changes([QUIET] * 5 + [LOUD] * 5 + [QUIET] * 20 + [LOUD], wanted)
    assert found == {5: Change.STARTED, 19: Change.STOPPED, 30: Change.STARTED}


def test_a_shorter_pause_belongs_to_the_turn() -> None:
    wanted = TurnDetection(silence_duration_ms=320)
    found = changes([LOUD, *[QUIET] * 9] * 4 + [QUIET], wanted)
    assert found == {0: Change.STARTED, 40: Change.STOPPED}


def test_it_takes_less_to_go_on_than_to_start() -> None:
    wanted = TurnDetection(silence_duration_ms=64)
    found = changes([UNSURE] * 3 + [LOUD] + [UNSURE] * 50 + [QUIET] * 2, wanted)
    assert found == {3: Change.STARTED, 55: Change.STOPPED}


def test_the_threshold() -> None:
    assert changes([LOUD] * 9, TurnDetection(threshold=0.95)) == {}
    assert changes([QUIET] * 9, TurnDetection(threshold=0.05)) == {0: Change.STARTED}


def test_no_silence_at_all_is_a_frame() -> None:
    wanted = TurnDetection(silence_duration_ms=0)
    assert changes([LOUD, LOUD, QUIET], wanted) == {0: Change.STARTED, 2: Change.STOPPED}


def test_a_turn_that_has_begun_elsewhere() -> None:
    detector = TurnDetector(TurnDetection(silence_duration_ms=32), is_speaking=True)
    assert [detector.note(LOUD), detector.note(QUIET)] == [None, Change.STOPPED]
