"""The command line: `echostream transcribe | live | up | serve | ui | worker | models`.

Imports of anything heavy sit inside the commands, so that `--help` answers at once.
"""

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer

from echostream import __version__

if TYPE_CHECKING:
    from echostream.domain import AudioOptions, TranscribeOptions
    from echostream.pipeline import Pipeline, Result, Source
    from echostream.settings import Settings

app = typer.Typer(
    help="Transcribe audio and video on this machine and draw insights from the transcript.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
models_app = typer.Typer(help="Whisper models on this machine.", no_args_is_help=True)
app.add_typer(models_app, name="models")

Format = Literal["txt", "srt", "vtt", "json", "md"]
_FAILED = 1
_INTERRUPTED = 130


def main() -> None:
    """Entry point of the `echostream` command."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output has seen enough. Python would complain on flushing at exit.
        sys.stderr.close()
        sys.exit(_FAILED)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"echostream {__version__}")
        raise typer.Exit


@app.callback()
def root(
    _version: Annotated[
        bool,
        typer.Option("--version", help="Print it.", is_eager=True, callback=_print_version),
    ] = False,
) -> None:
    """Options of the program itself."""


@app.command()
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
    insights: Annotated[
        bool, typer.Option(help="Insights, where the format has room for them.")
    ] = True,
    language: Annotated[str | None, typer.Option(help="ISO 639-1 code; else detected.")] = None,
    task: Annotated[Literal["transcribe", "translate"], typer.Option()] = "transcribe",
    prompt: Annotated[str | None, typer.Option(help="Names and terms likely to be said.")] = None,
    hotwords: Annotated[
        list[str] | None,
        typer.Option("--hotword", help="A name or term likely to be said; may be repeated."),
    ] = None,
    words: Annotated[bool, typer.Option(help="Time each word (json).")] = False,
    audio_track: Annotated[
        int | None, typer.Option(min=0, help="The audio track to listen to, from 0; else all.")
    ] = None,
    separate_channels: Annotated[
        bool, typer.Option(help="Transcribe each channel apart, as a speaker of its own.")
    ] = False,
    max_line_chars: Annotated[
        int, typer.Option(min=10, max=200, help="Columns of a line of subtitles (srt, vtt).")
    ] = 42,
    max_cue_seconds: Annotated[
        float, typer.Option(min=1, max=60, help="Longest time a subtitle is shown (srt, vtt).")
    ] = 7.0,
    engine: Annotated[
        Literal["auto", "whisper", "pocketsphinx"] | None, typer.Option(help="ASR_ENGINE")
    ] = None,
    model: Annotated[str | None, typer.Option(help="WHISPER_MODEL")] = None,
) -> None:
    """Transcribe files or URLs to stdout, or into a folder."""
    from echostream.domain import AudioOptions, TranscribeOptions

    chosen = {"asr_engine": engine, "whisper_model": model}
    settings = _settings("warning", **_given(chosen))
    options = TranscribeOptions(
        language=language, task=task, prompt=prompt, hotwords=tuple(hotwords or ())
    )
    audio = AudioOptions(audio_track, "separate" if separate_channels else "mix")
    written = as_format or (None if sys.stdout.isatty() and output is None else "txt")
    targets = _targets(sources, output, written)
    with_insights = insights and written in (None, "json", "md")
    lengths = (max_line_chars, max_cue_seconds)
    asked = _Asked(options, audio, written, with_insights, words, lengths)
    if not asyncio.run(_transcribe_all(settings, targets, asked)):
        raise typer.Exit(_FAILED)


@app.command()
def live(
    source: Annotated[str, typer.Argument(metavar="FILE|-", help="- reads a stream from stdin.")],
    url: Annotated[
        str | None, typer.Option(help="Of the server; else the one on this machine.")
    ] = None,
    language: Annotated[str | None, typer.Option(help="ISO 639-1 code; else detected.")] = None,
    rate: Annotated[
        int | None, typer.Option(help="Stdin is raw PCM16, mono, at this rate.")
    ] = None,
    speed: Annotated[
        float, typer.Option(min=0, help="Of a file; 0 sends it as fast as it is taken.")
    ] = 1.0,
    insights: Annotated[bool, typer.Option(help="Insights at the end, on a terminal.")] = True,
) -> None:
    """Send audio to a server as it is spoken, and read along.

    Ctrl-C ends the audio; what was said so far is still transcribed.
    """
    from echostream.errors import EchoStreamError

    settings = _settings("warning")
    start = _given({"language": language, "insights": insights and sys.stdout.isatty()})
    if source != "-" or rate is not None:
        start |= {"ext": "pcm", "sampleRate": rate or 16_000}
    try:
        asyncio.run(_live(settings, source, url, start, speed))
    except BrokenPipeError:
        raise
    except (EchoStreamError, OSError) as error:
        _fail(str(error))


@app.command()
def serve(
    port: Annotated[int | None, typer.Option(help="PORT")] = None,
    host: Annotated[str | None, typer.Option(help="HOST")] = None,
) -> None:
    """Run the API until a signal."""
    from echostream.errors import EchoStreamError

    chosen = {"port": port, "host": host}
    settings = _settings(**_given(chosen))
    if settings.web_concurrency > 1:
        from echostream.web.cluster import serve as run
    else:
        from echostream.web.server import serve as run
    try:
        run(settings)
    except EchoStreamError as error:
        _fail(str(error))


@app.command()
def up() -> None:
    """Run the API and the web frontend until a signal."""
    from echostream import frontend_process
    from echostream.errors import EchoStreamError

    settings = _settings()
    try:
        frontend_process.check_installed()
        with frontend_process.beside(f"http://127.0.0.1:{settings.port}"):
            serve(None, None)
    except EchoStreamError as error:
        _fail(str(error))


@app.command()
def ui() -> None:
    """Run the web frontend alone; `API_BASE_URL` says where the API is."""
    import os

    from echostream import frontend_process
    from echostream.errors import EchoStreamError

    try:
        frontend_process.check_installed()
    except EchoStreamError as error:
        _fail(str(error))
    os.execv(frontend_process.COMMAND[0], frontend_process.COMMAND)  # noqa: S606 - our own program


@app.command(hidden=True)
def member(number: int, folder: Path, descriptor: int) -> None:
    """One of the processes that `serve` starts."""
    from echostream.web.member import serve as run

    run(_settings(), number, folder, descriptor)


@app.command(hidden=True)
def engine(path: Path) -> None:
    """The process that has the model, for all others that `serve` starts."""
    from echostream.cache import load_cache
    from echostream.engine.host import run

    settings = _settings()
    run(settings, path, load_cache(settings))


@app.command()
def worker(
    lifeline: Annotated[
        bool, typer.Option(help="Stop when stdin ends; for programs that start a worker.")
    ] = False,
    engine: Annotated[
        Path | None, typer.Option(help="Socket of an engine to share; else it starts its own.")
    ] = None,
) -> None:
    """Work on the job queue until a signal."""
    from echostream.worker.main import main as run

    raise typer.Exit(run(_settings(), lifeline=lifeline, engine=engine))


@models_app.command("list")
def list_models() -> None:
    """Sizes that can be named in WHISPER_MODEL, and whether each is on this machine."""
    from faster_whisper import available_models
    from rich.console import Console
    from rich.table import Table

    from echostream.engine import hub

    table = Table("model", "on this machine")
    for name in available_models():
        folder = hub.local_folder(name)
        table.add_row(name, str(folder) if folder else "")
    Console().print(table)


@models_app.command("download")
def download_model(
    model: Annotated[str, typer.Argument(help="A size such as base, or a Hub id.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A folder instead of the cache.")
    ] = None,
    timeout_s: Annotated[float, typer.Option(help="Longest wait for the hub to answer.")] = 10.0,
) -> None:
    """Fetch a Whisper model ahead of use, for instance for a machine without a network."""
    from echostream.engine import hub
    from echostream.errors import EchoStreamError

    try:
        folder = hub.download(model, timeout_s=timeout_s, output_dir=output)
    except EchoStreamError as error:
        _fail(str(error))
    typer.echo(folder)


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _settings(log_level: str | None = None, **overrides: Any) -> "Settings":
    """The settings, with logging set up: at `log_level` unless the user has said otherwise."""
    from pydantic import ValidationError

    from echostream.checks import complaint
    from echostream.logs import configure_logging
    from echostream.settings import Settings

    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        _fail(complaint(error))
    chosen = "log_level" in settings.model_fields_set
    configure_logging(settings.log_level if chosen else log_level or settings.log_level)
    return settings


def _fail(message: str) -> NoReturn:
    typer.echo(f"echostream: {message}", err=True)
    raise typer.Exit(_FAILED)


def _targets(
    sources: list[str], output: Path | None, as_format: Format | None
) -> list[tuple[str, Path | None]]:
    """Each source with the file it is written to. Two of one name would overwrite each other."""
    if output is None:
        return [(source, None) for source in sources]
    output.mkdir(parents=True, exist_ok=True)
    targets = [output / f"{_stem(source)}.{as_format}" for source in sources]
    for target in targets:
        if targets.count(target) > 1:
            _fail(f"two sources would be written to {target}")
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
class _Asked:
    """What is wanted of every source; without a format, something readable."""

    options: "TranscribeOptions"
    audio: "AudioOptions"
    as_format: Format | None
    insights: bool
    with_words: bool
    cue_lengths: tuple[int, float]


async def _transcribe_all(
    settings: "Settings",
    targets: list[tuple[str, Path | None]],
    asked: "_Asked",
) -> bool:
    """Whether every source was transcribed; a failed one does not stop those after it."""
    from echostream.errors import EchoStreamError
    from echostream.pipeline import local_pipeline

    try:
        pipeline = local_pipeline(settings)
    except EchoStreamError as error:
        _fail(str(error))
    complete = True
    try:
        for name, target in targets:
            try:
                result = await _with_progress(pipeline, name, asked)
            except (EchoStreamError, OSError) as error:
                reason = error.strerror if isinstance(error, OSError) else str(error)
                typer.echo(f"echostream: {name}: {reason}", err=True)
                complete = False
            else:
                _write(result, target, asked)
    finally:
        await pipeline.aclose()
    return complete


async def _with_progress(pipeline: "Pipeline", name: str, asked: "_Asked") -> "Result":
    from rich.console import Console

    from echostream.show import WorkBar

    # On stderr, and gone when done: stdout is the transcript alone.
    shown_name = Path(name).name or name
    with _open(name) as source, WorkBar(Console(stderr=True), shown_name) as bar:
        return await pipeline.run(
            source,
            asked.options,
            audio=asked.audio,
            insights=asked.insights,
            progress=bar.update,
        )


@contextmanager
def _open(name: str) -> Iterator["Source"]:
    from echostream.pipeline import Url

    if _is_url(name):
        yield Url(name)
    elif name == "-":
        with tempfile.TemporaryFile() as file:
            # A pipe cannot be sought in, which several containers need.
            shutil.copyfileobj(sys.stdin.buffer, file)
            yield file
    else:
        with Path(name).open("rb") as opened:
            yield opened


async def _live(
    settings: "Settings", source: str, url: str | None, start: dict[str, Any], speed: float
) -> None:
    import signal

    from echostream import live_client

    if source == "-":
        pieces = live_client.pieces_of_stdin()
    else:
        pieces = live_client.pieces_of_file(
            Path(source),
            speed=speed,
            max_audio_s=settings.max_audio_seconds,
            timeout_s=settings.decode_timeout_s,
        )
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)
    token = settings.api_bearer_token
    with _growing_text() as show:
        client = live_client.LiveClient(
            url or f"http://127.0.0.1:{settings.port}",
            token.get_secret_value() if token else None,
            start,
            on_partial=lambda told: show(told["text"], told["tentative"], told["lagMs"]),
            on_fault=lambda message: typer.echo(f"echostream: {message}", err=True),
        )
        final = await client.run(live_client.stopped_by(stop, pieces))
    if "error" in final:
        _fail(final["message"])
    if final["insights"]:
        _show_insights(final["insights"])


@contextmanager
def _growing_text() -> Iterator[Callable[[str, str, int], None]]:
    """On a terminal confirmed and tentative text; into a pipe what is confirmed, when it is."""
    from rich.console import Console

    from echostream.show import LiveText

    if sys.stdout.isatty():
        with LiveText(Console()) as text:
            yield text.update
        return

    def write(text: str, _tentative: str, _lag_ms: int) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    yield write
    sys.stdout.write("\n")


def _show_insights(insights: dict[str, Any]) -> None:
    from rich.console import Console

    from echostream.schema import InsightsShape
    from echostream.show import show_insights

    show_insights(InsightsShape.model_validate(insights), Console())


def _write(result: "Result", target: Path | None, asked: "_Asked") -> None:
    from rich.console import Console

    from echostream.exports import CueOptions, export
    from echostream.schema import TranscriptionShape
    from echostream.show import show

    if asked.as_format is None:
        show(TranscriptionShape.of(result.transcript, result.insights), Console())
        return
    text = export(
        result.transcript,
        result.insights,
        asked.as_format,
        with_words=asked.with_words,
        cue_options=CueOptions(*asked.cue_lengths),
    )
    if target is None:
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        target.write_text(text, encoding="utf-8")
        typer.echo(target, err=True)
