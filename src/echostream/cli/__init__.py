"""The command line: `echostream transcribe | live | up | serve | ui | worker | models | library |
password`.

Heavy imports are inside the commands, so that `--help` answers at once.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from echostream import __version__
from echostream.cli import library, live, models, transcribe
from echostream.cli.common import FAILED, fail, given, settings_of

app = typer.Typer(
    help="Transcribe audio and video on this machine and generate insights from the transcript.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("transcribe")(transcribe.transcribe)
app.command("live")(live.live)
app.add_typer(models.app, name="models")
app.add_typer(library.app, name="library")

_INTERRUPTED = 130


def main() -> None:
    """Entry point of the `echostream` command."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output has closed it. Python would complain when it flushes at exit.
        sys.stderr.close()
        sys.exit(FAILED)


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
def serve(
    port: Annotated[int | None, typer.Option(help="PORT")] = None,
    host: Annotated[str | None, typer.Option(help="HOST")] = None,
) -> None:
    """Run the API until a signal."""
    from echostream.errors import EchoStreamError

    chosen = {"port": port, "host": host}
    settings = settings_of(**given(chosen))
    if settings.web_concurrency > 1:
        from echostream.web.cluster import serve as run
    else:
        from echostream.web.server import serve as run
    try:
        run(settings)
    except EchoStreamError as error:
        fail(str(error))


@app.command()
def up() -> None:
    """Run the API and the web frontend until a signal."""
    from echostream import frontend_process
    from echostream.errors import EchoStreamError
    from echostream.lifeline import Grace

    settings = settings_of()
    try:
        frontend_process.check_installed()
        url = f"http://127.0.0.1:{settings.port}"
        with frontend_process.beside(url, Grace(settings.shutdown_grace_s)):
            serve(None, None)
    except EchoStreamError as error:
        fail(str(error))


@app.command()
def ui() -> None:
    """Run the web frontend alone; `API_BASE_URL` says where the API is."""
    import os

    from echostream import frontend_process
    from echostream.errors import EchoStreamError

    try:
        frontend_process.check_installed()
    except EchoStreamError as error:
        fail(str(error))
    os.execv(frontend_process.COMMAND[0], frontend_process.COMMAND)  # noqa: S606 - our own program


@app.command()
def password() -> None:
    """Read a password and print its hash, for FRONTEND_PASSWORD."""
    from echostream.passwords import PasswordHash, check_password

    if sys.stdin.isatty():
        typed = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        typed = sys.stdin.readline().rstrip("\r\n")
    try:
        check_password(typed)
    except ValueError as error:
        fail(f"the password {error}")
    typer.echo(PasswordHash.of(typed).dump())


@app.command(hidden=True)
def members(folder: Path, requests: int, port: int) -> None:
    """The process that those are forked from which `serve` needs."""
    from echostream.web.member import serve as run

    run(settings_of(), folder, requests, port)


@app.command(hidden=True)
def engine(path: Path) -> None:
    """The process that has the model, for all others that `serve` starts."""
    from echostream.cache import load_cache
    from echostream.engine.host import run

    settings = settings_of()
    run(settings, path, load_cache(settings))


@app.command(hidden=True)
def llm(model: Path, context_tokens: int, idle_s: float, path: Path) -> None:
    """The process that has the language model of this machine."""
    from echostream.llm.local.host import llama_at, run

    settings_of()
    run(path, llama_at(model, context_tokens, path.parent), idle_s)


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
    from echostream.errors import EchoStreamError
    from echostream.extras import require

    try:
        require("queue", "a worker")
    except EchoStreamError as error:
        fail(str(error))
    from echostream.worker.main import main as run

    raise typer.Exit(run(settings_of(), lifeline=lifeline, engine=engine))
