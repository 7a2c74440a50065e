"""What documents with headings have in them, be it Word or PDF."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from echostream.domain import ActionItem, Insights, Transcript
from echostream_ui.library.media import Media
from echostream_ui.words import wording
from echostream_ui.words.languages import language_name


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, and paragraphs or the points of a list."""

    heading: str
    entries: tuple[str, ...]
    is_list: bool = False


def facts(media: Media, transcript: Transcript, timezone: str | None) -> list[str]:
    """Date, duration and language, as far as they are known."""
    known = [wording.day_and_time(media.created_at, timezone)]
    if media.duration_s is not None:
        known.append(wording.duration(media.duration_s))
    if transcript.language:
        known.append(language_name(transcript.language))
    return known


def sections(insights: Insights, done: Sequence[bool]) -> Iterator[Section]:
    """Yields the sections of the insights that have an entry. `done` says of each action item
    whether it is ticked off."""
    details = insights.details
    if insights.summary:
        yield Section("Summary", (insights.summary,))
    if insights.topics:
        yield Section("Topics", (", ".join(insights.topics),))
    for heading, entries in (
        ("Key points", [point.text for point in details.key_points]),
        ("Decisions", [point.text for point in details.decisions]),
        ("Action items", list(map(item_line, details.action_items, done))),
        ("Questions", [point.text for point in details.questions]),
        *((each.title, [point.text for point in each.items]) for each in details.sections),
    ):
        if entries:
            yield Section(heading, tuple(entries), is_list=True)
    yield Section("Sentiment", (wording.SENTIMENT_WORDS[insights.sentiment.label],))


def item_line(item: ActionItem, done: bool) -> str:
    """An action item as a line: `☐ Ship it (Ann, Friday)`."""
    known = ", ".join(str(part) for part in (item.owner, item.due, item.due_date) if part)
    return f"{'☑' if done else '☐'} {item.text}{f' ({known})' if known else ''}"
