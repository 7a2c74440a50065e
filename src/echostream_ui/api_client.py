"""The frontend's HTTP client for the API, with the API's errors as readable sentences."""

import asyncio
import json
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import httpx2

from echostream.options import UploadOptions
from echostream_ui.library.values import Json

_STATUS_TIMEOUT_S = 3.0
_ANSWER_TIMEOUT_S = 6 * 3600.0
"""Without a queue, the answer comes only when the transcription is finished."""
_SILENT_S = 60.0
"""How long the API may say nothing at all about work that is watched. Without news it says the same
again every 10 s."""

_ADVICE = {
    "unreachable": "Start it with `echostream serve`, or set `API_BASE_URL` to where it is.",
    "unauthorized": "Set the frontend's `API_BEARER_TOKEN` to the one the API has.",
    "invalid_audio": "Choose a file that plays, in any usual audio or video format.",
    "invalid_request": "Change the options and try again.",
    "audio_too_large": "Choose a smaller file, or raise the API's `MAX_UPLOAD_MB`.",
    "audio_too_long": "Cut the recording into parts, or raise the API's `MAX_AUDIO_SECONDS`.",
    "url_not_allowed": "Give a public http or https address of an audio or video file.",
    "url_fetch_failed": "Open the address in a browser to see whether it is right and public.",
    "server_busy": "It goes on as soon as there is room.",
    "model_unavailable": "Look at the API's log: the speech model could not be loaded.",
    "queue_unavailable": "Check that Redis is running; it goes on as soon as Redis is back.",
    "storage_unavailable": "Check the API's `STORAGE_URL`.",
    "storage_full": "Make room on the API's disk.",
    "job_not_found": "Try again: the job has been removed or has expired.",
    "no_language_model": "Set the API's `GEMINI_API_KEY`, `OPENAI_BASE_URL` or `LOCAL_LLM_MODEL`,"
    " as `docs/how-to/insights.md` shows.",
    "answer_failed": "Ask again; if it fails again, look at the API's log.",
    "insights_off": "Set the API's `INSIGHTS_PROVIDER` to something but `none`.",
    "process_failed": "Try again; if it fails again, look at the API's log.",
}
_PASSING = {"unreachable", "server_busy", "queue_unavailable", "storage_unavailable"}


class ApiError(Exception):
    """The API refused or failed, or cannot be reached. `code` is the API's code or `unreachable`;
    the message is a sentence and `advice` says what to do. If `is_passing`, the same request may
    succeed later."""

    def __init__(self, code: str, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.advice = _ADVICE.get(code, "")
        self.is_passing = code in _PASSING
        self.retry_after_s = retry_after_s

    @property
    def words(self) -> str:
        """The message and the advice."""
        return " ".join(part for part in (_sentence(str(self)), self.advice) if part)


class Options(UploadOptions):
    """The options of a recording: all that the API has, and its defaults except for one."""

    word_timestamps: bool = True  # subtitles need the times of words

    def as_json(self) -> Json:
        """The options under the names that the API uses."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


@dataclass(frozen=True, slots=True)
class Status:
    """The API's condition. `problems` are sentences; empty if all is well."""

    has_queue: bool
    problems: tuple[str, ...] = ()
    is_loading: bool = False


@dataclass(frozen=True, slots=True)
class Templates:
    """What insights can look for: templates as the API has them, and the name of its default."""

    default: str = ""
    offered: tuple[Json, ...] = ()


class ApiClient:
    """For use in one event loop. Methods raise only ApiError."""

    def __init__(self, base_url: str, token: str | None) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        timeout = httpx2.Timeout(_ANSWER_TIMEOUT_S, connect=5.0, write=120.0)
        self.base_url = base_url
        self._http = httpx2.AsyncClient(base_url=base_url, headers=headers, timeout=timeout)

    async def aclose(self) -> None:
        await self._http.aclose()

    async def status(self) -> Status:
        response = await self._send("GET", "/ready", timeout=_STATUS_TIMEOUT_S, accept=(503,))
        checks = response.get("checks", {})
        wrong = {name: str(check["detail"]) for name, check in checks.items() if not check["ok"]}
        is_loading = wrong.get("engine") == "loading"
        if is_loading:
            del wrong["engine"]  # it will be there in a moment
        return Status(
            has_queue=checks.get("queue", {}).get("detail") != "off",
            problems=tuple(_sentence(detail) for detail in wrong.values()),
            is_loading=is_loading,
        )

    async def models(self) -> tuple[str, ...]:
        """Returns the available models, the default first. Waits until the default is loaded."""
        found = await self._send("GET", "/v1/models")
        return tuple(str(each["id"]) for each in found["data"])

    async def transcribe(
        self,
        source: Path | str,
        request: Json,
        on_sent: Callable[[float], None],
        on_progress: Callable[[Json], None],
    ) -> Json:
        """Returns the API's answer for a file or a URL. `on_sent` gets the share of the file that
        has been sent, 0 to 1; `on_progress` then gets what `job` returns about an active job."""
        with self._body(source, request, on_sent) as body:
            watched = {"Accept": "text/event-stream"}
            try:
                async with self._http.stream(
                    "POST", "/upload-audio", headers=watched, **body
                ) as stream:
                    return await _watch(stream, on_progress)
            except httpx2.TransportError as error:
                raise self._unreachable() from error

    async def enqueue(
        self, source: Path | str, request: Json, on_sent: Callable[[float], None], key: str
    ) -> str:
        """Returns the job's id. The same `key` gives the same job."""
        headers = {"Idempotency-Key": key}
        with self._body(source, request | {"useQueue": True}, on_sent) as body:
            answer = await self._send("POST", "/upload-audio", headers=headers, **body)
        return str(answer["jobId"])

    async def job(self, job_id: str) -> Json:
        """Returns a job's state and progress, and its result or error."""
        return await self._send("GET", f"/job/{job_id}", timeout=30.0)

    async def cancel(self, job_id: str) -> None:
        """Cancels or removes a job. Does nothing if the job does not exist."""
        try:
            await self._send("DELETE", f"/job/{job_id}", timeout=30.0)
        except ApiError as error:
            if error.code != "job_not_found":
                raise

    async def templates(self) -> Templates:
        found = await self._send("GET", "/insights/templates", timeout=30.0)
        return Templates(str(found["default"]), tuple(found["templates"]))

    async def insights_models(self) -> tuple[str, ...]:
        """Returns the names of what can generate insights, the default first."""
        found = await self._send("GET", "/insights/models", timeout=30.0)
        return tuple(str(each["name"]) for each in found["models"])

    async def insights(self, request: Json) -> Json:
        """Returns insights into the request's `segments`. Evidence has the segments' own ids."""
        answer = await self._send("POST", "/insights", json=request)
        return dict(answer["insights"])

    async def ask(self, request: Json) -> AsyncGenerator[str | Json]:
        """Yields the text of an answer piece by piece, at last the whole answer of `/ask`. Close it
        to stop the language model."""
        try:
            async with self._http.stream("POST", "/ask", json=request | {"stream": True}) as stream:
                if not stream.is_success:
                    await stream.aread()
                    raise _error(stream)
                if "event-stream" not in stream.headers.get("content-type", ""):
                    raise _other(stream)
                async for name, data in _events(stream.aiter_text()):
                    if name == "error":
                        raise ApiError(str(data["error"]), str(data["message"]))
                    yield data if name == "done" else str(data["text"])
                    if name == "done":
                        return
        except httpx2.TransportError as error:
            raise self._unreachable() from error
        raise ApiError("answer_failed", "The answer broke off.")

    @contextmanager
    def _body(
        self, source: Path | str, request: Json, on_sent: Callable[[float], None]
    ) -> Iterator[Json]:
        """The body of a request with audio: arguments for httpx, good while the block runs."""
        asked = {name: value for name, value in request.items() if value not in (None, "", [])}
        if isinstance(source, str):
            yield {"json": asked | {"audioUrl": source}}
            return
        with source.open("rb") as file:
            audio = (source.name, _Counted(file, on_sent))
            fields = {name: _as_form(value) for name, value in asked.items()}
            yield {"data": fields, "files": {"audio": audio}}

    async def _send(
        self, method: str, path: str, *, accept: tuple[int, ...] = (), **kwargs: object
    ) -> Json:
        try:
            response = await self._http.request(method, path, **kwargs)  # type: ignore[arg-type]
        except httpx2.TransportError as error:
            raise self._unreachable() from error
        if response.is_success or response.status_code in accept:
            return _json(response)
        raise _error(response)

    def _unreachable(self) -> ApiError:
        return ApiError("unreachable", f"The API at {self.base_url} cannot be reached.")


class _Counted:
    """A file that reports how much of it has been read."""

    def __init__(self, file: BinaryIO, on_read: Callable[[float], None]) -> None:
        self._file = file
        self._size = max(os.fstat(file.fileno()).st_size, 1)
        self._on_read = on_read
        self.seek, self.tell, self.fileno = file.seek, file.tell, file.fileno

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(size)
        self._on_read(min(1.0, self._file.tell() / self._size))
        return piece


def _as_form(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


async def _watch(stream: httpx2.Response, on_progress: Callable[[Json], None]) -> Json:
    """Reads the answer of watched work. An older API answers at the end only, with JSON."""
    if not stream.is_success:
        await stream.aread()
        raise _error(stream)
    if "event-stream" not in stream.headers.get("content-type", ""):
        await stream.aread()
        return _json(stream)
    async for name, data in _events(_while_alive(stream.aiter_text())):
        if name == "error":
            raise ApiError(str(data["error"]), str(data["message"]))
        if name == "done":
            return dict(data)
        on_progress(data)
    raise ApiError("unreachable", "The API broke off its answer.")


async def _events(texts: AsyncIterator[str]) -> AsyncGenerator[tuple[str, Json]]:
    """Yields names and data of server-sent events, as our API writes them. They are not read line
    by line: the data may hold characters that httpx takes for the end of a line."""
    pieces: list[str] = []  # not one string, which a long event would copy with each piece
    async for piece in texts:
        pieces.append(piece)
        if "\n" not in piece:
            continue
        *whole, rest = "".join(pieces).split("\n\n")
        pieces = [rest]
        for event in whole:
            name, _, data = event.partition("\n")
            yield name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


async def _while_alive(texts: AsyncIterator[str]) -> AsyncGenerator[str]:
    """Raises ReadTimeout if nothing comes for long."""
    while True:
        try:
            async with asyncio.timeout(_SILENT_S):
                text = await anext(texts, None)
        except TimeoutError:
            raise httpx2.ReadTimeout("the API is silent") from None
        if text is None:
            return
        yield text


def _json(response: httpx2.Response) -> Json:
    try:
        body = response.json()
    except ValueError:
        body = None
    if isinstance(body, dict):
        return body
    raise _other(response)


def _other(response: httpx2.Response) -> ApiError:
    message = f"What answers at {response.url.host} is not EchoStream's API."
    return ApiError("unreachable", message)


def _error(response: httpx2.Response) -> ApiError:
    try:
        body = response.json()
        code, message = str(body["error"]), str(body["message"])
    except (ValueError, KeyError, TypeError):
        # For example a proxy's error page: use its status code, not its HTML.
        passing = response.status_code in (502, 503, 504)
        code = "unreachable" if passing else "process_failed"
        return ApiError(code, f"The API answered with status {response.status_code}.")
    after = response.headers.get("retry-after", "")
    return ApiError(code, message, retry_after_s=float(after) if after.isdigit() else None)


def _sentence(text: str) -> str:
    text = text.strip()
    if not text:
        return ""
    return text[0].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
