"""A library with as many made-up recordings as a test wants."""

import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from echostream_ui.library.store import Json, Media, Store

TOPICS = (
    "budget",
    "security audit",
    "mobile app",
    "hiring",
    "release",
    "customer survey",
    "roadmap",
    "pricing",
    "onboarding",
    "support",
)
_LINES = 8


def seed(store: Store, count: int, *, newest: datetime | None = None) -> list[Media]:
    """Recordings seven hours apart, the newest first; the same in every run."""
    chance = random.Random(1)
    newest = newest or datetime.now(UTC)
    made = []
    for number in range(count):
        topics = chance.sample(TOPICS, 3)
        media = Media(
            id=str(uuid.UUID(int=chance.getrandbits(128), version=4)),
            title=f"{topics[0].capitalize()} and {topics[1]}, no. {number + 1}",
            created_at=newest - timedelta(hours=7 * number),
            source="file",
            source_name=f"recording-{number + 1}.m4a",
            tags=tuple(chance.sample(["team", "client", "weekly"], chance.randint(0, 2))),
        )
        store.add(media, {"language": None})
        store.complete(media.id, _answer(chance, media.title, topics))
        made.append(media)
    return made


def _answer(chance: random.Random, title: str, topics: list[str]) -> Json:
    segments = list(_segments(chance))
    label = chance.choice(["positive", "positive", "neutral", "negative"])
    item = f"Maria will send the {topics[0]} plan to the client."
    return {
        "success": True,
        "transcript": " ".join(segment["text"] for segment in segments),
        "language": chance.choice(["en", "en", "en", "de", "fr"]),
        "duration": chance.uniform(60, 5000),
        "segments": segments,
        "engine": "whisper",
        "model": "base",
        "cached": False,
        "insights": {
            "summary": f"The team talked about {', '.join(topics)}.",
            "topics": topics,
            "action_items": [item],
            "sentiment": {"label": label, "score": 0.7},
            "details": {
                "title": title,
                "key_points": [],
                "decisions": [],
                "questions": [],
                "action_items": [
                    {"text": item, "owner": "Maria", "due": "Friday", "evidence": [1]}
                ],
                "sentiment_timeline": [],
                "meta": {"provider": "extractive", "model": None, "coverage": 1.0},
            },
        },
    }


def _segments(chance: random.Random) -> Iterator[Json]:
    for number in range(_LINES):
        one, other = chance.sample(TOPICS, 2)
        yield {
            "id": number,
            "start": number * 5.0,
            "end": number * 5.0 + 4.5,
            "text": f"We talked about {one} and {other} with the team today.",
            "words": [],
        }
