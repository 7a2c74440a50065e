"""Recordings as rows of a list."""

import re
from collections.abc import Iterator, Mapping, Sequence

from echostream_ui.components.recordings import Shown, ShownMatch, selected_in
from echostream_ui.library.media import Media
from echostream_ui.library.search import MARK_END, MARK_START, Match, Row
from echostream_ui.words.languages import language_name
from echostream_ui.words.wording import SENTIMENT_WORDS, STATE_WORDS, clock, day_and_time

_BEFORE_CHARS, _SHOWN_CHARS = 60, 200
_LONG_WORD_CHARS = 30


def row_of(
    row: Row,
    timezone: str | None,
    *,
    matches: Sequence[Match] = (),
    folders: Mapping[str, str] | None = None,
) -> Shown:
    """Returns a row of the store as it is shown, with matches of its own. `folders` are the names
    to show, by id."""
    media = row.media
    found = tuple(_shown(match) for match in matches)
    return Shown(
        id=media.id,
        title=media.title,
        source=media.source_name if media.source_name != media.title else None,
        folder=(folders or {}).get(media.folder or ""),
        date=f"Deleted {day_and_time(media.deleted_at, timezone)}"
        if media.deleted_at
        else day_and_time(media.created_at, timezone),
        length="–" if media.duration_s is None else clock(media.duration_s),
        language=language_name(media.language) if media.language else "–",
        topics=row.topics,
        sentiment=SENTIMENT_WORDS[row.sentiment] if row.sentiment else "–",
        tags=media.tags,
        state=STATE_WORDS[media.state],
        is_done=media.state == "completed",
        matches=found,
        all_matches=row.all_matches,
        query=found[0].query if found else "",
    )


def _shown(match: Match) -> ShownMatch:
    parts = tuple(parts_of(shortened(match.text)))
    return ShownMatch(
        clock=clock(match.start_s),
        at=f"{match.start_s:.3f}".rstrip("0").rstrip("."),
        parts=parts,
        query=next((text for text, is_hit in parts if is_hit), ""),
    )


def shortened(text: str) -> str:
    """Returns a line with marks, or of a long one what is around the first of them."""
    begin = _begin_of(text, text.find(MARK_START) - _BEFORE_CHARS)
    cut = text[begin : begin + _SHOWN_CHARS]
    if begin + _SHOWN_CHARS < len(text):
        # Neither a mark nor a word is cut in two.
        whole = cut[: cut.rfind(MARK_START)] if cut.rfind(MARK_START) > cut.rfind(MARK_END) else cut
        cut = re.sub(rf"(\S)\s+\S{{0,{_LONG_WORD_CHARS}}}$", r"\1", whole) + "…"
    return f"…{cut}" if begin else cut


def _begin_of(text: str, place: int) -> int:
    """The beginning of the word at a place; the place itself where no word begins near, as in
    languages that are written without spaces."""
    if place <= 0:
        return 0
    space = text.rfind(" ", max(0, place - _LONG_WORD_CHARS), place)
    return space + 1 if space >= 0 else place


def parts_of(marked: str) -> Iterator[tuple[str, bool]]:
    """Yields the parts of a text with marks, each with whether it is a hit."""
    first, *rest = marked.split(MARK_START)
    if first:
        yield first, False
    for part in rest:
        hit, _, after = part.partition(MARK_END)
        yield hit, True
        if after:
            yield after, False


def list_key(name: str, rows: Sequence[Row]) -> str:
    """Returns a new key for other rows: the list then forgets the selection among the old ones."""
    return f"{name}_{hash(tuple(row.media.id for row in rows))}"


def chosen_in(key: str, rows: Sequence[Row]) -> list[Media]:
    """Returns the recordings that are selected in the list with this key. What can be done with
    them is above it: drawn after it, it would push the list down."""
    selected = selected_in(key)
    return [row.media for row in rows if row.media.id in selected]
