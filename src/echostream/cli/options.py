"""Options of several commands. `echostream.options` defines them, but importing it would slow down
`--help`, so they are repeated here; a test compares the two."""

from pathlib import Path
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
Speakers = Annotated[
    bool | None,
    typer.Option(
        "--speakers/--no-speakers",
        help="Tell who speaks; left to the server's `DIARIZE` when left out.",
    ),
]
NumSpeakers = Annotated[
    int | None,
    typer.Option(
        min=1, max=20, help="How many speakers there are; asks for speakers, like the next three."
    ),
]
MinSpeakers = Annotated[
    int | None,
    typer.Option(min=1, max=20, help="The least number of speakers, where only that is known."),
]
MaxSpeakers = Annotated[
    int | None,
    typer.Option(min=1, max=20, help="The largest number of speakers, where only that is known."),
]
KnownSpeakers = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        dir_okay=False,
        help='A JSON file with named voices: [{"name", "voice"}], where `voice` is from the'
        " `speakers` of an earlier answer.",
    ),
]
Insights = Annotated[bool, typer.Option(help="Generate insights from what was said.")]
FinalPass = Annotated[
    bool, typer.Option(help="At the end, read the whole audio once more, as that of a file.")
]
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
InsightsModel = Annotated[
    str | None,
    typer.Option(
        help="What generates the insights: one of `GET /insights/models`; the server's choice when"
        " left out."
    ),
]
RecordedAt = Annotated[
    str | None,
    typer.Option(
        help="The day on which it was recorded, or the date and time there: due times such"
        " as 'Friday' then get dates."
    ),
]


def text_of(file: Path | None) -> str | None:
    return None if file is None else file.read_text(encoding="utf-8")


def asked(kind: type[Asked], **options: Any) -> Asked:
    """Returns the validated options. Ends the command with one line if they are not valid."""
    from echostream.errors import InvalidRequest
    from echostream.options import validated

    try:
        return validated(kind, given(options))
    except InvalidRequest as error:
        fail(str(error))
