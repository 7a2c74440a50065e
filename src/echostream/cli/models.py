"""`echostream models`: Whisper models on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from echostream.cli.common import fail

app = typer.Typer(help="Whisper models on this machine.", no_args_is_help=True)


@app.command("list")
def list_models() -> None:
    """Sizes that can be named in WHISPER_MODEL, and whether each is on this machine."""
    from rich.console import Console
    from rich.table import Table

    from echostream.engine import hub

    _require_whisper()
    table = Table("model", "on this machine")
    for name in hub.sizes():
        folder = hub.local_folder(name)
        table.add_row(name, str(folder) if folder else "")
    Console().print(table)


@app.command("download")
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

    _require_whisper()
    try:
        folder = hub.download(model, timeout_s=timeout_s, output_dir=output)
    except EchoStreamError as error:
        fail(str(error))
    typer.echo(folder)


def _require_whisper() -> None:
    from echostream.errors import MissingExtra
    from echostream.extras import require

    try:
        require("whisper", "echostream models")
    except MissingExtra as error:
        fail(str(error))
