"""A recording's text as the user sees it: the API's segments with the user's edits."""

from collections.abc import Mapping
from dataclasses import dataclass

from echostream_ui.library.analysis import Analysis
from echostream_ui.library.names import speaker_of
from echostream_ui.library.values import Json


@dataclass(frozen=True, slots=True)
class Line:
    """One segment. `original` is the recognised text; `start_s` and `end_s` count from the start of
    the audio."""

    id: int
    start_s: float
    end_s: float
    text: str
    original: str
    speaker: str | None = None

    @property
    def is_edited(self) -> bool:
        return self.text != self.original


def lines_of(analysis: Analysis) -> tuple[Line, ...]:
    """Returns the lines of an answer, in order of time."""

    def line(segment: Json) -> Line:
        speaker = speaker_of(segment, analysis)
        return Line(
            id=segment["id"],
            start_s=segment["start"],
            end_s=segment["end"],
            text=analysis.edits.get(segment["id"], segment["text"]).strip(),
            original=segment["text"].strip(),
            speaker=analysis.speakers.get(speaker, speaker) if speaker else None,
        )

    return tuple(line(segment) for segment in (analysis.response or {}).get("segments", []))


def edited(analysis: Analysis, changes: Mapping[int, str | None]) -> dict[int, str]:
    """Returns the edits with new texts for some lines. None or the original text undoes an edit."""
    originals = {line.id: line.original for line in lines_of(analysis)}
    after = dict(analysis.edits)
    for line_id, text in changes.items():
        after.pop(line_id, None)
        if text is not None and text.strip() != originals[line_id]:
            after[line_id] = text.strip()
    return after


def text_of(response: Json, edits: Mapping[int, str]) -> str:
    """Returns the whole text, one line per segment."""
    lines = lines_of(Analysis("", {}, response, edits=edits))
    return "\n".join(line.text for line in lines if line.text)


def segments_of(analysis: Analysis) -> list[Json]:
    """Returns the lines with a text, with their speakers' names, as segments that the API takes."""
    response = analysis.response or {}
    told = {each["id"]: each.get("language") for each in response.get("segments", [])}
    # Whatever was spoken, a translation is in English.
    spoken = "en" if analysis.request.get("task") == "translate" else None
    return [
        {
            "id": line.id,
            "start": line.start_s,
            "end": line.end_s,
            "text": line.text,
            "language": spoken or told[line.id] or response.get("language") or None,
            "speaker": line.speaker,
        }
        for line in lines_of(analysis)
        if line.text
    ]


def title_of(insights: Json | None) -> str | None:
    """Returns the title that a language model suggests, if any. The offline insights only quote
    frequent words: a file's own name says more than that."""
    details = (insights or {}).get("details") or {}
    if (details.get("meta") or {}).get("provider") == "extractive":
        return None
    return " ".join((details.get("title") or "").split()) or None
