"""Recordings to fill a library with."""

from datetime import UTC, datetime, timedelta
from typing import Any

from echostream_ui.library.media import Media
from echostream_ui.library.search import Page, Query
from echostream_ui.library.store import Store
from echostream_ui.library.values import Json

MONDAY = datetime(2026, 11, 2, 9, 30, 15, 123456, tzinfo=UTC)


def media(media_id: str = "m1", **more: Any) -> Media:
    values = {"title": "talk.mp3", "created_at": MONDAY, "source": "file"}
    return Media(media_id, **values | {"source_name": "talk.mp3"} | more)


def answer(
    *texts: str,
    title: str | None = None,
    topics: tuple[str, ...] = (),
    sentiment: str = "neutral",
    items: tuple[str, ...] = (),
    duration_s: float = 60.5,
    language: str = "en",
) -> Json:
    """What the API gives, as far as the library looks at it."""
    texts = texts or ("Good morning everybody.",)
    segments = [
        {"id": place, "start": place * 2.0, "end": place * 2.0 + 1.5, "text": f" {text}"}
        for place, text in enumerate(texts)
    ]
    details = {
        "title": title,
        "action_items": [
            {"text": item, "owner": "Ada", "due": None, "evidence": [0]} for item in items
        ],
    }
    insights = {
        "topics": list(topics),
        "sentiment": {"label": sentiment, "score": 0.25},
        "details": details,
    }
    return {
        "transcript": " ".join(texts),
        "language": language,
        "duration": duration_s,
        "segments": segments,
        "insights": insights,
    }


def fill(store: Store, media_id: str, *texts: str, day: int = 0, **more: Any) -> None:
    """A completed recording, `day` days after `MONDAY`."""
    name = more.pop("name", f"{media_id}.mp3")
    tags = more.pop("tags", ())
    made = media(
        media_id,
        title=name,
        source_name=name,
        created_at=MONDAY + timedelta(days=day),
        tags=tags,
    )
    store.add(made, {})
    store.complete(media_id, answer(*texts, **more))


def ids(page: Page) -> list[str]:
    return [row.media.id for row in page.rows]


def found(store: Store, text: str, **more: Any) -> list[str]:
    return ids(store.search(Query(text, **more)))
