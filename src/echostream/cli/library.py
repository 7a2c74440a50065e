"""`echostream library`: the web frontend's library as a file."""

import os
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from echostream.cli.common import fail

app = typer.Typer(help="The web frontend's library as a file.", no_args_is_help=True)


@app.command("export")
def export_library(
    file: Annotated[Path, typer.Argument(help="The zip file to write; it must not exist yet.")],
) -> None:
    """Write the library in LIBRARY_PATH to a zip file: audio, transcripts, insights, edits, tags.

    Recordings that are under way are left out.
    """
    _run("export", file)


@app.command("import")
def import_library(
    file: Annotated[Path, typer.Argument(help="A zip file that was exported.")],
) -> None:
    """Add the recordings of a zip file to the library in LIBRARY_PATH.

    Recordings that the library has already stay as they are.
    """
    _run("import", file)


def _run(action: str, file: Path) -> NoReturn:
    from echostream.children import PYTHON
    from echostream.errors import MissingExtra
    from echostream.extras import require

    try:
        require("ui", "echostream library")
    except MissingExtra as error:
        fail(str(error))
    command = (*PYTHON, "-m", "echostream_ui.archive_command", action, str(file))
    os.execv(command[0], command)  # noqa: S606 - our own program
