"""A transcript as text, subtitles, JSON or Markdown."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal, get_args

from echostream.domain import ActionItem, Insights, Point, Transcript
from echostream.exports.cues import Cue, CueOptions, cues
from echostream.exports.escaping import in_markdown, in_srt, in_vtt, one_line
from echostream.exports.paragraphs import paragraphs
from echostream.schema import TranscriptionShape

ExportFormat = Literal["txt", "srt", "vtt", "json", "md"]
FORMATS: tuple[ExportFormat, ...] = get_args(ExportFormat)


@dataclass(frozen=True, slots=True)
class TextOptions:
    """What stands beside the text. `times` is None where each format has its usual: Markdown has
    times, plain text has none. Subtitles always have times."""

    times: bool | None = None
    speakers: bool = True


_PLAIN = TextOptions()


def export(
    transcript: Transcript,
    insights: Insights | None,
    as_format: ExportFormat,
    *,
    with_words: bool = True,
    cue_options: CueOptions = CueOptions(),  # noqa: B008 - frozen
    text_options: TextOptions = _PLAIN,
) -> str:
    """The document in one format, with a newline at its end. Its readers show the text and do
    nothing else with it.

    Subtitles and text have no insights. `with_words` says whether JSON has word times;
    `cue_options` apply to subtitles, `text_options` to all but JSON.
    """
    writers: dict[ExportFormat, Callable[[], str]] = {
        "txt": lambda: to_txt(transcript, text_options),
        "srt": lambda: to_srt(transcript, cue_options, with_names=text_options.speakers),
        "vtt": lambda: to_vtt(transcript, cue_options, with_names=text_options.speakers),
        "json": lambda: to_json(transcript, insights, with_words=with_words),
        "md": lambda: to_markdown(transcript, insights, options=text_options),
    }
    return writers[as_format]()


def to_txt(transcript: Transcript, options: TextOptions = _PLAIN) -> str:
    """One line per paragraph, after its time if that is wanted, and the name of its speaker if that
    is known."""
    lines = []
    for each in paragraphs(transcript.segments):
        time = f"{_clock(each.start_s, '.')[:8]} " if options.times else ""
        name = f"{each.speaker}: " if each.speaker and options.speakers else ""
        lines.append(one_line(f"{time}{name}{each.text}") + "\n")
    return "".join(lines)


_DEFAULT = CueOptions()


def to_srt(
    transcript: Transcript, options: CueOptions = _DEFAULT, *, with_names: bool = True
) -> str:
    """SubRip: numbered from 1, a comma before the milliseconds, a name when the speaker changes."""
    end_s = _end_of(transcript)
    found = cues(transcript.segments, options, duration_s=end_s, with_names=with_names)
    return "\n".join(
        f"{number}\n{_times(cue, ',')}\n{in_srt(_text(cue))}\n"
        for number, cue in enumerate(found, start=1)
    )


def to_vtt(
    transcript: Transcript, options: CueOptions = _DEFAULT, *, with_names: bool = True
) -> str:
    """WebVTT: `&` and `<` are escaped, speakers are its voices."""
    found = cues(transcript.segments, options, duration_s=_end_of(transcript))
    return "WEBVTT\n" + "".join(
        f"\n{_times(cue, '.')}\n{_voice(cue) if with_names else ''}{in_vtt(_text(cue))}\n"
        for cue in found
    )


def _end_of(transcript: Transcript) -> float:
    """The end of the audio or of the last segment; infinite if the length is unknown."""
    last_s = max((segment.end_s for segment in transcript.segments), default=0.0)
    return max(transcript.duration_s, last_s) if transcript.duration_s else float("inf")


def _times(cue: Cue, mark: str) -> str:
    return f"{_clock(cue.start_s, mark)} --> {_clock(cue.end_s, mark)}"


def _text(cue: Cue) -> str:
    return "\n".join(cue.lines)


def _voice(cue: Cue) -> str:
    name = in_vtt(one_line(cue.speaker or "")).replace(">", "&gt;")
    return f"<v {name}>" if name else ""


def to_json(transcript: Transcript, insights: Insights | None, *, with_words: bool = True) -> str:
    """The same JSON as in the API's answers."""
    shape = TranscriptionShape.of(transcript, insights, with_words=with_words)
    return shape.model_dump_json(indent=2) + "\n"


def to_markdown(
    transcript: Transcript,
    insights: Insights | None,
    *,
    done: Collection[int] = (),
    options: TextOptions = _PLAIN,
) -> str:
    """Insights first, then the transcript with a time before each paragraph. `done` has the indices
    of the action items that are ticked off."""
    with_times = options.times is not False
    parts = [_insights_as_markdown(insights, done)] if insights else ["# Transcript\n"]
    if insights:
        parts.append("## Transcript\n")
    for each in paragraphs(transcript.segments):
        time = f"**{_clock(each.start_s, '.')[:8]}** " if with_times else ""
        named = each.speaker and options.speakers
        name = f"**{in_markdown(each.speaker or '')}:** " if named else ""
        parts.append(f"{time}{name}{in_markdown(each.text)}\n")
    return "\n".join(parts)


def _insights_as_markdown(insights: Insights, done: Collection[int]) -> str:
    details = insights.details
    items = [
        f"[{'x' if place in done else ' '}] {in_markdown(item.text + _in_brackets(item))}"
        for place, item in enumerate(details.action_items)
    ]
    sections = [
        ("Summary", [in_markdown(insights.summary)] if insights.summary else [], ""),
        ("Topics", [in_markdown(", ".join(insights.topics))] if insights.topics else [], ""),
        ("Key points", _texts(details.key_points), "- "),
        ("Decisions", _texts(details.decisions), "- "),
        ("Action items", items, "- "),
        ("Questions", _texts(details.questions), "- "),
        *((in_markdown(each.title), _texts(each.items), "- ") for each in details.sections),
        ("Sentiment", [f"{insights.sentiment.label} ({insights.sentiment.score:.2f})"], ""),
    ]
    lines = [f"# {in_markdown(details.title) or 'Transcript'}\n"]
    for heading, entries, bullet in sections:
        if entries:
            lines.append(f"## {heading}\n")
            lines.append("".join(f"{bullet}{entry}\n" for entry in entries))
    return "\n".join(lines)


def _texts(points: tuple[Point, ...]) -> list[str]:
    return [in_markdown(point.text) for point in points]


def _in_brackets(item: ActionItem) -> str:
    known = [str(part) for part in (item.owner, item.due, item.due_date) if part]
    return f" ({', '.join(known)})" if known else ""


def _clock(seconds: float, decimal_mark: str) -> str:
    milliseconds = round(max(0.0, seconds) * 1000)
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    whole, millis = divmod(rest, 1000)
    return f"{hours:02}:{minutes:02}:{whole:02}{decimal_mark}{millis:03}"
