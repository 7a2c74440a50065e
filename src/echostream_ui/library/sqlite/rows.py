"""Converts between rows of the local library's tables and the library's types."""

import json
import sqlite3
from dataclasses import asdict, fields
from datetime import UTC, date, datetime

from echostream_ui.library.analysis import ActionItem, Analysis, Bookmark
from echostream_ui.library.media import Media
from echostream_ui.library.overview import Week
from echostream_ui.library.search import Row
from echostream_ui.library.values import Json, storable

MEDIA = ", ".join(f"media.{field.name}" for field in fields(Media))
"""The columns that `media_of` needs."""

_MOMENTS = ("created_at", "deleted_at")


def action_item(found: Json) -> ActionItem:
    """Returns an action item from its JSON."""
    return ActionItem(**found | {"evidence": tuple(found.get("evidence", ()))})


def moment_column(moment: datetime) -> str:
    """All of them are in UTC, so that they sort as text."""
    return moment.astimezone(UTC).isoformat()


def media_columns(changes: Json) -> Json:
    """Returns fields of `Media` as columns."""
    columns: Json = storable(changes)
    for name in _MOMENTS:
        if changes.get(name):
            columns[name] = moment_column(changes[name])
    if "tags" in changes:
        columns["tags"] = json.dumps(columns["tags"], ensure_ascii=False)
    return columns


def analysis_columns(changes: Json) -> Json:
    """Returns fields of `Analysis` as columns, together with the columns derived from them."""
    columns = dict(changes)
    for name in ("action_items", "bookmarks"):
        if name in changes:
            columns[name] = [asdict(each) for each in changes[name]]
    columns = storable(columns)
    columns = {name: json.dumps(value, ensure_ascii=False) for name, value in columns.items()}
    if "insights" in changes:
        insights = storable(changes["insights"]) or {}
        sentiment = insights.get("sentiment") or {}
        columns |= {
            "topics": json.dumps(insights.get("topics", []), ensure_ascii=False),
            "sentiment": sentiment.get("label"),
            "sentiment_score": sentiment.get("score"),
        }
    return columns


def media_of(row: sqlite3.Row) -> Media:
    values = {field.name: row[field.name] for field in fields(Media)}
    for name in _MOMENTS:
        values[name] = datetime.fromisoformat(values[name]) if values[name] else None
    values["tags"] = tuple(json.loads(values["tags"]))
    return Media(**values)


def analysis_of(row: sqlite3.Row) -> Analysis:
    return analysis_from(
        row["media_id"], {name: json.loads(row[name] or "null") for name in ANALYSIS}
    )


def analysis_from(media_id: str, found: Json) -> Analysis:
    """Returns an analysis from its fields as JSON."""
    values = {name: found[name] for name in ANALYSIS if name in found}
    for name in _BY_SEGMENT & values.keys():
        values[name] = {int(segment): value for segment, value in values[name].items()}
    values["action_items"] = tuple(action_item(item) for item in values["action_items"])
    values["bookmarks"] = tuple(Bookmark(**each) for each in values.get("bookmarks", ()))
    return Analysis(**values | {"media_id": media_id})


ANALYSIS = tuple(field.name for field in fields(Analysis) if field.name != "media_id")
_BY_SEGMENT = {"edits", "line_speakers"}


def row_of(row: sqlite3.Row) -> Row:
    return Row(
        media=media_of(row),
        topics=tuple(json.loads(row["topics"])),
        sentiment=row["sentiment"],
        sentiment_score=row["sentiment_score"],
    )


def week_of(row: sqlite3.Row) -> Week:
    return Week(
        monday=date.fromisoformat(row["monday"]),
        recordings=row["recordings"],
        duration_s=row["duration_s"],
        positive=int(row["positive"]),
        neutral=int(row["neutral"]),
        negative=int(row["negative"]),
    )
