"""A library with as many made-up recordings as a test wants."""

import json
import random
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from echostream_ui.library.media import Media
from echostream_ui.library.store import Store
from echostream_ui.library.values import Json

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
_APART = timedelta(hours=7)


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
            created_at=newest - number * _APART,
            source="file",
            source_name=f"recording-{number + 1}.m4a",
            tags=tuple(chance.sample(["team", "client", "weekly"], chance.randint(0, 2))),
        )
        store.add(media, {"language": None})
        store.complete(media.id, _answer(chance, media.title, topics))
        made.append(media)
    return made


def _copied_id(media_id: str, copy: int) -> str:
    return str(uuid.UUID(int=uuid.UUID(media_id).int ^ (copy << 80), version=4))


def _copied_title(title: str, later: int) -> str:
    text, _, number = title.rpartition(" ")
    return f"{text} {int(number) + later}"


def _copied_time(created_at: str, later: int) -> str:
    return (datetime.fromisoformat(created_at) - later * _APART).isoformat()


_COPIED = {
    "media": {
        "number": "number + :count * copy.value",
        "id": f"{_copied_id.__name__}(media.id, copy.value)",
        "title": f"{_copied_title.__name__}(title, :count * copy.value)",
        "created_at": f"{_copied_time.__name__}(created_at, :count * copy.value)",
    },
    "analysis": {"media_id": f"{_copied_id.__name__}(media_id, copy.value)"},
    "search": {
        "rowid": "search.rowid + :count * copy.value",
        "title": f"{_copied_title.__name__}(title, :count * copy.value)",
    },
}


def multiply(folder: Path, times: int) -> None:
    """Copies all recordings of a library until it has `times` as many: older ones, with their own
    titles. Much quicker than `seed`, which adds them one by one."""
    db = sqlite3.connect(folder / "library.db")
    for make in (_copied_id, _copied_title, _copied_time):
        db.create_function(make.__name__, -1, make, deterministic=True)
    with closing(db), db:
        (count,) = db.execute("SELECT count(*) FROM media").fetchone()
        copies = {"count": count, "copies": json.dumps(list(range(1, times)))}
        for table, own in _COPIED.items():
            names = [name for _, name, *_ in db.execute(f"PRAGMA table_info({table})")]
            rest = [name for name in names if name not in own]
            sql = (  # of names and expressions of our own
                f"INSERT INTO {table} ({', '.join([*own, *rest])})"  # noqa: S608
                f" SELECT {', '.join([*own.values(), *rest])}"
                f" FROM {table}, json_each(:copies) AS copy ORDER BY copy.value"
            )
            db.execute(sql, copies)


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
