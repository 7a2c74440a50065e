"""`echostream transcribe`: transcribes files and links in this process."""

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from echostream.cli.common import FAILED, fail, given, settings_of
from echostream.cli.options import (
    Hotwords,
    Insights,
    InsightsLanguage,
    InsightsModel,
    KnownSpeakers,
    Language,
    MaxSpeakers,
    MinSpeakers,
    Model,
    NumSpeakers,
    Prompt,
    RecordedAt,
    Speakers,
    Template,
    asked,
    text_of,
)

if TYPE_CHECKING:
    from echostream.options import UploadOptions
    from echostream.pipeline import Pipeline, Result
    from echostream.settings import Settings
    from echostream.sources import Source

Format = Literal["txt", "srt", "vtt", "json", "md"]


def transcribe(
    sources: Annotated[
        list[str], typer.Argument(metavar="FILE|URL…", help="Audio or video; - reads stdin.")
    ],
    as_format: Annotated[
        Format | None,
        typer.Option("--format", "-f", help="Left out: readable on a terminal, txt in a pipe."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write a file per source into DIR.")
    ] = None,
    model: Model = None,
    language: Language = None,
    prompt: Prompt = None,
    hotwords: Hotwords = None,
    speakers: Speakers = None,
    num_speakers: NumSpeakers = None,
    min_speakers: MinSpeakers = None,
    max_speakers: MaxSpeakers = None,
    known_speakers: KnownSpeakers = None,
    task: Annotated[
        Literal["transcribe", "translate"],
        typer.Option(help="`translate` gives the text in English."),
    ] = "transcribe",
    audio_track: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=99,
            help="The one audio track to listen to, from 0; all are mixed when left out.",
        ),
    ] = None,
    separate_channels: Annotated[
        bool, typer.Option(help="Transcribe each channel apart, as a speaker of its own.")
    ] = False,
    word_timestamps: Annotated[bool, typer.Option("--words", help="Time each word.")] = False,
    insights: Insights = True,
    template: Template = None,
    insights_language: InsightsLanguage = None,
    insights_model: InsightsModel = None,
    recorded_at: RecordedAt = None,
    max_line_chars: Annotated[
        int, typer.Option(min=10, max=200, help="Columns of a line of subtitles (srt, vtt).")
    ] = 42,
    max_cue_seconds: Annotated[
        float, typer.Option(min=1, max=60, help="Longest time a subtitle is shown (srt, vtt).")
    ] = 7.0,
    engine: Annotated[
        Literal["auto", "whisper", "pocketsphinx"] | None, typer.Option(help="ASR_ENGINE")
    ] = None,
) -> None:
    """Transcribe files or URLs to stdout, or into a folder."""
    from echostream.options import UploadOptions

    options = asked(
        UploadOptions,
        language=language,
        prompt=prompt,
        hotwords=hotwords,
        diarize=speakers,
        num_speakers=num_speakers,
        min_speakers=min_speakers,
        max_speakers=max_speakers,
        known_speakers=text_of(known_speakers),
        task=task,
        audio_track=audio_track,
        channels="separate" if separate_channels else "mix",
        word_timestamps=word_timestamps,
        insights=insights,
        template=template,
        insights_language=insights_language,
        insights_model=insights_model,
        recorded_at=recorded_at,
    )
    # A server may offer several models; the engine here is ours alone and has only this one.
    chosen = {"asr_engine": engine, "whisper_model": model}
    settings = settings_of("warning", **given(chosen))
    written = as_format or (None if sys.stdout.isatty() and output is None else "txt")
    targets = _targets(sources, output, written)
    work = _Work(options, written, (max_line_chars, max_cue_seconds))
    if not asyncio.run(_transcribe_all(settings, targets, work)):
        raise typer.Exit(FAILED)


def _targets(
    sources: list[str], output: Path | None, as_format: Format | None
) -> list[tuple[str, Path | None]]:
    """Returns each source with its output file. Fails if two would have the same file."""
    if output is None:
        return [(source, None) for source in sources]
    output.mkdir(parents=True, exist_ok=True)
    targets = [output / f"{_stem(source)}.{as_format}" for source in sources]
    for target in targets:
        if targets.count(target) > 1:
            fail(f"two sources would be written to {target}")
    return list(zip(sources, targets, strict=True))


def _stem(source: str) -> str:
    from urllib.parse import unquote, urlsplit

    if source == "-":
        return "stdin"
    path = unquote(urlsplit(source).path) if _is_url(source) else source
    return Path(path).stem or "audio"


def _is_url(source: str) -> bool:
    return source.lower().startswith(("http://", "https://"))


@dataclass(frozen=True, slots=True)
class _Work:
    """What to do with every source; without a format, readable text is shown."""

    options: "UploadOptions"
    as_format: Format | None
    cue_lengths: tuple[int, float]

    @property
    def insights(self) -> bool:
        """Whether to generate insights: only if the format can hold them."""
        return self.options.insights and self.as_format in (None, "json", "md")


async def _transcribe_all(
    settings: "Settings", targets: list[tuple[str, Path | None]], work: _Work
) -> bool:
    """Returns whether every source was transcribed; if one fails, the rest still run."""
    from echostream.building import local_pipeline
    from echostream.errors import EchoStreamError

    try:
        pipeline = local_pipeline(settings)
    except EchoStreamError as error:
        fail(str(error))
    complete = True
    try:
        for name, target in targets:
            try:
                result = await _with_progress(pipeline, name, work)
            except (EchoStreamError, OSError) as error:
                reason = error.strerror if isinstance(error, OSError) else str(error)
                typer.echo(f"echostream: {name}: {reason}", err=True)
                complete = False
            else:
                _tell_failed_speakers(result, name)
                _write(result, target, work)
    finally:
        await pipeline.aclose()
    return complete


async def _with_progress(pipeline: "Pipeline", name: str, work: _Work) -> "Result":
    from rich.console import Console

    from echostream.show import WorkBar

    # On stderr, and removed when done: stdout is for the transcript alone.
    shown_name = Path(name).name or name
    with _open(name) as source, WorkBar(Console(stderr=True), shown_name) as bar:
        return await pipeline.run(
            source,
            work.options.transcribe_options,
            audio=work.options.audio_options,
            speakers=work.options.speaker_options(by_default=pipeline.diarizes_by_default),
            insights=work.insights,
            insights_options=work.options.insights_options,
            progress=bar.update,
        )


def _tell_failed_speakers(result: "Result", name: str) -> None:
    from echostream.domain import DIARIZATION_FAILED

    for warning in result.transcript.warnings:
        if warning.code == DIARIZATION_FAILED:
            typer.echo(f"echostream: {name}: {warning.message}", err=True)


@contextmanager
def _open(name: str) -> Iterator["Source"]:
    from echostream.sources import Url

    if _is_url(name):
        yield Url(name)
    elif name == "-":
        with tempfile.TemporaryFile() as file:
            # A pipe cannot seek, which several containers need.
            shutil.copyfileobj(sys.stdin.buffer, file)
            yield file
    else:
        with Path(name).open("rb") as opened:
            yield opened


def _write(result: "Result", target: Path | None, work: _Work) -> None:
    from rich.console import Console

    from echostream.exports import CueOptions, export
    from echostream.schema import TranscriptionShape
    from echostream.show import show

    if work.as_format is None:
        show(TranscriptionShape.of(result.transcript, result.insights), Console())
        return
    text = export(
        result.transcript,
        result.insights,
        work.as_format,
        with_words=work.options.word_timestamps,
        cue_options=CueOptions(*work.cue_lengths),
    )
    if target is None:
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        target.write_text(text, encoding="utf-8")
        typer.echo(target, err=True)
