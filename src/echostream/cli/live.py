"""`echostream live`: sends audio to a server as it is spoken, and shows the text."""

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from echostream.cli.common import fail, given, settings_of
from echostream.cli.options import (
    FinalPass,
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
    from echostream.settings import Settings


def live(
    source: Annotated[str, typer.Argument(metavar="FILE|-", help="- reads a stream from stdin.")],
    url: Annotated[
        str | None, typer.Option(help="Of the server; else the one on this machine.")
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
    insights: Insights = True,
    final_pass: FinalPass = True,
    template: Template = None,
    insights_language: InsightsLanguage = None,
    insights_model: InsightsModel = None,
    recorded_at: RecordedAt = None,
    separate_channels: Annotated[
        bool, typer.Option(help="Transcribe each channel apart, as a speaker of its own.")
    ] = False,
    rate: Annotated[
        int | None, typer.Option(help="Stdin is raw audio at this rate, PCM16 by default.")
    ] = None,
    encoding: Annotated[
        Literal["pcm", "pcmu", "pcma"] | None,
        typer.Option(help="Stdin is raw audio: PCM16, or µ-law or A-law of telephones."),
    ] = None,
    channel_count: Annotated[
        int | None,
        typer.Option(min=1, max=16, help="Of stdin; else 2 if they are separate, and 1 if not."),
    ] = None,
    speed: Annotated[
        float, typer.Option(min=0, help="Of a file; 0 sends it as fast as it is taken.")
    ] = 1.0,
) -> None:
    """Send audio to a server as it is spoken, and read along.

    Ctrl-C ends the audio; what was said so far is still transcribed.
    """
    from echostream.errors import EchoStreamError
    from echostream.options import LiveOptions

    settings = settings_of("warning")
    options = asked(
        LiveOptions,
        model=model,
        language=language,
        prompt=prompt,
        hotwords=hotwords,
        diarize=speakers,
        num_speakers=num_speakers,
        min_speakers=min_speakers,
        max_speakers=max_speakers,
        known_speakers=text_of(known_speakers),
        # A pipe gets what was said live, and that alone.
        insights=insights and sys.stdout.isatty(),
        final_pass=final_pass and sys.stdout.isatty(),
        channels="separate" if separate_channels else "mix",
        template=template,
        insights_language=insights_language,
        insights_model=insights_model,
        recorded_at=recorded_at,
    )
    start = options.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    if source != "-":
        start |= {"ext": "pcm"}
    elif rate is not None or encoding is not None:
        start |= given({"ext": encoding or "pcm", "sampleRate": rate})
    start |= given({"channelCount": channel_count})
    try:
        asyncio.run(_live(settings, source, url, start, speed))
    except BrokenPipeError:
        raise
    except (EchoStreamError, OSError) as error:
        fail(str(error))


async def _live(
    settings: "Settings", source: str, url: str | None, start: dict[str, Any], speed: float
) -> None:
    import signal

    from echostream import live_client

    if source == "-":
        pieces = live_client.pieces_of_stdin()
    else:
        samples = await live_client.samples_of_file(
            Path(source),
            max_audio_s=settings.max_audio_seconds,
            timeout_s=settings.decode_timeout_s,
            apart=start.get("channels") == "separate",
        )
        start |= {"channelCount": len(samples)}
        pieces = live_client.pieces_of(samples, speed=speed)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)
    token = settings.api_bearer_token
    with _growing_text() as show:
        client = live_client.LiveClient(
            url or f"http://127.0.0.1:{settings.port}",
            token.get_secret_value() if token else None,
            start,
            on_partial=show,
            on_fault=lambda message: typer.echo(f"echostream: {message}", err=True),
        )
        final = await client.run(live_client.stopped_by(stop, pieces))
    if "error" in final:
        fail(final["message"])
    _show_final(final)
    if final["insights"]:
        _show_insights(final["insights"])
    if client.is_cut:
        fail("the server ended the session before the audio did; this is the text so far")


@contextmanager
def _growing_text() -> Iterator[Callable[[dict[str, Any]], None]]:
    """On a terminal, shows confirmed and tentative text with speakers; in a pipe, only confirmed
    text."""
    from rich.console import Console

    from echostream.show import LiveText

    if sys.stdout.isatty():
        with LiveText(Console()) as text:
            yield lambda told: text.update(
                told["text"],
                told["tentative"],
                told["lagMs"],
                [(each["seq"], each["speaker"]) for each in told.get("labels", ())],
            )
        return

    def write(told: dict[str, Any]) -> None:
        sys.stdout.write(told["text"])
        sys.stdout.flush()

    yield write
    sys.stdout.write("\n")


def _show_final(final: dict[str, Any]) -> None:
    """On a terminal, shows the text once more if it now has speakers or other words."""
    from rich.console import Console

    from echostream.domain import DIARIZATION_FAILED, FINAL_PASS_FAILED
    from echostream.schema import SegmentShape
    from echostream.show import show_segments

    for warning in final.get("warnings", ()):
        if warning["code"] in (DIARIZATION_FAILED, FINAL_PASS_FAILED):
            typer.echo(f"echostream: {warning['message']}", err=True)
    if (final.get("speakers") or final.get("revised")) and sys.stdout.isatty():
        segments = [SegmentShape.model_validate(each) for each in final["segments"]]
        show_segments(segments, Console())


def _show_insights(insights: dict[str, Any]) -> None:
    from rich.console import Console

    from echostream.schema import InsightsShape
    from echostream.show import show_insights

    show_insights(InsightsShape.model_validate(insights), Console())
