"""The page that a link shows. It has no script, and everything that people wrote is escaped."""

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from echostream.exports import legible, paragraphs
from echostream_ui.documents.domain import insights_of, transcript_of
from echostream_ui.library.analysis import Analysis
from echostream_ui.library.media import Media
from echostream_ui.words import wording
from echostream_ui.words.languages import language_name

_FOLDER = Path(__file__).parent
_STYLE = (_FOLDER / "page.css").read_text(encoding="utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; media-src 'self'; img-src data:;"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_templates = Environment(
    loader=FileSystemLoader(_FOLDER),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, slots=True)
class Sound:
    """What the page plays: a path relative to its own, and whether it is a video."""

    path: str
    is_video: bool


def page(media: Media, analysis: Analysis, sound: Sound | None, expires_at: datetime | None) -> str:
    """Returns the HTML. It shows the user's edits, names and action items; dates are in UTC."""
    insights = insights_of(analysis, media.title)
    return _templates.get_template("page.html").render(
        style=_STYLE,
        title=legible(media.title),
        facts=_facts(media),
        sound=sound,
        summary=legible(insights.summary) if insights else "",
        items=list(_items(analysis)) if insights else [],
        language=media.language or "",
        paragraphs=list(_paragraphs(analysis)),
        until=wording.day(expires_at, None) if expires_at else None,
    )


def missing() -> str:
    """Returns the HTML for a link that does not work. It is the same whatever the reason."""
    return _templates.get_template("missing.html").render(style=_STYLE)


def _facts(media: Media) -> list[str]:
    facts = [wording.day(media.created_at, None)]
    if media.duration_s is not None:
        facts.append(wording.duration(media.duration_s))
    if media.language:
        facts.append(language_name(media.language))
    return facts


def _items(analysis: Analysis) -> Iterator[dict[str, Any]]:
    insights = insights_of(analysis, "")
    details = insights.details.action_items if insights else ()
    for item, kept in zip(details, analysis.action_items, strict=True):
        known = [item.owner, item.due, wording.iso_day(kept.due_date) if kept.due_date else None]
        about = ", ".join(each for each in known if each)
        yield {"text": legible(item.text), "about": legible(about), "is_done": kept.done}


def _paragraphs(analysis: Analysis) -> Iterator[dict[str, Any]]:
    for number, each in enumerate(paragraphs(transcript_of(analysis).segments)):
        yield {
            "anchor": f"p{number}",
            "time": wording.clock(each.start_s),
            "speaker": legible(each.speaker or ""),
            "text": legible(each.text),
        }
