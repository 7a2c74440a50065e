"""Windows with people of their own become turns of the whole audio."""

import numpy as np

from echostream.diarization.reconstruction import runs, speaking, stretches
from echostream.diarization.segmentation import STEP_FRAMES, Segmentation

FRAMES = 589


def windows(*people: dict[int, slice]) -> Segmentation:
    """In each window, when each person speaks, in frames of the whole audio."""
    active = np.zeros((len(people), FRAMES, 3), np.bool_)
    for window, spans in enumerate(people):
        for person, span in spans.items():
            start = max(0, span.start - window * STEP_FRAMES)
            active[window, start : max(0, span.stop - window * STEP_FRAMES), person] = True
    return Segmentation(active.astype(np.float16), active)


def turns(segmentation: Segmentation, labels: list[list[int]]) -> list[tuple[int, int, int]]:
    found = stretches(speaking(segmentation, np.array(labels)))
    return [(each.start, each.end, each.speaker) for each in found]


def test_people_of_windows_become_speakers():
    first, second = slice(50, 250), slice(260, 500)
    segmentation = windows({0: first, 1: second}, {0: second, 2: first})
    assert turns(segmentation, [[0, 1, -1], [1, -1, 0]]) == [(50, 250, 0), (260, 500, 1)]


def test_two_who_speak_at_once_both_stay():
    segmentation = windows({0: slice(50, 300), 1: slice(250, 500)})
    assert turns(segmentation, [[0, 1, -1]]) == [(50, 300, 0), (250, 500, 1)]


def test_most_windows_decide():
    span = slice(400, 550)
    segmentation = windows({0: span}, {0: span}, {0: span})
    found = stretches(speaking(segmentation, np.array([[0, -1, -1], [1, -1, -1], [1, -1, -1]])))
    assert [each.speaker for each in found] == [1]
    assert 0.6 < found[0].confidence < 0.7


def test_short_pauses_do_not_end_a_turn():
    segmentation = windows({0: slice(50, 100), 1: slice(300, 400)})
    assert turns(segmentation, [[0, 0, -1]]) == [(50, 100, 0), (300, 400, 0)]
    segmentation = windows({0: slice(50, 100), 1: slice(110, 200)})
    assert turns(segmentation, [[0, 0, -1]]) == [(50, 200, 0)]


def test_runs():
    assert list(runs(np.array([True, True, False, True]))) == [(0, 2), (3, 4)]
    assert list(runs(np.zeros(3, np.bool_))) == []


def test_what_is_never_surely_speech_is_none():
    speech = windows({0: slice(50, 250)})
    assert speech.has_speech
    assert not Segmentation(speech.chances * np.float16(0.6), speech.active).has_speech
    assert not windows({}).has_speech
