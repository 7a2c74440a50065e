"""The form of an archive: its names, and what its documents must look like."""

import re
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import from_json

from echostream.domain import SentimentLabel
from echostream_ui.library.analysis import Analysis
from echostream_ui.library.media import UNFINISHED, Media
from echostream_ui.library.store import StoreError
from echostream_ui.library.values import Json

ABOUT = "echostream-library.json"
KIND = "echostream-library"
VERSION = 1

_NAME = re.compile(
    # Ids of recordings are UUIDs. One that begins like another's could reach that one's audio.
    r"recordings/(?P<id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
    r"/(?:(?P<document>recording\.json)|audio(?P<suffix>\.[a-z0-9]{1,10})?)"
)
_SUFFIX = re.compile(r"\.[a-z0-9]{1,10}")


# Jobs are the business of the API that has them, folders and the bin that of the library. Digests
# are found out again from the audio.
ELSEWHERE: Json = {"job_id": None, "folder": None, "deleted_at": None, "sha256": None}
"""What an archive does not say of a recording, and is not believed about one."""


class ArchiveError(StoreError):
    """The archive, or one of its recordings, cannot be used."""


def document_name(media_id: str) -> str:
    return f"recordings/{media_id}/recording.json"


def audio_name(media_id: str, suffix: str) -> str:
    """The name of the audio; a suffix that is none is left out."""
    suffix = suffix.lower()
    return f"recordings/{media_id}/audio{suffix if _SUFFIX.fullmatch(suffix) else ''}"


def parts_of(name: str) -> tuple[str, bool] | None:
    """Returns the recording that a file belongs to, and whether it is its document and not its
    audio. None for a name that no archive has."""
    found = _NAME.fullmatch(name)
    return (found["id"], found["document"] is not None) if found else None


def document(media: Media, analysis: Analysis) -> Json:
    """Returns a recording as JSON."""
    about = asdict(media) | {"created_at": media.created_at.astimezone(UTC).isoformat()}
    return {"media": about | ELSEWHERE, "analysis": asdict(analysis)}


def recording_of(text: bytes, media_id: str) -> tuple[Media, Analysis]:
    """Returns the recording of a document. Raises ArchiveError if anything in it is not what the
    pages can show: whoever wrote the archive need not have been us."""
    try:
        found = from_json(text, allow_inf_nan=False)  # nor can Supabase keep them
        media = _MEDIA.validate_python(found["media"])
        analysis = _ANALYSIS.validate_python(found["analysis"])
        if analysis.response is not None:
            _Response.model_validate(analysis.response)
        if analysis.insights is not None:
            _Insights.model_validate(analysis.insights)
    except (ValidationError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise ArchiveError(f"Recording {media_id} cannot be read.") from error
    is_whole = media.id == analysis.media_id == media_id and media.created_at.tzinfo is not None
    if not is_whole or media.state in UNFINISHED:
        raise ArchiveError(f"Recording {media_id} is not whole.")
    if media.state == "completed" and analysis.response is None:
        raise ArchiveError(f"Recording {media_id} has no transcript.")
    return media, analysis


_MEDIA: TypeAdapter[Media] = TypeAdapter(Media)
_ANALYSIS: TypeAdapter[Analysis] = TypeAdapter(Analysis)


# Only what the pages count on. The rest may be as it likes, as newer answers have more.


class _Word(BaseModel):
    word: str
    start: float
    end: float
    probability: float = 1.0


class _Segment(BaseModel):
    id: int
    start: float
    end: float
    text: str
    speaker: str | None = None
    language: str | None = None
    words: list[_Word] | None = None


class _Speaker(BaseModel):
    id: str
    seconds: float
    name: str | None = None


class _Caution(BaseModel):
    code: str
    message: str
    start: float | None = None
    end: float | None = None


class _Response(BaseModel):
    segments: list[_Segment] = []
    language: str | None = None
    duration: float | None = None
    engine: str | None = None
    model: str | None = None
    languages: list[str] | None = None
    speakers: list[_Speaker] | None = None
    warnings: list[_Caution] | None = None


class _Point(BaseModel):
    text: str
    evidence: list[int] = []


class _Section(BaseModel):
    key: str
    title: str
    items: list[_Point]


class _Sentiment(BaseModel):
    label: SentimentLabel
    score: float


class _SentimentAt(_Sentiment):
    segment: int


class _Details(BaseModel):
    title: str | None = None
    key_points: list[_Point] = []
    decisions: list[_Point] = []
    questions: list[_Point] = []
    action_items: list[_Point] = []
    sections: list[_Section] = []
    sentiment_timeline: list[_SentimentAt] = []
    meta: dict[str, Any] | None = None


class _Written(BaseModel):
    points: list[_Point]
    speakers: Mapping[str, str] = {}


class _Insights(BaseModel):
    summary: str | None = None
    topics: list[str] = []
    sentiment: _Sentiment | None = None
    details: _Details | None = None
    speakers: Mapping[str, str] | None = None
    edited: Mapping[str, _Written] | None = None
    replaced: Mapping[str, _Written] | None = None
