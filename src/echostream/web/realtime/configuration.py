"""The configuration of a transcription session, as `session.update` changes it.

Fields are OpenAI's. What cannot be done is refused, with the name of its field.
"""

from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
)

from echostream.domain import TranscribeOptions
from echostream.media import TELEPHONE_RATE_HZ, Encoding, RawDecoder
from echostream.options.speech import Hotwords, SpeechFields
from echostream.streaming import TurnDetection
from echostream.web.openai_fields import Languages, asks_for_speakers, our_model, with_languages
from echostream.web.realtime.refusals import missing, refusal_of

LOGPROBS = "item.input_audio_transcription.logprobs"
_LONGEST_PAUSE_MS = 10_000


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Pcm(_Part):
    type: Literal["audio/pcm"] = "audio/pcm"
    rate: Literal[24_000] = 24_000


class Pcmu(_Part):
    type: Literal["audio/pcmu"]


class Pcma(_Part):
    type: Literal["audio/pcma"]


Format = Annotated[Pcm | Pcmu | Pcma, Field(discriminator="type")]


class ServerVad(_Part):
    """Turn detection. There are no responses that a turn could create or interrupt."""

    type: Literal["server_vad"]
    threshold: float = Field(0.5, ge=0, le=1)
    prefix_padding_ms: int = Field(300, ge=0, le=_LONGEST_PAUSE_MS)
    silence_duration_ms: int = Field(500, ge=0, le=_LONGEST_PAUSE_MS)
    create_response: Literal[False] | None = None
    interrupt_response: Literal[False] | None = None
    idle_timeout_ms: None = None

    @property
    def as_domain(self) -> TurnDetection:
        return TurnDetection(self.threshold, self.prefix_padding_ms, self.silence_duration_ms)


class Transcription(SpeechFields):
    """How the audio is read. `keywords` are likely names and terms."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True)

    # As in requests for files: any length, models read only the end.
    prompt: str | None = None
    hotwords: Hotwords = Field(
        (),
        validation_alias=AliasChoices("keywords", "hotwords"),
        serialization_alias="keywords",
    )
    languages: Languages = ()

    @field_validator("model")
    @classmethod
    def _tells_no_speakers(cls, name: str | None) -> str | None:
        if asks_for_speakers(name):
            raise ValueError("speakers are not told apart in realtime sessions")
        return name

    @property
    def as_domain(self) -> TranscribeOptions:
        options = with_languages(self.transcribe_options, self.languages)
        return replace(options, model=our_model(self.model))


class Input(_Part):
    format: Format = Pcm()
    transcription: Transcription = Transcription()
    turn_detection: ServerVad | None = ServerVad(type="server_vad")
    noise_reduction: None = None


class Audio(_Part):
    input: Input = Input()


class Configuration(_Part):
    """Everything a client can set."""

    type: Literal["transcription"] = "transcription"
    audio: Audio = Audio()
    include: (
        Annotated[
            tuple[Literal["item.input_audio_transcription.logprobs"], ...],
            Field(max_length=10, fail_fast=True),
        ]
        | None
    ) = None

    def updated(self, given: dict[str, Any]) -> "Configuration":
        """The configuration with the fields that a client gives. Raises EventRefused."""
        if "type" not in given:
            raise missing("session.type")
        try:
            return Configuration.model_validate(_merged(self.shape, given))
        except ValidationError as error:
            raise refusal_of(error, "session") from error

    @property
    def shape(self) -> dict[str, Any]:
        return self.model_dump(mode="json", by_alias=True)

    @property
    def wants_logprobs(self) -> bool:
        return LOGPROBS in (self.include or ())

    @property
    def options(self) -> TranscribeOptions:
        return self.audio.input.transcription.as_domain

    @property
    def turn_detection(self) -> TurnDetection | None:
        detection = self.audio.input.turn_detection
        return detection.as_domain if detection else None

    def decoder(self) -> RawDecoder:
        """A decoder for audio in the format of the session."""
        match self.audio.input.format:
            case Pcm(rate=rate):
                return RawDecoder("pcm", rate)
            case other:
                encoding: Encoding = "pcmu" if isinstance(other, Pcmu) else "pcma"
                return RawDecoder(encoding, TELEPHONE_RATE_HZ)


def _merged(old: Any, new: Any) -> Any:
    """`new`, with those fields of `old` that it leaves out. Something of another `type` replaces
    the whole."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    if new.get("type", old.get("type")) != old.get("type"):
        return new
    return {**old, **{name: _merged(old.get(name), value) for name, value in new.items()}}
