"""The options of a request, defined only here.

REST's forms and JSON, jobs, `start_audio`, `/v1`, the web frontend and the OpenAPI document use
these models; a test checks that the command line matches. A field that is added here works in all
of them, under its name in camelCase (under `/v1` unchanged).
"""

import json
import re
from dataclasses import asdict, fields
from itertools import islice
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from pydantic.alias_generators import to_camel

from echostream.domain import (
    AudioOptions,
    Caution,
    InsightsOptions,
    KnownVoice,
    SpeakerOptions,
    Task,
    Template,
    TemplateSection,
    TranscribeOptions,
    Voice,
)
from echostream.errors import InvalidRequest
from echostream.templates import BUILT_IN

M = TypeVar("M", bound=BaseModel)

_LANGUAGE = r"([A-Za-z]{2,3})([-_][A-Za-z0-9]{2,8})*"
_MOST_HOTWORDS = 500
_LONGEST_HOTWORD = 200
_MOST_SPEAKERS = 20
_LONGEST_SPEAKER_NAME = 100
_LONGEST_VOICE = 20_000
OF_SPEAKERS: Final = ("num_speakers", "min_speakers", "max_speakers", "known_speakers")
_MOST_CAUTIONS = 20
_MOST_SECTIONS = 12
_LONGEST_NAME = 60
"""How many characters of an unknown field's name are repeated to the sender."""
_OF_ENGINE: Final = {field.name for field in fields(TranscribeOptions)}


def _normal_language(code: str) -> str:
    """Turns `en-US` and `EN` into `en`, which engines know."""
    match = re.fullmatch(_LANGUAGE, code.strip())
    if match is None:
        raise ValueError("must be an ISO 639-1 code such as 'en'")
    return match[1].lower()


def _as_list(given: object) -> object:
    """Reads a form's text: names separated by commas or lines, or a JSON list."""
    if not isinstance(given, str):
        return given
    if given.lstrip().startswith("["):
        try:
            return json.loads(given)
        except ValueError as error:
            raise ValueError("must be names separated by commas, or a JSON list") from error
    return [name.strip() for name in re.split(r"[,;\n]", given) if name.strip()]


def _parsed(given: object) -> object:
    """Reads a form's text, which is JSON."""
    if not isinstance(given, str):
        return given
    try:
        return json.loads(given)
    except (ValueError, RecursionError) as error:
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


Language = Annotated[
    str,
    AfterValidator(_normal_language),
    WithJsonSchema({"type": "string", "pattern": f"^{_LANGUAGE}$", "examples": ["en"]}),
]
Hotword = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=_LONGEST_HOTWORD),
]
Hotwords = Annotated[
    tuple[Hotword, ...],
    BeforeValidator(_as_list),
    Field(max_length=_MOST_HOTWORDS),
    WithJsonSchema(
        {
            "type": ["string", "array"],
            "items": {"type": "string", "minLength": 1, "maxLength": _LONGEST_HOTWORD},
            "maxItems": _MOST_HOTWORDS,
            "examples": ["Kubernetes, Anouk Desrosiers"],
        }
    ),
]
KnownSpeakers = Annotated[
    tuple[KnownSpeaker, ...],
    BeforeValidator(_parsed),
    Field(max_length=_MOST_SPEAKERS),
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
WithInsights = Annotated[bool, Field(description="Generate insights from what was said.")]
Heading = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


class SectionFields(BaseModel):
    """One section of a template."""

    model_config = ConfigDict(frozen=True)

    key: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
    title: Heading
    instructions: Annotated[str, Field(max_length=500)] = ""


class TemplateFields(BaseModel):
    """A template of the caller's own, or a built-in one."""

    model_config = ConfigDict(frozen=True)

    name: Heading
    title: Heading | None = None
    instructions: Annotated[str, Field(max_length=2000)] = ""
    sections: Annotated[tuple[SectionFields, ...], Field(max_length=_MOST_SECTIONS)] = ()

    @field_validator("sections")
    @classmethod
    def _keys_differ(cls, sections: tuple[SectionFields, ...]) -> tuple[SectionFields, ...]:
        if len({each.key for each in sections}) < len(sections):
            raise ValueError("two sections have the same key")
        return sections

    def as_template(self) -> Template:
        """The same as a domain object."""
        sections = tuple(TemplateSection(**each.model_dump()) for each in self.sections)
        return Template(self.name, self.title or self.name, self.instructions, sections)


def _read_template(given: object) -> object:
    """Reads the name of a built-in template, or the JSON that a form has."""
    if not isinstance(given, str):
        return given
    if given.lstrip().startswith("{"):
        try:
            return json.loads(given)
        except (ValueError, RecursionError) as error:
            raise ValueError("is not valid JSON") from error
    if given not in BUILT_IN:
        raise ValueError(f"must be one of {', '.join(BUILT_IN)}, or a template as JSON")
    return asdict(BUILT_IN[given])


ChosenTemplate = Annotated[
    TemplateFields,
    BeforeValidator(_read_template),
    WithJsonSchema(
        {
            "type": ["string", "object"],
            "properties": {
                "name": {"type": "string"},
                "instructions": {"type": "string"},
                "sections": {"type": "array", "maxItems": _MOST_SECTIONS},
            },
            "required": ["name"],
            "examples": ["meeting"],
        }
    ),
]
MaxLineChars = Annotated[
    int, Field(ge=10, le=200, description="Columns of a line of subtitles, of which there are two.")
]
MaxCueSeconds = Annotated[
    float, Field(ge=1, le=60, description="Longest time a subtitle is shown.")
]


class Options(BaseModel):
    """Options of every transcription, of recordings and of live audio.

    Unknown fields do not make a request fail, because clients written for another server may send
    fields that are not used here. `cautions` reports them.
    """

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, frozen=True, extra="allow"
    )

    model: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="Name of the model that transcribes; the default one when left out.",
    )
    language: Language | None = Field(None, description="ISO 639-1 code; detected when left out.")
    prompt: str | None = Field(
        None, max_length=2000, description="Names and terms that are likely to be said."
    )
    hotwords: Hotwords = Field(
        (),
        validation_alias=AliasChoices("hotwords", "keywords"),
        description="Names and terms that are likely to be said, separated by commas or as a list;"
        " `keywords` is another name for it.",
    )
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

    @property
    def transcribe_options(self) -> TranscribeOptions:
        """The options for the engine: the fields that have the same name there."""
        return TranscribeOptions(**self.model_dump(include=_OF_ENGINE))

    @property
    def cautions(self) -> tuple[Caution, ...]:
        """One caution for each unknown field, up to a limit."""
        names = (name[:_LONGEST_NAME] for name in self.model_extra or ())
        return tuple(
            Caution("unknown_field", f"There is no field '{name}'; it was not used.")
            for name in islice(names, _MOST_CAUTIONS)
        )


class InsightfulOptions(Options):
    """Options of all that insights are made of."""

    template: ChosenTemplate | None = Field(
        None,
        description="What to look for: the name of a template, or your own as JSON:"
        ' {"name", "instructions", "sections": [{"key", "title", "instructions"}]}.',
    )
    insights_language: Language | None = Field(
        None, description="Language of the insights; that of the recording when left out."
    )

    @property
    def insights_options(self) -> InsightsOptions:
        template = self.template.as_template() if self.template else None
        return InsightsOptions(template, self.insights_language)


class LiveOptions(InsightfulOptions):
    """Options of live audio."""

    insights: WithInsights = True


class RecordingOptions(InsightfulOptions):
    """Options of every recording."""

    task: Task = Field("transcribe", description="`translate` gives the text in English.")
    audio_track: int | None = Field(
        None,
        ge=0,
        le=99,
        description="The one audio track to listen to, from 0; all are mixed when left out.",
    )
    channels: Literal["mix", "separate"] = Field(
        "mix", description="`separate` transcribes each channel apart, as a speaker of its own."
    )
    use_queue: bool = Field(
        False,
        exclude=True,  # concerns only the request, not the job
        description="Answer at once with a job id and work in the background.",
    )
    callback_url: str | None = Field(None, description="Told when a queued job ends.")

    @field_validator("channels")
    @classmethod
    def _channels_are_speakers(cls, channels: str, others: ValidationInfo) -> str:
        given = [name for name in OF_SPEAKERS if others.data.get(name)]
        if channels == "separate" and given:
            names = ", ".join(to_camel(name) for name in given)
            raise ValueError(f"each is one speaker if they are separate, so leave out {names}")
        return channels

    @property
    def audio_options(self) -> AudioOptions:
        return AudioOptions(self.audio_track, self.channels)


class UploadOptions(RecordingOptions):
    """A recording to transcribe."""

    audio_url: str | None = Field(
        None, json_schema_extra={"format": "uri"}, description="Where the recording is."
    )
    word_timestamps: bool = Field(False, description="Time each word.")
    insights: WithInsights = True


class FinalizeOptions(RecordingOptions):
    """A transcript, completed by the text of a last recording."""

    audio_id: str | None = Field(
        None, max_length=200, description="Given back; made up when left out."
    )
    transcript: str | None = Field(None, description="What was transcribed before.")


class JobData(UploadOptions, FinalizeOptions):
    """The data of a job in the queue. The names are those of requests, so that other programs can
    add jobs too. A job with `transcript` or `audio_id` is a finalize."""

    audio: str | None = Field(None, description="Name of staged audio.")

    @classmethod
    def of(cls, asked: RecordingOptions) -> "JobData":
        """Returns a request as a job, without unknown fields."""
        return cls(**asked.model_dump(include=set(type(asked).model_fields)))

    @property
    def is_finalize(self) -> bool:
        return self.transcript is not None or self.audio_id is not None


def validated(model: type[M], values: dict[str, Any]) -> M:
    """Returns `values` as a model. Raises InvalidRequest, naming the first invalid field."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        reason = first["msg"].removeprefix("Value error, ")
        message = f"{where}: {reason}" if where else reason
        raise InvalidRequest(message, param=where or None) from error
