"""Request bodies: forms whose files go to disk, and JSON, both bounded while they stream."""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, BinaryIO

from fastapi import Request
from python_multipart.exceptions import FormParserError
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser

from echostream.errors import AudioTooLarge, InvalidRequest, StorageFull

_MAX_JSON_BYTES = 1024 * 1024
_FORM_OVERHEAD_BYTES = 1024 * 1024
_MAX_FIELDS = 50
_MAX_FILES = 4
_MULTIPART = "multipart/form-data"
_URLENCODED = "application/x-www-form-urlencoded"


def content_type(request: Request) -> str:
    """The media type of the body, lower-case and without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def is_form(request: Request) -> bool:
    return content_type(request) in (_MULTIPART, _URLENCODED)


@asynccontextmanager
async def read_form(request: Request, max_file_bytes: int) -> AsyncIterator[FormData]:
    """The fields and files of a form. Files lie unlinked on disk and are closed on leaving, so a
    process that dies leaves nothing behind.

    Raises AudioTooLarge, InvalidRequest for a malformed body, StorageFull, and ClientDisconnect.
    """
    _refuse_declared_size(request, max_file_bytes)
    stream = _bounded(request, max_file_bytes + _FORM_OVERHEAD_BYTES, max_file_bytes)
    parser = _parser(request, stream)
    try:
        form = await parser.parse()
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


def _parser(request: Request, stream: AsyncGenerator[bytes]) -> MultiPartParser | FormParser:
    if content_type(request) == _MULTIPART:
        return MultiPartParser(
            request.headers, stream, max_files=_MAX_FILES, max_fields=_MAX_FIELDS
        )
    return FormParser(request.headers, stream)


def _refuse_declared_size(request: Request, max_file_bytes: int) -> None:
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > max_file_bytes + _FORM_OVERHEAD_BYTES:
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


async def read_json(request: Request) -> dict[str, Any]:
    """The JSON object of the body, empty when there is no body. Raises InvalidRequest."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_JSON_BYTES:
            raise InvalidRequest("the JSON body is over 1 MiB")
    if not body.strip():
        return {}
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest("the body is not valid JSON") from error
    if not isinstance(value, dict):
        raise InvalidRequest("the JSON body must be an object")
    return value


def file_of(form: FormData, field: str, max_file_bytes: int) -> BinaryIO | None:
    """The uploaded file of a field, or None when it is absent. Raises AudioTooLarge, and
    InvalidRequest where the field is there but is no file."""
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
