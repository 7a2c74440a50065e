"""Describes for the OpenAPI document what FastAPI cannot see of a route: its body, which is read as
a stream, and its errors. Bodies come from the models that check them, errors from their classes."""

from typing import Any, Literal

from pydantic import BaseModel, Field
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import NullableSchema, WithDefaultSchema

from echostream.errors import (
    AudioTooLarge,
    AudioTooLong,
    EchoStreamError,
    EngineRestarted,
    InvalidAudio,
    InvalidRequest,
    JobNotFound,
    ModelUnavailable,
    QueueUnavailable,
    RateLimited,
    ServerBusy,
    StorageFull,
    StorageUnavailable,
    Unauthorized,
)
from echostream.jobs import JobState
from echostream.schema import WarningShape

_FILE = {
    "type": "string",
    "format": "binary",
    "contentMediaType": "application/octet-stream",
    "description": "Any audio or video that ffmpeg reads.",
}

AUDIO_ERRORS = (
    Unauthorized,
    InvalidRequest,
    InvalidAudio,
    AudioTooLarge,
    AudioTooLong,
    ServerBusy,
    ModelUnavailable,
    EngineRestarted,
    StorageFull,
)
QUEUE_ERRORS = (QueueUnavailable, StorageUnavailable)
JOB_ERRORS = (Unauthorized, JobNotFound, InvalidRequest, *QUEUE_ERRORS)


class ErrorShape(BaseModel):
    """Every error of the REST API."""

    error: str = Field(description="A code to match on.")
    message: str = Field(description="A sentence for people.")
    requestId: str = Field(description="Also in the server's logs.")  # noqa: N815


class QueuedShape(BaseModel):
    """The answer to a request with `useQueue`."""

    success: Literal[True] = True
    jobId: str  # noqa: N815
    message: str = "Job queued for processing"
    warnings: list[WarningShape] | None = Field(
        None, description="There only where something was not understood."
    )


class RetriedShape(BaseModel):
    """The answer to a request that tries a job once more."""

    success: Literal[True] = True
    jobId: str  # noqa: N815
    state: JobState
    message: str = "Job will be tried again"


class OpenAIErrorFields(BaseModel):
    message: str
    type: str
    param: str | None
    code: str


class OpenAIErrorShape(BaseModel):
    """Every error under `/v1`."""

    error: OpenAIErrorFields


def errors(
    *errors: type[EchoStreamError], shape: type[BaseModel] = ErrorShape
) -> dict[int | str, dict[str, Any]]:
    """Returns the `responses` of a route that may answer with these errors. If several have the
    same status, clients tell them apart by their codes."""
    by_status: dict[int, list[str]] = {}
    # What asks for the token also counts its requests.
    counted = (RateLimited,) if Unauthorized in errors else ()
    for error in (*errors, *counted):
        by_status.setdefault(error.status, []).append(error.code)
    return {
        status: {"model": shape, "description": " or ".join(f"`{code}`" for code in codes)}
        for status, codes in sorted(by_status.items())
    }


def body_of(form: dict[str, Any], json: dict[str, Any] | None = None) -> dict[str, Any]:
    """Returns the `openapi_extra` of a route that takes a form, and JSON too if given."""
    content = {"multipart/form-data": form} | ({"application/json": json} if json else {})
    return {"requestBody": {"content": content}}


def json_body_of(
    fields: type[BaseModel], example: dict[str, Any], required: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Returns the `openapi_extra` of a route that takes JSON alone."""
    described = {"schema": _object(_properties(fields), required), "example": example}
    return {"requestBody": {"content": {"application/json": described}, "required": True}}


def form_of(fields: type[BaseModel], file: str, *, file_required: bool = True) -> dict[str, Any]:
    """Describes a form with these fields and a file. A field that may be repeated is shown with
    `[]`, as in OpenAI's API."""
    shown = {
        f"{name}[]" if schema.get("type") == "array" else name: schema
        for name, schema in _properties(fields).items()
    }
    return {"schema": _object({file: _FILE, **shown}, (file,) if file_required else ())}


def json_of(fields: type[BaseModel], required: str, example: dict[str, Any]) -> dict[str, Any]:
    """Describes a JSON object with these fields."""
    return {"schema": _object(_properties(fields), (required,)), "example": example}


def _object(properties: dict[str, Any], required: tuple[str, ...]) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    return schema | {"required": list(required)} if required else schema


def _properties(fields: type[BaseModel]) -> dict[str, Any]:
    schema = fields.model_json_schema(schema_generator=_Schema)
    properties: dict[str, Any] = _inlined(schema["properties"], schema.get("$defs", {}))
    return properties


def _inlined(node: Any, defined: dict[str, Any]) -> Any:
    """`node` with the definitions in place of references to them, which would lead nowhere where
    only the properties are shown."""
    if isinstance(node, list):
        return [_inlined(each, defined) for each in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        return _inlined(defined[name], defined) | {k: v for k, v in node.items() if k != "$ref"}
    return {key: _inlined(value, defined) for key, value in node.items()}


class _Schema(GenerateJsonSchema):
    """Leaves out null and titles: null equals an absent field, and forms have no null."""

    def nullable_schema(self, schema: NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: WithDefaultSchema) -> JsonSchemaValue:
        found = super().default_schema(schema)
        if found.get("default") in (None, []):
            found.pop("default", None)
        return found

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False
