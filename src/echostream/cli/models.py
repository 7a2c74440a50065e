"""`echostream models`: the models on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from echostream.cli.common import fail, settings_of

app = typer.Typer(help="Models on this machine.", no_args_is_help=True)

_LANGUAGE_MODEL = "llm"


@app.command("list")
def list_models() -> None:
    """Whisper sizes that can be named in WHISPER_MODEL, and whether each is on this machine."""
    from rich.console import Console
    from rich.table import Table

    from echostream.engine import hub

    _require("whisper")
    table = Table("model", "on this machine")
    for name in hub.sizes():
        folder = hub.local_folder(name)
        table.add_row(name, str(folder) if folder else "")
    Console().print(table)


@app.command("download")
def download_model(
    model: Annotated[
        str, typer.Argument(help="A Whisper size such as base, a Hub id, or llm; see above.")
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A folder instead of the cache.")
    ] = None,
    timeout_s: Annotated[float, typer.Option(help="Longest wait for the hub to answer.")] = 10.0,
) -> None:
    """Fetch a Whisper model ahead of use, for instance for a machine without a network.

    `llm` fetches the language model that LOCAL_LLM_MODEL names on the Hub; if it names none, one
    that suits this machine: Qwen3 4B Instruct (2.5 GB) for 8 GB of memory, Qwen3 8B (5.0 GB) for
    16 GB. Both are under the Apache 2.0 licence.
    """
    from echostream.engine import hub
    from echostream.errors import EchoStreamError

    if model == _LANGUAGE_MODEL:
        _download_language_model(output, timeout_s)
        return
    _require("whisper")
    try:
        folder = hub.download(model, timeout_s=timeout_s, output_dir=output)
    except EchoStreamError as error:
        fail(str(error))
    typer.echo(folder)


def _download_language_model(output: Path | None, timeout_s: float) -> None:
    from echostream import model_hub
    from echostream.errors import EchoStreamError
    from echostream.llm.local.models import hub_name, recommended

    _require("llm")
    model = settings_of().local_llm_model or recommended().hub_id
    name = hub_name(model)
    if name is None:
        fail(f"LOCAL_LLM_MODEL names no file on the Hub (owner/repository/file.gguf): {model}")
    try:
        file = model_hub.fetch_file(*name, timeout_s=timeout_s, folder=output)
    except EchoStreamError as error:
        fail(str(error))
    typer.echo(file)
    typer.echo(f"Use it with LOCAL_LLM_MODEL={file if output else model}", err=True)


def _require(extra: str) -> None:
    from echostream.errors import MissingExtra
    from echostream.extras import require

    try:
        require(extra, "echostream models")
    except MissingExtra as error:
        fail(str(error))
