"""Reads request bodies: forms with files on disk, and JSON, with size limits while streaming."""

import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, Generic, TypeVar
from urllib.parse import parse_qsl

from fastapi import Request
from pydantic import BaseModel
from python_multipart.exceptions import FormParserError
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from echostream.errors import AudioTooLarge, InvalidRequest, StorageFull
from echostream.given_json import parse
from echostream.options import validated
from echostream.web.deps import services_of

F = TypeVar("F", bound=BaseModel)

_MAX_TEXT_BYTES = 16 * 1024 * 1024
"""Of JSON, and of all fields of a form together. They may hold transcripts; those of four hours
with word times take about 8 MiB."""
_MAX_URLENCODED_BYTES = 2 * 1024 * 1024
_MAX_FIELDS = 50
_MAX_FILES = 4
_MULTIPART = "multipart/form-data"
_URLENCODED = "application/x-www-form-urlencoded"
_ARRAY_FIELD = re.compile(r"(\w+)\[\d*\]")


@dataclass(frozen=True, slots=True)
class Body(Generic[F]):
    """The body of a request. `file` is an unlinked file on disk, so that a process that dies leaves
    nothing behind."""

    fields: F
    file: BinaryIO | None = None


@asynccontextmanager
async def read_body(request: Request, fields: type[F]) -> AsyncIterator[Body[F]]:
    """Reads a form with its file in `audio`, or JSON. Raises the same errors as `read_form`."""
    if is_form(request):
        async with read_form(request, fields, "audio") as body:
            yield body
    else:
        yield Body(await read_json(request, fields))


@asynccontextmanager
async def read_form(request: Request, fields: type[F], file: str) -> AsyncIterator[Body[F]]:
    """Reads a form with its file in the field `file`, which is closed on exit.

    Raises AudioTooLarge, InvalidRequest for a malformed body or an invalid field, StorageFull and
    ClientDisconnect.
    """
    max_bytes = services_of(request.app).settings.max_upload_bytes
    async with _parsed(request, max_bytes) as form:
        values = _values(form, besides=file)
        yield Body(validated(fields, values), _file_of(form, file, max_bytes))


async def read_json(request: Request, fields: type[F]) -> F:
    """Reads JSON. Raises InvalidRequest and ClientDisconnect."""
    return validated(fields, await _read_json(request))


def is_form(request: Request) -> bool:
    return _content_type(request) in (_MULTIPART, _URLENCODED)


def _content_type(request: Request) -> str:
    """The media type of the body, lower-case and without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _values(form: FormData, besides: str) -> dict[str, Any]:
    """Returns all fields but one. A field that is repeated, or has `[]` or `[0]` after its name,
    is a list. A form has no null, so an empty field counts as left out."""
    given: dict[str, list[Any]] = {}
    lists: set[str] = set()
    for name, value in form.multi_items():
        if not value or name == besides:
            continue
        match = _ARRAY_FIELD.fullmatch(name)
        plain = match[1] if match else name
        given.setdefault(plain, []).append(value)
        if match or len(given[plain]) > 1:
            lists.add(plain)
    return {name: values if name in lists else values[0] for name, values in given.items()}


@asynccontextmanager
async def _parsed(request: Request, max_file_bytes: int) -> AsyncIterator[FormData]:
    _refuse_declared_size(request, max_file_bytes)
    try:
        form = await _read_parsed(request, max_file_bytes)
    except MultiPartException as error:
        raise InvalidRequest(f"the form cannot be read: {error.message}") from error
    except FormParserError as error:
        raise InvalidRequest("the form cannot be read: its body is malformed") from error
    except OSError as error:
        raise StorageFull("the server has no room for this upload") from error
    try:
        yield form
    finally:
        await form.close()


async def _read_parsed(request: Request, max_file_bytes: int) -> FormData:
    if _content_type(request) == _MULTIPART:
        stream = _bounded(request, max_file_bytes + _MAX_TEXT_BYTES, max_file_bytes)
        return await _WholeMultipart(request.headers, stream).parse()
    stream = _bounded(request, _MAX_URLENCODED_BYTES, _MAX_URLENCODED_BYTES)
    body = b"".join([block async for block in stream])
    # Not Starlette's parser, which takes a microsecond or more for each sign.
    try:
        fields: list[tuple[str, UploadFile | str]] = [
            *parse_qsl(body.decode("latin-1"), max_num_fields=_MAX_FIELDS)
        ]
    except ValueError as error:
        raise InvalidRequest(f"the form has more than {_MAX_FIELDS} fields") from error
    return FormData(fields)


class _WholeMultipart(MultiPartParser):
    """Refuses a body without its closing boundary, which Starlette would accept, and more text than
    may be held in memory."""

    # Straight to disk, where ffmpeg needs it, so that a full disk is noticed here.
    spool_max_size = 1

    def __init__(self, headers: Headers, stream: AsyncGenerator[bytes]) -> None:
        super().__init__(
            headers,
            self._to_its_end(stream),
            max_files=_MAX_FILES,
            max_fields=_MAX_FIELDS,
            max_part_size=_MAX_TEXT_BYTES,
        )
        self._ended = False

    def on_part_end(self) -> None:
        super().on_part_end()
        _name, value = self.items[-1]
        if isinstance(value, str):
            self.max_part_size -= len(value.encode())  # the next field may have the rest

    def on_end(self) -> None:
        self._ended = True

    async def _to_its_end(self, stream: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
        async for chunk in stream:
            yield chunk
        if not self._ended:
            # Raised here because the parser closes its files on an error of its stream.
            raise MultiPartException("Its closing boundary is missing.")


def _refuse_declared_size(request: Request, max_file_bytes: int) -> None:
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > max_file_bytes + _MAX_TEXT_BYTES:
        raise _too_large(max_file_bytes)


async def _bounded(request: Request, max_bytes: int, max_file_bytes: int) -> AsyncGenerator[bytes]:
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > max_bytes:
            raise _too_large(max_file_bytes)
        yield chunk


def _too_large(max_bytes: int) -> AudioTooLarge:
    return AudioTooLarge(f"the upload is over the limit of {max_bytes // 1024 // 1024} MiB")


async def _read_json(request: Request) -> dict[str, Any]:
    """Returns the JSON object of the body, empty if there is no body."""
    if _content_type(request) == "text/plain":  # what a page of any site may send
        raise InvalidRequest("the body must be application/json")
    body = await _json_bytes(request)
    if not body.strip():
        return {}
    try:
        value = parse(body)
    except ValueError as error:
        raise InvalidRequest(f"the body is not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise InvalidRequest("the JSON body must be an object")
    return value


async def _json_bytes(request: Request) -> bytearray:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_TEXT_BYTES:
            raise InvalidRequest(f"the JSON body is over {_MAX_TEXT_BYTES // 1024 // 1024} MiB")
    return body


def _file_of(form: FormData, field: str, max_file_bytes: int) -> BinaryIO | None:
    """Returns the uploaded file of a field, or None if it is absent. Raises AudioTooLarge, and
    InvalidRequest if the field is not a file."""
    value = form.get(field)
    if value is None:
        return None
    if not isinstance(value, UploadFile):
        if value == "":
            return None
        raise InvalidRequest(f"the field {field!r} must be a file")
    if value.size is not None and value.size > max_file_bytes:
        raise _too_large(max_file_bytes)
    return value.file
