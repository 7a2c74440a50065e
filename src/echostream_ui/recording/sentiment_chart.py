"""Sentiment over the time of a recording."""

from collections import Counter
from collections.abc import Mapping, Sequence

import altair as alt

from echostream.domain import SentimentLabel
from echostream_ui.library.search import SENTIMENTS
from echostream_ui.library.transcript import Line
from echostream_ui.library.values import Json
from echostream_ui.words.wording import SENTIMENT_WORDS, clock

SELECTION = "place"
_MOST_BARS = 160
_NEUTRAL_HEIGHT = 0.04
_LONGEST_WORDS = 100
_COLOURS: dict[SentimentLabel, str] = {
    "positive": "#2f9e6e",
    "neutral": "#8b9099",
    "negative": "#d9534f",
}
_CLOCK = (
    "(datum.value >= 3600 ? floor(datum.value / 3600) + ':' : '')"
    " + (datum.value >= 3600 && floor(datum.value / 60) % 60 < 10 ? '0' : '')"
    " + floor(datum.value / 60) % 60 + ':'"
    " + (datum.value % 60 < 10 ? '0' : '') + floor(datum.value % 60)"
)


def bars_of(timeline: Sequence[Json], lines: Mapping[int, Line], end_s: float) -> list[Json]:
    """Returns a bar for each segment, or for a few together if there are many: up is positive, down
    is negative. `line` is the line of the bar's strongest segment."""
    known = [at for at in timeline if at["segment"] in lines]
    if not known:
        return []
    size = -(-len(known) // _MOST_BARS)
    groups = [known[first : first + size] for first in range(0, len(known), size)]
    starts = [lines[group[0]["segment"]].start_s for group in groups]
    return [
        _bar(group, lines, start, end)
        for group, start, end in zip(groups, starts, [*starts[1:], end_s], strict=True)
    ]


def described(timeline: Sequence[Json]) -> str:
    """Returns the chart as a sentence, for users who cannot see it."""
    counts = Counter(at["label"] for at in timeline)
    parts = [f"{counts[label]} {SENTIMENT_WORDS[label].lower()}" for label in SENTIMENTS]
    noun = "segment" if len(timeline) == 1 else "segments"
    return f"{len(timeline)} {noun}: {parts[0]}, {parts[1]} and {parts[2]}."


def chart_of(bars: Sequence[Json]) -> alt.Chart:
    """Returns the chart. Its selection, `SELECTION`, has the `line` of the chosen bar."""
    labels = [SENTIMENT_WORDS[label] for label in SENTIMENTS]
    scale = alt.Scale(domain=labels, range=[_COLOURS[label] for label in SENTIMENTS])
    place = alt.selection_point(name=SELECTION, fields=["line"])
    chart: alt.Chart = (
        alt.Chart(alt.InlineData(values=list(bars)))
        .mark_bar(cursor="pointer", stroke=None)
        .encode(
            x=alt.X(
                "start:Q",
                title=None,
                scale=alt.Scale(nice=False),
                axis=alt.Axis(labelExpr=_CLOCK, grid=False, tickCount=6),
            ),
            x2="end:Q",
            y=alt.Y(
                "low:Q",
                title=None,
                scale=alt.Scale(domain=[-1, 1]),
                axis=alt.Axis(
                    values=[-0.6, 0, 0.6],
                    labelExpr="datum.value > 0 ? 'Positive' : datum.value < 0 ? 'Negative'"
                    " : 'Neutral'",
                    grid=False,
                    ticks=False,
                ),
            ),
            y2="high:Q",
            color=alt.Color("sentiment:N", scale=scale, legend=None),
            tooltip=[
                alt.Tooltip("time:N", title="Time"),
                alt.Tooltip("sentiment:N", title="Sentiment"),
                alt.Tooltip("words:N", title="Text"),
            ],
        )
        .add_params(place)
        .properties(height=190)
    )
    return chart


def _bar(group: Sequence[Json], lines: Mapping[int, Line], start: float, end: float) -> Json:
    weights: Counter[SentimentLabel] = Counter()
    for at in group:
        weights[at["label"]] += at["score"]
    label = max(weights, key=lambda each: weights[each])
    shown = max((at for at in group if at["label"] == label), key=lambda at: at["score"])
    line = lines[shown["segment"]]
    height = weights[label] / len(group)
    low, high = {
        "positive": (0.0, height),
        "neutral": (-_NEUTRAL_HEIGHT, _NEUTRAL_HEIGHT),
        "negative": (-height, 0.0),
    }[label]
    return {
        "line": line.id,
        "start": start,
        "end": max(end, start),
        "low": low,
        "high": high,
        "sentiment": SENTIMENT_WORDS[label],
        "time": clock(line.start_s),
        "words": line.text[:_LONGEST_WORDS],
    }
