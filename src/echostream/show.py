"""Shows transcriptions in a terminal."""

from collections.abc import Iterable
from typing import Self

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column, Table
from rich.text import Text

from echostream.domain import Step
from echostream.schema import (
    ActionItemShape,
    InsightsShape,
    PointShape,
    SegmentShape,
    TranscriptionShape,
)

_SENTIMENT_STYLE = {"positive": "green", "neutral": "yellow", "negative": "red"}


def show(result: TranscriptionShape, console: Console) -> None:
    """Prints the transcript and the insights."""
    console.print(_transcript(result))
    if result.insights is not None:
        show_insights(result.insights, console)


def show_segments(segments: list[SegmentShape], console: Console) -> None:
    """Prints the segments, with their times and speakers."""
    console.print(_lines(segments))


def show_insights(insights: InsightsShape, console: Console) -> None:
    """Prints only the insights."""
    console.print(_insights(insights))


def _transcript(result: TranscriptionShape) -> RenderableType:
    nothing = Text("No speech was found.", style="dim")
    body: RenderableType = _lines(result.segments) if result.segments else nothing
    made_by = f"{result.engine} {result.model}"
    title = f"Transcript, {_clock(result.duration)}, {result.language}, by {made_by}"
    return Panel(body, title=title, title_align="left")


def _lines(segments: list[SegmentShape]) -> RenderableType:
    lines = Table.grid(padding=(0, 2))
    lines.add_column(style="dim", no_wrap=True)
    lines.add_column()
    for segment in segments:
        name = f"{segment.speaker}: " if segment.speaker else ""
        lines.add_row(_clock(segment.start), Text.assemble((name, "bold"), segment.text))
    return lines


def _insights(insights: InsightsShape) -> RenderableType:
    details, meta = insights.details, insights.details.meta
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="bold", no_wrap=True)
    rows.add_column()
    sentiment = insights.sentiment
    label = Text(sentiment.label, style=_SENTIMENT_STYLE[sentiment.label])
    sections: list[tuple[str, RenderableType | None]] = [
        ("Summary", Text(insights.summary) if insights.summary else None),
        ("Topics", Text(", ".join(insights.topics)) if insights.topics else None),
        ("Decisions", _points(details.decisions)),
        ("Action items", _points(details.action_items)),
        ("Questions", _points(details.questions)),
        *((section.title, _points(section.items)) for section in details.sections),
        ("Sentiment", Text.assemble(label, f" ({sentiment.score:.2f})")),
    ]
    for heading, content in sections:
        if content is not None:
            rows.add_row(Text(heading), content)  # as text, because a title may look like markup
    by = meta.provider if meta.model is None else f"{meta.provider} {meta.model}"
    notes = [Text(f"Stand-in insights: {meta.degraded_reason}", "yellow")] if meta.degraded else []
    return Panel(Group(rows, *notes), title=f"Insights, by {by}", title_align="left")


def _points(points: list[PointShape] | list[ActionItemShape]) -> RenderableType | None:
    if not points:
        return None
    return Group(
        *(Text.assemble("• ", point.text, (_who_and_when(point), "cyan")) for point in points)
    )


def _who_and_when(point: PointShape) -> str:
    if not isinstance(point, ActionItemShape):
        return ""
    known = [part for part in (point.owner, point.due, point.due_date) if part]
    return f"  [{', '.join(known)}]" if known else ""


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class LiveText:
    """Live text in a terminal: confirmed text, the part that may still change, and the delay."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, auto_refresh=False, vertical_overflow="visible")
        self._pieces: list[str] = []
        self._speakers: dict[int, str] = {}

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.update(self._spoken(), refresh=True)
        self._live.stop()

    def update(
        self, text: str, tentative: str, lag_ms: int, labels: Iterable[tuple[int, str]] = ()
    ) -> None:
        """Appends `text`; `tentative` replaces the previous one. `labels` are speakers of texts,
        which are counted from 1."""
        if text:
            self._pieces.append(text)
        self._speakers.update(labels)
        behind = (f"  {lag_ms / 1000:.1f} s behind", "dim cyan")
        shown = Text.assemble(self._spoken(), " ", (tentative, "dim"), behind)
        self._live.update(shown, refresh=True)

    def _spoken(self) -> Text:
        """The confirmed text, with a new line where another speaker is known to begin."""
        shown = Text()
        last: str | None = None
        for number, piece in enumerate(self._pieces, start=1):
            speaker = self._speakers.get(number, last)
            if speaker != last:
                shown.append("\n" if shown else "").append(f"{speaker}: ", "bold")
                piece = piece.lstrip()
            shown.append(piece)
            last = speaker
        return shown


class WorkBar:
    """Progress of one source, with the end of its text below: two lines, which disappear when it is
    done. Shows nothing if there is no terminal."""

    def __init__(self, console: Console, name: str) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn(
                "{task.description}",
                markup=False,  # a file name may look like markup
                table_column=Column(ratio=2, no_wrap=True, overflow="ellipsis"),
            ),
            TextColumn("{task.fields[stage]}"),
            BarColumn(None, table_column=Column(ratio=1)),
            TextColumn("{task.fields[share]:>4}"),
            TextColumn("{task.fields[left]:>12}"),
            console=console,
            expand=True,
        )
        # Without a total, the bar only shows that work is going on.
        self._task = self._bar.add_task(name, total=None, stage="", share="", left="")
        self._text = ""
        self._live = Live(
            console=console, transient=True, get_renderable=self._render, vertical_overflow="crop"
        )

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def update(self, step: Step) -> None:
        """Shows the step at the next refresh. May be called from any thread."""
        is_counted = step.stage in ("transcribing", "diarizing")
        self._text = step.text or self._text
        self._bar.update(
            self._task,
            stage=step.stage,
            total=1.0 if is_counted else None,
            completed=step.share,
            share=f"{step.share:.0%}" if is_counted else "",
            left="" if step.left_s is None else f"{_clock(step.left_s)} left",
        )

    def _render(self) -> RenderableType:
        return Group(self._bar, Text(_end_of(self._text, self._console.width), style="dim"))


def _end_of(text: str, width: int) -> str:
    """Returns the end of a text as one line of at most `width` cells."""
    line = " ".join(text[-2 * width :].split())
    is_cut = len(text) > 2 * width or cell_len(line) > width
    while line and cell_len(line) + is_cut > width:
        line = line[1:]
    return f"…{line}" if is_cut else line
