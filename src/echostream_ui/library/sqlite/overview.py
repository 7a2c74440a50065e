"""Totals over all recordings, and the open action items."""

import json
from datetime import date, datetime

from echostream_ui.library.overview import OpenItem, Overview, TopicInWeek
from echostream_ui.library.sqlite.database import Database
from echostream_ui.library.sqlite.rows import action_item, week_of

_MONDAY = "date(substr(created_at, 1, 10), '-6 days', 'weekday 1')"  # SQLite rounds up seconds
_COUNTED = (
    "FROM media JOIN analysis ON media_id = media.id"
    " WHERE deleted_at IS NULL AND state = 'completed'"
)


def overview(db: Database, since: date | None, topics: int) -> Overview:
    after = f"{_COUNTED} AND created_at >= ?"
    begin = (since or date.min).isoformat()
    weeks = db.rows(
        f"SELECT {_MONDAY} AS monday, count(*) AS recordings,"
        " total(duration_s) AS duration_s, total(sentiment = 'positive') AS positive,"
        " total(sentiment = 'neutral') AS neutral, total(sentiment = 'negative') AS negative"
        f" {after} GROUP BY monday ORDER BY monday",
        begin,
    )
    languages = db.rows(
        f"SELECT language, count(*) AS n {after} AND language IS NOT NULL"
        " GROUP BY language ORDER BY n DESC, language",
        begin,
    )
    items = db.rows(
        "SELECT total(NOT json_extract(each.value, '$.done')) AS open,"
        " total(json_extract(each.value, '$.done')) AS done"
        f" {after.replace('WHERE', ', json_each(action_items) AS each WHERE')}",
        begin,
    )[0]
    return Overview(
        recordings=sum(week["recordings"] for week in weeks),
        duration_s=sum(week["duration_s"] for week in weeks),
        weeks=tuple(week_of(row) for row in weeks),
        topics=_topics(db, after, begin, topics),
        languages=tuple((row["language"], row["n"]) for row in languages),
        open_items=int(items["open"]),
        done_items=int(items["done"]),
    )


def _topics(db: Database, after: str, begin: str, limit: int) -> tuple[TopicInWeek, ...]:
    each = after.replace("WHERE", ", json_each(topics) AS each WHERE")
    found = db.rows(
        f"WITH said AS (SELECT each.value AS topic, {_MONDAY} AS monday {each}),"
        " top AS (SELECT topic, count(*) AS n FROM said GROUP BY topic"
        "         ORDER BY n DESC, topic LIMIT ?)"
        " SELECT said.topic, monday, count(*) AS recordings FROM said JOIN top"
        " ON top.topic = said.topic GROUP BY said.topic, monday"
        " ORDER BY top.n DESC, said.topic, monday",
        begin,
        limit,
    )
    return tuple(
        TopicInWeek(row["topic"], date.fromisoformat(row["monday"]), row["recordings"])
        for row in found
    )


def open_items(db: Database, limit: int) -> list[OpenItem]:
    found = db.rows(
        "SELECT media.id, title, created_at, each.key AS place, each.value AS item"
        " FROM media JOIN analysis ON media_id = media.id, json_each(action_items) AS each"
        " WHERE deleted_at IS NULL AND state = 'completed'"
        " AND NOT json_extract(each.value, '$.done')"
        " ORDER BY created_at DESC, media.id, place LIMIT ?",
        limit,
    )
    return [
        OpenItem(
            media_id=row["id"],
            media_title=row["title"],
            created_at=datetime.fromisoformat(row["created_at"]),
            index=row["place"],
            item=action_item(json.loads(row["item"])),
        )
        for row in found
    ]
