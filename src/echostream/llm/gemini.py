"""Google Gemini through the google-genai SDK. The only module that imports it."""

import re
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING, Any

import httpx2
from pydantic import SecretStr

from echostream.extras import require
from echostream.llm.answers import schema_of
from echostream.llm.base import (
    Answer,
    InsightsError,
    ProviderUnavailable,
    RetryPolicy,
    TooLong,
    Transient,
    Usage,
)
from echostream.llm.calls import CallingModel, Message

if TYPE_CHECKING:
    from google.genai import errors, types

_SECONDS = re.compile(r"(\d+(?:\.\d+)?)s")
_RETRYABLE = {408, 429, 500, 502, 503, 504}
_NEVER = {401: "refused the API key", 403: "refused the API key", 404: "does not know the model"}


class GeminiModel(CallingModel):
    """A Gemini model. `base_url` overrides Google's endpoint (tests, proxies).

    The SDK does not retry unless told to, and ignores the delay that the server asks for.
    """

    name = "gemini"

    def __init__(
        self,
        api_key: SecretStr,
        model: str,
        *,
        timeout_s: float,
        base_url: str | None = None,
        retries: RetryPolicy = RetryPolicy(),  # noqa: B008 - frozen
    ) -> None:
        super().__init__(timeout_s, retries)
        require("gemini", "Gemini")
        # Imported here because it takes half a second that other providers need not pay.
        from google import genai
        from google.genai import types

        self.model: str = model
        # We pass a transport: otherwise the SDK picks httpx, httpx2 or aiohttp, whichever is
        # installed; each has its own errors, and with aiohttp the SDK retries.
        self._http = httpx2.AsyncClient(timeout=timeout_s)
        self._client = genai.Client(
            vertexai=False,
            api_key=api_key.get_secret_value(),
            http_options=types.HttpOptions(
                base_url=base_url,
                timeout=int(timeout_s * 1000),
                httpx_async_client=self._http,
            ),
        )

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._client.aio.aclose()
        self._client.close()
        await self._http.aclose()

    async def complete_once(
        self, messages: Sequence[Message], shape: type[Answer] | None, usage: Usage
    ) -> str:
        """See `CallingModel`."""
        with _translating():
            response = await self._client.aio.models.generate_content(
                model=self.model,
                contents=_contents(messages),
                config=_config(messages, shape),
            )
        _count(response, usage)
        text = _text_of(response)
        if not response.candidates:
            raise InsightsError("Gemini gave no answer")
        return text

    async def stream_once(self, messages: Sequence[Message], usage: Usage) -> AsyncGenerator[str]:
        """See `CallingModel`."""
        last: types.GenerateContentResponse | None = None
        with _translating():
            chunks: Any = await self._client.aio.models.generate_content_stream(
                model=self.model,
                contents=_contents(messages),
                config=_config(messages, None),
            )
            async with aclosing(chunks):
                async for chunk in chunks:
                    last = chunk
                    if text := _text_of(chunk):
                        yield text
        if last is not None:
            _count(last, usage)


def _config(
    messages: Sequence[Message], shape: type[Answer] | None
) -> "types.GenerateContentConfig":
    from google.genai import types

    system = "\n".join(each.text for each in messages if each.role == "system")
    config = types.GenerateContentConfig(system_instruction=system)
    if shape is not None:
        config.response_mime_type = "application/json"
        config.response_json_schema = schema_of(shape)
    return config


def _contents(messages: Sequence[Message]) -> "list[types.Content]":
    from google.genai import types

    return [
        types.Content(
            role="model" if each.role == "assistant" else "user",
            parts=[types.Part(text=each.text)],
        )
        for each in messages
        if each.role != "system"
    ]


@contextmanager
def _translating() -> Iterator[None]:
    """Turns the errors of the SDK and its HTTP client into ours."""
    from google.genai import errors

    try:
        yield
    except errors.APIError as error:
        raise _translated(error) from error
    except httpx2.TimeoutException as error:
        raise TimeoutError from error
    except httpx2.HTTPError as error:
        raise Transient("Gemini could not be reached") from error
    except (ValueError, TypeError) as error:
        # The SDK parses the reply itself: the body is not JSON or does not have its types.
        raise Transient("Gemini's reply could not be read") from error


def _count(response: "types.GenerateContentResponse", usage: Usage) -> None:
    if used := response.usage_metadata:
        # Thoughts are paid for as what is written.
        written = (used.candidates_token_count or 0) + (used.thoughts_token_count or 0)
        usage.add(used.prompt_token_count, written)


def _text_of(response: "types.GenerateContentResponse") -> str:
    """The text of the first candidate. Raises InsightsError if the model did not finish it."""
    feedback = response.prompt_feedback
    if feedback is not None and feedback.block_reason:
        raise InsightsError(f"Gemini blocked the transcript: {_word(feedback.block_reason)}")
    if not response.candidates:
        return ""  # a piece of a stream that holds only figures
    candidate = response.candidates[0]
    reason = _word(candidate.finish_reason or "STOP")
    if reason == "MAX_TOKENS":
        raise TooLong("Gemini's answer was cut off")
    if reason not in {"STOP", "FINISH_REASON_UNSPECIFIED"}:
        raise InsightsError(f"Gemini stopped its answer: {reason}")
    parts = (candidate.content and candidate.content.parts) or []
    return "".join(part.text for part in parts if part.text and not part.thought)


def _word(reason: Any) -> str:
    """The name of an enum member; members that the SDK does not know come as plain text."""
    return re.sub(r"\W", "", str(getattr(reason, "value", reason)))[:40]


def _translated(error: "errors.APIError") -> InsightsError:
    """Our error for the server's. Its text is not passed on: it may quote what it was sent."""
    code = error.code if isinstance(error.code, int) else 0
    if code in _NEVER:
        return ProviderUnavailable(f"Gemini {_NEVER[code]} ({code})")
    details = _details(error)
    if code == 400 and any(item.get("reason") == "API_KEY_INVALID" for item in details):
        return ProviderUnavailable("Gemini refused the API key (400)")
    if code == 400 and "token count" in str(error.message).lower():
        return TooLong("the transcript does not fit the model's window (400)")
    if code == 429 and _daily(details):
        return ProviderUnavailable("Gemini's quota for the day is used up (429)")
    if code in _RETRYABLE:
        return Transient(f"Gemini answered {code}", retry_after_s=_delay_s(details))
    return InsightsError(f"Gemini answered {code}")


def _details(error: "errors.APIError") -> list[dict[str, Any]]:
    """The typed details of a Google error (google.rpc.QuotaFailure, RetryInfo, ErrorInfo)."""
    body = error.details if isinstance(error.details, dict) else {}
    inner = body.get("error", body)
    items = inner.get("details") if isinstance(inner, dict) else None
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _daily(details: list[dict[str, Any]]) -> bool:
    """Whether a daily quota was exceeded, for instance `GenerateRequestsPerDayPerProject…`."""
    return any(
        "perday" in str(violation.get("quotaId", "")).lower().replace("_", "")
        for item in details
        for violation in item.get("violations") or ()
        if isinstance(violation, dict)
    )


def _delay_s(details: list[dict[str, Any]]) -> float | None:
    """`RetryInfo.retryDelay` in seconds, such as `34s` or `0.2s`."""
    for item in details:
        if match := _SECONDS.fullmatch(str(item.get("retryDelay", ""))):
            return float(match[1])
    return None
