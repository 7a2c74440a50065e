"""What a request may say of the speech and of how it is transcribed."""

import re
from dataclasses import fields
from typing import Annotated, Final

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    Field,
    StringConstraints,
    WithJsonSchema,
)

from echostream.domain import TranscribeOptions
from echostream.given_json import parse

_LANGUAGE = r"([A-Za-z]{2,3})([-_][A-Za-z0-9]{2,8})*"
_LONGEST_LANGUAGE = 100
_MOST_HOTWORDS = 500
_LONGEST_HOTWORD = 200
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
    if len(given) > _MOST_HOTWORDS * (_LONGEST_HOTWORD + 10):
        raise ValueError(f"must be {_MOST_HOTWORDS} names of {_LONGEST_HOTWORD} characters at most")
    if given.lstrip().startswith("["):
        try:
            return parse(given)
        except ValueError as error:
            raise ValueError("must be names separated by commas, or a JSON list") from error
    return [name.strip() for name in re.split(r"[,;\n]", given) if name.strip()]


Language = Annotated[
    str,
    StringConstraints(max_length=_LONGEST_LANGUAGE),
    AfterValidator(_normal_language),
    WithJsonSchema({"type": "string", "pattern": f"^{_LANGUAGE}$", "examples": ["en"]}),
]
Hotword = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=_LONGEST_HOTWORD),
]
Hotwords = Annotated[
    tuple[Hotword, ...],
    Field(max_length=_MOST_HOTWORDS, fail_fast=True),
    BeforeValidator(_as_list),
    WithJsonSchema(
        {
            "type": ["string", "array"],
            "items": {"type": "string", "minLength": 1, "maxLength": _LONGEST_HOTWORD},
            "maxItems": _MOST_HOTWORDS,
            "examples": ["Kubernetes, Anouk Desrosiers"],
        }
    ),
]


class SpeechFields(BaseModel):
    """The fields that every request has for the engine."""

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

    @property
    def transcribe_options(self) -> TranscribeOptions:
        """The options for the engine: the fields that have the same name there."""
        return TranscribeOptions(**self.model_dump(include=_OF_ENGINE))
