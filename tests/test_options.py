"""Every way to ask for a transcription has every option: they are defined once."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, get_args, get_type_hints

import pytest
from annotated_types import Ge, Le
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from typer.models import OptionInfo

from echostream.cli.live import live
from echostream.cli.transcribe import transcribe
from echostream.domain import AudioOptions, TranscribeOptions
from echostream.errors import InvalidRequest
from echostream.options import (
    FinalizeOptions,
    JobData,
    LiveOptions,
    MaxCueSeconds,
    MaxLineChars,
    Options,
    UploadOptions,
    validated,
)
from echostream.web.app import create_app
from echostream.web.given import AskFields, InsightsFields
from echostream.web.live import StartAudio
from echostream.web.openai_fields import AudioFields
from echostream.web.realtime.configuration import Configuration
from echostream_ui.api_client import Options as ClientOptions
from web.support import settings_of

EVERYWHERE = Options.model_fields
FORM, JSON = "multipart/form-data", "application/json"

# Options of requests that the command line has another way for, or no use for.
ARGUMENTS = {"audio_url", "use_queue", "callback_url", "live_insights"}
IN_OTHER_WORDS = {
    "hotwords": "hotwords",
    "channels": "separate_channels",
    "diarize": "speakers",
    "known_speakers": "known_speakers",
}


def wire_name(name: str, field: FieldInfo) -> str:
    return field.alias or name


def shown(path: str, media: str) -> set[str]:
    """Fields of a request's body as the OpenAPI document has them."""
    operation = create_app(settings_of()).openapi()["paths"][path]["post"]
    properties = operation["requestBody"]["content"][media]["schema"]["properties"]
    return {name.removesuffix("[]") for name in properties}


@pytest.mark.parametrize(
    ("path", "media", "fields"),
    [
        ("/upload-audio", FORM, UploadOptions.model_fields),
        ("/upload-audio", JSON, UploadOptions.model_fields),
        ("/api/finalize", FORM, FinalizeOptions.model_fields),
        ("/api/finalize", JSON, FinalizeOptions.model_fields),
        ("/v1/audio/transcriptions", FORM, AudioFields.model_fields),
        ("/v1/audio/translations", FORM, AudioFields.model_fields),
    ],
)
def test_the_document_has_every_field(path: str, media: str, fields: dict[str, FieldInfo]) -> None:
    files = {"audio", "file"}
    assert shown(path, media) - files == {wire_name(*each) for each in fields.items()}


@pytest.mark.parametrize(
    "kind", [UploadOptions, FinalizeOptions, JobData, StartAudio, AudioFields, ClientOptions]
)
def test_every_kind_of_request_has_what_all_have(kind: type[Options]) -> None:
    for name, field in EVERYWHERE.items():
        own = kind.model_fields[name]
        assert (own.default, own.description) == (field.default, field.description)


@dataclass(frozen=True)
class Shown:
    """An option of a command, as `--help` has it."""

    about: OptionInfo
    default: Any

    @property
    def limits(self) -> tuple[Any, Any]:
        return self.about.min, self.about.max


def options_of(command: Callable[..., None]) -> dict[str, Shown]:
    hints = get_type_hints(command, include_extras=True)
    parameters = inspect.signature(command).parameters
    found = {name: getattr(hints[name], "__metadata__", (None,))[0] for name in parameters}
    return {
        name: Shown(about, parameters[name].default)
        for name, about in found.items()
        if isinstance(about, OptionInfo)
    }


@pytest.mark.parametrize(("command", "kind"), [(transcribe, UploadOptions), (live, LiveOptions)])
def test_the_command_line_has_every_option(
    command: Callable[..., None], kind: type[Options]
) -> None:
    options = options_of(command)
    for name, field in kind.model_fields.items():
        if name in ARGUMENTS:
            continue
        option = options[IN_OTHER_WORDS.get(name, name)]
        assert option.limits == limits(field.metadata), name
        if name not in IN_OTHER_WORDS:
            assert (option.about.help, option.default) == (field.description, field.default)


def test_the_command_line_has_the_lengths_of_subtitles() -> None:
    options = options_of(transcribe)
    for name, kind in (("max_line_chars", MaxLineChars), ("max_cue_seconds", MaxCueSeconds)):
        assert options[name].limits == limits(get_args(kind)[1].metadata)
        assert options[name].default == AudioFields.model_fields[name].default


def limits(metadata: list[Any]) -> tuple[Any, Any]:
    least = [each.ge for each in metadata if isinstance(each, Ge)]
    most = [each.le for each in metadata if isinstance(each, Le)]
    return (least or [None])[0], (most or [None])[0]


def test_what_an_engine_and_a_decoder_are_told() -> None:
    asked = validated(
        UploadOptions,
        {
            "model": "small",
            "language": "EN-us",
            "keywords": "Anouk; Kubernetes",
            "task": "translate",
            "audioTrack": "1",
            "channels": "separate",
        },
    )
    assert asked.transcribe_options == TranscribeOptions(
        model="small", language="en", hotwords=("Anouk", "Kubernetes"), task="translate"
    )
    assert asked.audio_options == AudioOptions(1, "separate")


def test_a_job_is_the_request_under_the_same_names() -> None:
    asked = validated(UploadOptions, {"useQueue": True, "wordTimestamps": True, "audio": "x"})
    data = JobData.of(asked).model_dump(by_alias=True, exclude_none=True, exclude_defaults=True)
    assert data == {"wordTimestamps": True}
    again = validated(JobData, JobData.of(asked).model_dump(by_alias=True))
    assert again == JobData.of(asked)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"language": "klingon!"}, "language: must be an ISO 639-1 code such as 'en'"),
        ({"hotwords": "[1"}, "hotwords: must be names separated by commas, or a JSON list"),
        ({"hotwords": ["a", ""]}, "hotwords.1: "),
        ({"model": ""}, "model: "),
        ({"audioTrack": -1}, "audioTrack: "),
    ],
)
def test_the_first_field_at_fault_is_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        validated(UploadOptions, values)
    assert str(raised.value).startswith(message)


def lists_in(schema: object) -> Iterator[dict[str, Any]]:
    """All lists of any length in a schema of pydantic's core."""
    parts = schema if isinstance(schema, list | tuple) else ()
    if isinstance(schema, dict):
        parts = schema.values()
        kind = schema.get("type")
        if kind in ("list", "set", "frozenset") or "variadic_item_index" in schema:
            yield schema
    for part in parts:
        yield from lists_in(part)


@pytest.mark.parametrize(
    "model",
    [
        *(UploadOptions, FinalizeOptions, JobData, StartAudio, AudioFields),
        *(InsightsFields, AskFields, Configuration),
    ],
)
def test_a_list_ends_with_its_first_fault(model: type[BaseModel]) -> None:
    """Half a million faults of one list would keep everybody else waiting for seconds."""
    found = list(lists_in(model.__pydantic_core_schema__))
    assert found
    assert [each for each in found if not (each.get("fail_fast") and each.get("max_length"))] == []


@pytest.mark.parametrize(
    ("model", "field", "items"),
    [
        (UploadOptions, "hotwords", [0]),
        (UploadOptions, "knownSpeakers", [0]),
        (UploadOptions, "template", {"name": "a", "sections": [0, 0]}),
        (AskFields, "history", [0, 0]),
        (AskFields, "recordings", [0, 0]),
    ],
)
def test_the_first_fault_of_a_list_is_named(model: type[BaseModel], field: str, items: Any) -> None:
    with pytest.raises(InvalidRequest) as refused:
        validated(model, {"question": "?", field: items})
    assert str(refused.value.param).startswith(field)
    assert refused.value.param.endswith("0") or "0." in refused.value.param
