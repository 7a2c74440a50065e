"""What a request may say of the people who speak."""

from typing import Annotated, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from echostream.domain import KnownVoice, SpeakerOptions, Voice
from echostream.given_json import parse

OF_SPEAKERS: Final = ("num_speakers", "min_speakers", "max_speakers", "known_speakers")
_MOST_SPEAKERS = 20
_LONGEST_SPEAKER_NAME = 100
_LONGEST_VOICE = 20_000


def _parsed(given: object) -> object:
    """Reads a form's text, which is JSON."""
    if not isinstance(given, str):
        return given
    try:
        return parse(given)
    except ValueError as error:
        raise ValueError('must be a JSON list of {"name", "voice"}') from error


def _check_voice(text: str) -> str:
    try:
        Voice.load(text)
    except ValueError as error:
        raise ValueError("must be a `voice` as answers give it in `speakers`") from error
    return text


# One line, because subtitles and documents have it before the text.
SpeakerName = Annotated[
    str,
    BeforeValidator(lambda name: " ".join(name.split()) if isinstance(name, str) else name),
    StringConstraints(min_length=1, max_length=_LONGEST_SPEAKER_NAME),
]


class KnownSpeaker(BaseModel):
    """A speaker whose voice is known from an earlier answer."""

    model_config = ConfigDict(frozen=True)

    name: SpeakerName
    voice: Annotated[str, Field(max_length=_LONGEST_VOICE), AfterValidator(_check_voice)]


KnownSpeakers = Annotated[
    tuple[KnownSpeaker, ...],
    Field(max_length=_MOST_SPEAKERS, fail_fast=True),
    BeforeValidator(_parsed),
    WithJsonSchema(
        {
            "type": ["string", "array"],
            "items": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "voice": {"type": "string"}},
                "required": ["name", "voice"],
            },
            "maxItems": _MOST_SPEAKERS,
        }
    ),
]


class SpeakerFields(BaseModel):
    """The fields about speakers, for all kinds of requests."""

    diarize: bool | None = Field(
        None, description="Tell who speaks; left to the server's `DIARIZE` when left out."
    )
    num_speakers: int | None = Field(
        None,
        ge=1,
        le=_MOST_SPEAKERS,
        description="How many speakers there are; asks for speakers, like the next three.",
    )
    min_speakers: int | None = Field(
        None,
        ge=1,
        le=_MOST_SPEAKERS,
        description="The least number of speakers, where only that is known.",
    )
    max_speakers: int | None = Field(
        None,
        ge=1,
        le=_MOST_SPEAKERS,
        description="The largest number of speakers, where only that is known.",
    )
    known_speakers: KnownSpeakers = Field(
        (),
        description='Voices with names, as JSON: [{"name", "voice"}], where `voice` is from the'
        " `speakers` of an earlier answer.",
    )

    @field_validator("min_speakers")
    @classmethod
    def _check_least(cls, least: int | None, others: ValidationInfo) -> int | None:
        exact = others.data.get("num_speakers")
        if least and exact and least > exact:
            raise ValueError(f"must not be above the number of speakers, {exact}")
        return least

    @field_validator("max_speakers")
    @classmethod
    def _check_most(cls, most: int | None, others: ValidationInfo) -> int | None:
        least = others.data.get("num_speakers") or others.data.get("min_speakers")
        if least and most and most < least:
            raise ValueError(f"must not be below {least}, the number of speakers or the least")
        return most

    @field_validator("known_speakers")
    @classmethod
    def _names_differ(cls, known: tuple[KnownSpeaker, ...]) -> tuple[KnownSpeaker, ...]:
        if len({each.name for each in known}) < len(known):
            raise ValueError("two speakers have the same name")
        return known

    @property
    def says_of_speakers(self) -> bool:
        """Whether the request says anything about the speakers beside `diarize`."""
        return any(getattr(self, name) for name in OF_SPEAKERS)

    def speaker_options(self, *, by_default: bool) -> SpeakerOptions | None:
        """What is known of the speakers; None if nobody wants to know who speaks. `by_default` says
        whether they are wanted if the request leaves that open."""
        wanted = self.says_of_speakers or by_default if self.diarize is None else self.diarize
        if not wanted:
            return None
        return SpeakerOptions(
            count=self.num_speakers,
            least=self.min_speakers,
            most=self.max_speakers,
            known=tuple(
                KnownVoice(each.name, Voice.load(each.voice)) for each in self.known_speakers
            ),
        )
