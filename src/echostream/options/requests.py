"""The options of a request: one model for each kind."""

from itertools import islice
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic.alias_generators import to_camel

from echostream.domain import AudioOptions, Caution, InsightsOptions, Task
from echostream.errors import InvalidRequest
from echostream.options.dates import RecordedAt
from echostream.options.speakers import OF_SPEAKERS, SpeakerFields
from echostream.options.speech import Language, SpeechFields
from echostream.options.templates import ChosenTemplate

M = TypeVar("M", bound=BaseModel)

MOST_CHARS = 8_000_000
"""Of a given transcript: more than anybody says in a week, by day and night."""
_MOST_CAUTIONS = 20
_LONGEST_NAME = 60
"""How many characters of an unknown field's name are repeated to the sender."""

WithInsights = Annotated[bool, Field(description="Generate insights from what was said.")]
InsightsModel = Annotated[str, Field(min_length=1, max_length=200)]
MaxLineChars = Annotated[int, Field(ge=10, le=200, description="Columns of a line of subtitles.")]
MaxCueLines = Annotated[int, Field(ge=1, le=4, description="Most lines of a subtitle.")]
MaxCueSeconds = Annotated[
    float, Field(ge=1, le=60, description="Longest time a subtitle is shown.")
]


class Options(SpeakerFields, SpeechFields):
    """Options of every transcription, of recordings and of live audio.

    Unknown fields do not make a request fail, because clients written for another server may send
    fields that are not used here. `cautions` reports them.
    """

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, frozen=True, extra="allow"
    )

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
    insights_model: InsightsModel | None = Field(
        None,
        description="What generates the insights: one of `GET /insights/models`; the server's"
        " choice when left out.",
    )
    recorded_at: RecordedAt | None = Field(
        None,
        description="The day on which it was recorded, or the date and time there: due times such"
        " as 'Friday' then get dates.",
    )

    @property
    def insights_options(self) -> InsightsOptions:
        template = self.template.as_template() if self.template else None
        return InsightsOptions(
            template, self.insights_language, self.recorded_at, self.insights_model
        )


class ChannelFields(SpeakerFields):
    """The field about channels, for all audio that may have several."""

    channels: Literal["mix", "separate"] = Field(
        "mix", description="`separate` transcribes each channel apart, as a speaker of its own."
    )

    @field_validator("channels")
    @classmethod
    def _channels_are_speakers(cls, channels: str, others: ValidationInfo) -> str:
        given = [name for name in OF_SPEAKERS if others.data.get(name)]
        if channels == "separate" and given:
            names = ", ".join(to_camel(name) for name in given)
            raise ValueError(f"each is one speaker if they are separate, so leave out {names}")
        return channels


class LiveOptions(ChannelFields, InsightfulOptions):
    """Options of live audio."""

    insights: WithInsights = True
    live_insights: bool = Field(
        False, description="Generate insights into what was said so far, while somebody speaks."
    )
    final_pass: bool = Field(
        True, description="At the end, read the whole audio once more, as that of a file."
    )


class RecordingOptions(ChannelFields, InsightfulOptions):
    """Options of every recording."""

    task: Task = Field("transcribe", description="`translate` gives the text in English.")
    audio_track: int | None = Field(
        None,
        ge=0,
        le=99,
        description="The one audio track to listen to, from 0; all are mixed when left out.",
    )
    use_queue: bool = Field(
        False,
        exclude=True,  # concerns only the request, not the job
        description="Answer at once with a job id and work in the background.",
    )
    callback_url: str | None = Field(None, description="Told when a queued job ends.")

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
    transcript: str | None = Field(
        None, max_length=MOST_CHARS, description="What was transcribed before."
    )


class JobData(UploadOptions, FinalizeOptions):
    """The data of a job in the queue. The names are those of requests, so that other programs can
    add jobs too. A job with `transcript` or `audio_id` is a finalize."""

    audio: str | None = Field(None, description="Name of staged audio.")
    token_name: str | None = Field(
        None, description="Whose job it is: the client with the token of this name; else everybody."
    )

    @classmethod
    def of(cls, asked: RecordingOptions, owner: str | None = None) -> "JobData":
        """Returns a request as a job of `owner`, without unknown fields."""
        fields = asked.model_dump(include=set(type(asked).model_fields))
        return cls(**fields, token_name=owner)

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
