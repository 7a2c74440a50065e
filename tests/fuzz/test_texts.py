"""Insights of texts that nobody said: bounded, and each with its evidence."""

from hypothesis import given
from hypothesis import strategies as st

from echostream.domain import Transcript
from echostream.insights.offline.extractive import _analyse
from echostream.merging import text_segments
from fuzz.support import share
from insights.offline.rude_texts import TEXTS

units = st.sampled_from(sorted(TEXTS.values())) | st.text(max_size=12)
texts = st.lists(st.tuples(units, st.integers(1, 40)), max_size=8).map(
    lambda parts: "".join(unit * count for unit, count in parts)
)


@share(3)
@given(texts)
def test_insights(text: str) -> None:
    transcript = Transcript(text_segments(text), "en", 0.0, "none", "none")
    known = {segment.id for segment in transcript.segments}
    found = _analyse(transcript)
    details = found.details
    assert len(found.summary) <= max(2_000, 2 * len(text))
    assert -1 <= found.sentiment.score <= 1
    for point in (*details.key_points, *details.decisions, *details.questions):
        assert set(point.evidence) <= known
    for item in details.action_items:
        assert set(item.evidence) <= known
