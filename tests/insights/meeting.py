"""A short meeting and what a model answers about it."""

from typing import Any

from echostream.domain import Segment, Transcript


def answer(**changes: Any) -> dict[str, Any]:
    """A model's answer about `meeting()`, with some fields changed."""
    return {
        "title": "Budget and release",
        "summary": "The budget is too high. The release moves to March.",
        "topics": ["budget", "release"],
        "sentiment": {"label": "negative", "score": 0.7},
        "key_points": [{"text": "The budget is too high.", "evidence": [0]}],
        "decisions": [{"text": "Move the release to March.", "evidence": [2]}],
        "questions": [],
        "action_items": [
            {
                "text": "Sarah will send the report to the client by Friday.",
                "owner": "Sarah",
                "due": "Friday",
                "evidence": [1],
            }
        ],
        "sentiment_timeline": [{"segment": 0, "label": "negative", "score": 0.8}],
    } | changes


def meeting() -> Transcript:
    return transcript(
        "The budget is too high.",
        "Sarah will send the report to the client by Friday.",
        "We agreed to move the release to March.",
    )


def transcript(*texts: str, language: str = "en") -> Transcript:
    segments = tuple(Segment(i, 5.0 * i, 5.0 * i + 5, text) for i, text in enumerate(texts))
    return Transcript(segments, language, 5.0 * len(texts), "fake", "fake")
