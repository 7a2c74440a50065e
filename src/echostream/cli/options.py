"""Options of several commands. `echostream.options` defines them, but importing it would slow down
`--help`, so they are repeated here; a test compares the two."""

from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from echostream.cli.common import fail, given

if TYPE_CHECKING:
    from echostream.options import Options

Asked = TypeVar("Asked", bound="Options")

Model = Annotated[
    str | None,
    typer.Option(help="Name of the model that transcribes; the default one when left out."),
]
Language = Annotated[str | None, typer.Option(help="ISO 639-1 code; detected when left out.")]
Prompt = Annotated[str | None, typer.Option(help="Names and terms that are likely to be said.")]
Hotwords = Annotated[
    list[str] | None,
    typer.Option("--hotword", help="A name or term that is likely to be said; may be repeated."),
]
Insights = Annotated[bool, typer.Option(help="Generate insights from what was said.")]
Template = Annotated[
    str | None,
    typer.Option(
        help="What to look for: the name of a template, or your own as JSON:"
        ' {"name", "instructions", "sections": [{"key", "title", "instructions"}]}.'
    ),
]
InsightsLanguage = Annotated[
    str | None,
    typer.Option(help="Language of the insights; that of the recording when left out."),
]


def asked(kind: type[Asked], **options: Any) -> Asked:
    """Returns the validated options. Ends the command with one line if they are not valid."""
    from echostream.errors import InvalidRequest
    from echostream.options import validated

    try:
        return validated(kind, given(options))
    except InvalidRequest as error:
        fail(str(error))
