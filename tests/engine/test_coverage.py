"""Speech without text is found wherever it lies, in recordings of any length."""

import time

from hypothesis import given
from hypothesis import strategies as st

from echostream.domain import SAMPLE_RATE_HZ
from echostream.engine.coverage import unread
from echostream.engine.vad import Region

_MARGIN_S = 0.3

words = st.lists(
    st.tuples(st.floats(0, 60), st.floats(0, 1), st.just("word")).map(
        lambda word: (word[0], word[0] + word[1], word[2])
    ),
    max_size=30,
)
cuts = st.lists(st.integers(0, 60 * SAMPLE_RATE_HZ), max_size=20, unique=True).map(sorted)


@given(cuts, words)
def test_a_stretch_has_speech_that_no_word_covers(
    cuts: list[int], words: list[tuple[float, float, str]]
) -> None:
    speech = [Region(*pair) for pair in zip(cuts[::2], cuts[1::2], strict=False)]
    found = unread(speech, words, least_s=0)
    for stretch in found:
        for edge in (stretch.start, stretch.end - 1):
            assert any(region.start <= edge < region.end for region in speech)
            assert not any(
                start_s - _MARGIN_S + 1e-3 < edge / SAMPLE_RATE_HZ < end_s + _MARGIN_S - 1e-3
                for start_s, end_s, _text in words
            )
    for region in speech:
        for at in (region.start, (region.start + region.end) // 2, region.end - 1):
            is_covered = any(
                start_s - _MARGIN_S - 1e-3 <= at / SAMPLE_RATE_HZ <= end_s + _MARGIN_S + 1e-3
                for start_s, end_s, _text in words
            )
            assert is_covered or any(stretch.start <= at < stretch.end for stretch in found)


def test_a_day_of_speech_takes_no_longer_a_word_than_an_hour() -> None:
    """24 hours with a word every half second, in regions of two seconds."""
    words = [(0.5 * number, 0.5 * number + 0.3, "word") for number in range(2 * 24 * 3600)]
    speech = [
        Region(2 * number * SAMPLE_RATE_HZ, (2 * number + 1) * SAMPLE_RATE_HZ)
        for number in range(12 * 3600)
    ]
    began_s = time.process_time()
    assert unread(speech, words) == []
    assert time.process_time() - began_s < 20  # with a step for each pair, hours
