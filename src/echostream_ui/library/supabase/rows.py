"""Converts the JSON rows of a Supabase project to the library's types."""

from dataclasses import fields
from datetime import datetime
from typing import Any

from echostream_ui.library.analysis import ActionItem, Analysis, Bookmark
from echostream_ui.library.media import Media
from echostream_ui.library.search import Match, Row
from echostream_ui.library.values import Json

MEDIA = tuple(field.name for field in fields(Media))
ANALYSIS = tuple(field.name for field in fields(Analysis))


def rows_of(found: Any) -> list[Json]:
    if not isinstance(found, list):
        raise ValueError("the answer is not a list of rows")
    return found


def media_of(row: Json) -> Media:
    values = {name: row[name] for name in MEDIA}
    for name in ("created_at", "deleted_at"):
        values[name] = datetime.fromisoformat(row[name]) if row[name] else None
    return Media(**values | {"tags": tuple(row["tags"])})


def analysis_of(row: Json) -> Analysis:
    by_segment = {
        name: {int(segment): value for segment, value in row[name].items()}
        for name in ("edits", "line_speakers")
    }
    items = tuple(action_item_of(item) for item in row["action_items"])
    bookmarks = tuple(Bookmark(**each) for each in row.get("bookmarks", ()))
    return Analysis(**row | by_segment | {"action_items": items, "bookmarks": bookmarks})


def analysis_from(media_id: str, found: Json) -> Analysis:
    """Returns an analysis that was kept as JSON, with or without fields that came later."""
    return analysis_of(
        {name: found[name] for name in ANALYSIS if name in found} | {"media_id": media_id}
    )


def action_item_of(found: Json) -> ActionItem:
    return ActionItem(**found | {"evidence": tuple(found.get("evidence", ()))})


def row_of(row: Json) -> Row:
    return Row(
        media=media_of(row),
        topics=tuple(row["topics"]),
        sentiment=row["sentiment"],
        sentiment_score=row["sentiment_score"],
        matches=matches_of(row["matches"]),
        all_matches=row["all_matches"],
    )


def matches_of(found: Any) -> tuple[Match, ...]:
    return tuple(Match(start_s or 0.0, text) for start_s, text in found)
