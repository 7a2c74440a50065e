"""Maps the evidence of insights from the API's segments of a text to our own segments.

The API cuts the text it gets into its own segments, at the ends of sentences and lines. Both kinds
are matched by their position in the text, in characters without spaces, which may have changed.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from echostream_ui.library.store import Json
from echostream_ui.library.transcript import Line


def mapped(insights: Json, found: Sequence[Json], lines: Sequence[Line]) -> Json:
    """Returns the insights with ids of `lines` as evidence, instead of ids of `found`, the segments
    of the API's answer."""
    places = places_of(found, lines)
    details = insights.get("details") or {}
    lists = {
        name: [point | {"evidence": _ids(point["evidence"], places)} for point in details[name]]
        for name in ("key_points", "decisions", "questions", "action_items")
        if name in details
    }
    timeline = _timeline(details.get("sentiment_timeline", []), places)
    return insights | {"details": details | lists | {"sentiment_timeline": timeline}}


def places_of(found: Sequence[Json], lines: Sequence[Line]) -> dict[int, tuple[int, ...]]:
    """Returns, for each segment of the answer, the ids of the lines that its text comes from."""
    ours = _spans((line.id, line.text) for line in lines)
    places: dict[int, tuple[int, ...]] = {}
    first = 0
    for number, start, end in _spans((segment["id"], segment["text"]) for segment in found):
        while first < len(ours) and ours[first][2] <= start:
            first += 1
        last = first
        while last < len(ours) and ours[last][1] < end:
            last += 1
        places[number] = tuple(line_id for line_id, *_ in ours[first:last])
    return places


def _spans(texts: Iterable[tuple[int, str]]) -> list[tuple[int, int, int]]:
    """Returns id, start and end of each non-empty text, in characters without spaces."""
    spans = []
    start = 0
    for number, text in texts:
        end = start + sum(len(word) for word in text.split())
        if end > start:
            spans.append((number, start, end))
        start = end
    return spans


def _ids(evidence: Iterable[int], places: dict[int, tuple[int, ...]]) -> list[int]:
    return sorted({line_id for number in evidence for line_id in places.get(number, ())})


def _timeline(found: Iterable[Json], places: dict[int, tuple[int, ...]]) -> list[Json]:
    """Returns one entry per line. If it has several sentences, the label with most weight wins."""
    weights: dict[int, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for at in found:
        for line_id in places.get(at["segment"], ()):
            weights[line_id][at["label"]].append(at["score"])
    timeline = []
    for line_id, labels in sorted(weights.items()):
        label, scores = max(labels.items(), key=lambda item: sum(item[1]))
        score = round(sum(scores) / len(scores), 3)
        timeline.append({"segment": line_id, "label": label, "score": score})
    return timeline
