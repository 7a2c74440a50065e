"""The options of requests under `/v1`: ours and OpenAI's own."""

import re
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from echostream.domain import KnownVoice, SpeakerOptions, Task, TranscribeOptions
from echostream.exports import CueOptions
from echostream.options import (
    OF_SPEAKERS,
    Language,
    MaxCueSeconds,
    MaxLineChars,
    Options,
    SpeakerName,
)

Granularity = Literal["word", "segment"]
ResponseFormat = Literal["json", "text", "srt", "vtt", "verbose_json", "diarized_json"]

_WITHOUT_SPEAKERS = ("json", "text")
_DIARIZES = re.compile(r"gpt-.*-diarize.*")
"""Names of OpenAI models that ask for speakers."""

_OPENAIS_OWN = re.compile(r"(whisper-\d+|gpt-.*)")
"""Names of OpenAI models that we do not have; our default model replaces them."""


def asks_for_speakers(model: str | None) -> bool:
    """Whether a name of OpenAI's means a model that tells speakers apart."""
    return model is not None and _DIARIZES.fullmatch(model) is not None


def our_model(name: str | None) -> str | None:
    """The model that a client means; None, our default, for those that only OpenAI has."""
    return None if name and _OPENAIS_OWN.fullmatch(name) else name


def with_languages(options: TranscribeOptions, languages: tuple[str, ...]) -> TranscribeOptions:
    """If there are several `languages`, the first is used for parts too short to detect; a single
    one is used for everything."""
    only = languages[0] if len(languages) == 1 else None
    expected = languages[0] if len(languages) > 1 else None
    return replace(options, language=options.language or only, expected_language=expected)


def _few(most: int) -> Any:
    """Of a list: it ends with its first fault, since each fault of a long one costs time."""
    return Field(max_length=most, fail_fast=True)


Languages = Annotated[tuple[Language, ...], _few(100)]
# A list of one may also come under a plain name.
Several = BeforeValidator(lambda given: [given] if isinstance(given, str) else given)


class AudioFields(Options):
    """Form fields of the two audio endpoints: our options, under their snake_case names, and
    OpenAI's own. Fields we cannot support are refused by name."""

    model_config = ConfigDict(alias_generator=lambda name: name, extra="forbid")

    # OpenAI accepts any length; its models read only the end.
    prompt: str | None = Field(None, description="Names and terms that are likely to be said.")
    known_speaker_names: Annotated[tuple[SpeakerName, ...], _few(20), Several] = Field(
        (), description="Names of speakers, in the order of their references."
    )
    known_speaker_references: Annotated[tuple[str, ...], _few(20), Several] = Field(
        (),
        description="Data URLs with 2 to 10 seconds of the voice of each known speaker.",
    )
    languages: Annotated[Languages, Several] = Field(
        (), description="Languages that may be spoken; one is the same as `language`."
    )
    temperature: float = Field(0.0, ge=0.0, le=1.0)
    response_format: ResponseFormat = Field("json", validate_default=True)
    stream: bool = False
    max_line_chars: MaxLineChars = 42
    max_cue_seconds: MaxCueSeconds = 7.0
    timestamp_granularities: Annotated[tuple[Granularity, ...], _few(10), Several] = ("segment",)
    include: Annotated[tuple[Literal["logprobs"], ...], _few(10), Several] = Field(
        (),
        description="`logprobs`: how sure the engine is of each word, in `json` and streams.",
    )
    chunking_strategy: Literal["auto"] | None = Field(
        None, description="Audio is always cut where nobody speaks."
    )

    @model_validator(mode="before")
    @classmethod
    def _model_asks_for_speakers(cls, given: Any) -> Any:
        if not isinstance(given, dict) or not asks_for_speakers(str(given.get("model"))):
            return given
        given = {"response_format": "diarized_json", **given}
        shows_them = given["response_format"] not in _WITHOUT_SPEAKERS
        return {"diarize": True, **given} if shows_them else given

    @field_validator("response_format")
    @classmethod
    def _shows_speakers(cls, shape: str, others: ValidationInfo) -> str:
        about_speakers = ("diarize", *OF_SPEAKERS, "known_speaker_names")
        given = [name for name in about_speakers if others.data.get(name)]
        if shape in _WITHOUT_SPEAKERS and given:
            raise ValueError(f"{shape!r} does not show speakers, so leave out {', '.join(given)}")
        if shape == "diarized_json" and others.data.get("diarize") is False:
            raise ValueError("'diarized_json' shows speakers, so leave out diarize=false")
        return shape

    @field_validator("model")
    @classmethod
    def _openais_mean_the_default(cls, name: str | None) -> str | None:
        return our_model(name)

    @property
    def wants_words(self) -> bool:
        return self.response_format == "verbose_json" and "word" in self.timestamp_granularities

    def speakers(self, known: tuple[KnownVoice, ...], *, by_default: bool) -> SpeakerOptions | None:
        """Like `speaker_options`, but only for formats that show speakers. `known` are the voices
        of the references."""
        if self.response_format in _WITHOUT_SPEAKERS:
            return None
        is_asked = self.response_format == "diarized_json" or bool(self.known_speaker_names)
        asked = self.speaker_options(by_default=by_default or is_asked)
        return asked and replace(asked, known=(*asked.known, *known))

    @property
    def wants_logprobs(self) -> bool:
        return "logprobs" in self.include

    @property
    def cue_options(self) -> CueOptions:
        return CueOptions(self.max_line_chars, self.max_cue_seconds)

    def options(self, task: Task) -> TranscribeOptions:
        return replace(with_languages(self.transcribe_options, self.languages), task=task)
