"""What all commands share."""

from typing import TYPE_CHECKING, Any, NoReturn

import typer

if TYPE_CHECKING:
    from echostream.settings import Settings

FAILED = 1
"""Exit status of a command that failed."""


def given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def settings_of(log_level: str | None = None, **overrides: Any) -> "Settings":
    """Returns the settings and sets up logging: at `log_level` unless the user chose a level."""
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
