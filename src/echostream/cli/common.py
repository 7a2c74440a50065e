"""What all commands need."""

from typing import TYPE_CHECKING, Any, NoReturn

import typer

if TYPE_CHECKING:
    from echostream.settings import Settings

FAILED = 1
"""Exit status of a command that could not do what it was asked for."""


def given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def settings_of(log_level: str | None = None, **overrides: Any) -> "Settings":
    """The settings, with logging set up: at `log_level` unless the user has said otherwise."""
    from pydantic import ValidationError

    from echostream.checks import complaint
    from echostream.logs import configure_logging
    from echostream.settings import Settings

    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        fail(complaint(error))
    chosen = "log_level" in settings.model_fields_set
    configure_logging(settings.log_level if chosen else log_level or settings.log_level)
    return settings


def fail(message: str) -> NoReturn:
    typer.echo(f"echostream: {message}", err=True)
    raise typer.Exit(FAILED)
