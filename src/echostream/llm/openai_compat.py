"""Any server with OpenAI's chat completions, through the official SDK; its only importer."""

import asyncio
from typing import TYPE_CHECKING, Any, TypeAlias

import structlog
from pydantic import SecretStr

from echostream.errors import InsightsError
from echostream.extras import require
from echostream.llm.answers import read_answer, schema_of, schema_text
from echostream.llm.base import (
    Answer,
    Prompt,
    ProviderUnavailable,
    RetryPolicy,
    Shape,
    TooLong,
    Transient,
    with_retries,
)
from echostream.llm.tokens import fewest_tokens

if TYPE_CHECKING:
    import openai
    from openai.types.chat import ChatCompletion

_log = structlog.get_logger()

_RETRYABLE = {408, 409, 429, 500, 502, 503, 504}
_NO_SCHEMA = {400, 404, 415, 422, 501}
_NEVER = {401: "refused the API key", 403: "refused the API key"}
_SHOWN_CHARS = 4_000

Message: TypeAlias = dict[str, str]


class _SchemaRefused(InsightsError):
    """The server does not accept the response format it was sent."""


class OpenAIModel:
    """A model behind an OpenAI-compatible server; if `model` is None, the only one it offers.

    The server constrains answers to a JSON schema. If it refuses the schema, JSON mode is used
    with the schema in the instructions. An answer that does not validate is sent back once to be
    repaired. Only our code retries, the SDK's retries are off: it would wait longer than we allow
    and repeat calls that time out.
    """

    name = "openai"

    def __init__(
        self,
        *,
        base_url: str | None,
        api_key: SecretStr | None,
        model: str | None,
        timeout_s: float,
        retries: RetryPolicy = RetryPolicy(),  # noqa: B008 - frozen
    ) -> None:
        require("openai", "an OpenAI-compatible server for insights")
        # Imported here because it takes half a second that other providers need not pay.
        import openai

        self.model = model
        self._timeout_s = timeout_s
        self._retries = retries
        self._takes_schema = True
        self._naming = asyncio.Lock()
        self._client = openai.AsyncOpenAI(
            # Always set: otherwise the SDK would read its own environment variables.
            base_url=base_url or "https://api.openai.com/v1",
            api_key=api_key.get_secret_value() if api_key else "unused",
            timeout=timeout_s,
            max_retries=0,
        )

    async def answer(self, prompt: Prompt, shape: type[Shape]) -> Shape:
        """See `LanguageModel`. The model may repair its answer once."""
        async with self._naming:
            if self.model is None:
                self.model = await with_retries(self._only_model, self._retries)
        messages = [_message("system", prompt.system), _message("user", prompt.data)]
        text = await self._complete(messages, shape)
        try:
            return read_answer(text, shape)
        except InsightsError as error:
            _log.info("insights_repair", reason=str(error))
            ask = f"That cannot be used: {error}. Answer again with the whole JSON object only."
            shown = [_message("assistant", text[:_SHOWN_CHARS]), _message("user", ask)]
        return read_answer(await self._complete(messages + shown, shape), shape)

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._client.close()

    async def _complete(self, messages: list[Message], shape: type[Answer]) -> str:
        """The answer's text. Remembers it if the server accepts no schema."""
        if self._takes_schema:
            schema = {"name": "insights", "schema": schema_of(shape), "strict": True}
            response_format = {"type": "json_schema", "json_schema": schema}
            try:
                return await with_retries(
                    lambda: self._complete_once(messages, response_format), self._retries
                )
            except _SchemaRefused as error:
                _log.info("insights_json_mode", reason=str(error))
        told = f"{messages[0]['content']}\nThe JSON schema: {schema_text(shape)}"
        messages = [_message("system", told), *messages[1:]]
        text = await with_retries(
            lambda: self._complete_once(messages, {"type": "json_object"}), self._retries
        )
        self._takes_schema = False
        return text

    async def _complete_once(self, messages: list[Message], response_format: Any) -> str:
        create: Any = self._client.chat.completions.create
        completion = await self._call(
            create(model=self.model, messages=messages, response_format=response_format)
        )
        try:
            return _text_of(completion, "".join(message["content"] for message in messages))
        except (AttributeError, TypeError, LookupError) as error:
            # The SDK does not check that replies have its types.
            raise InsightsError("the server's reply could not be read") from error

    async def _only_model(self) -> str:
        """The model of a server that has just one, as llama.cpp and vLLM do."""
        page = await self._call(self._client.models.list())
        names = [model.id for model in page.data or []]
        if len(names) != 1:
            raise ProviderUnavailable(
                f"OPENAI_MODEL is not set and the server offers {len(names)} models"
            )
        return str(names[0])

    async def _call(self, request: Any) -> Any:
        """Awaits a request of the SDK, within the time limit, and translates its errors."""
        import openai

        try:
            # The SDK's limit applies to each read or write; this one to the whole call.
            async with asyncio.timeout(self._timeout_s):
                return await request
        except (TimeoutError, openai.APITimeoutError) as error:
            raise InsightsError(f"the model did not answer in {self._timeout_s:g} s") from error
        except openai.APIStatusError as error:
            raise _translated(error) from error
        except openai.APIConnectionError as error:
            raise Transient("the model's server could not be reached") from error
        except (openai.OpenAIError, ValueError, TypeError) as error:
            raise Transient("the server's reply could not be read") from error


def _message(role: str, content: str) -> Message:
    return {"role": role, "content": content}


def _text_of(completion: "ChatCompletion", sent: str) -> str:
    """The text of the first choice. Raises InsightsError if it is missing or cut off."""
    choices = getattr(completion, "choices", None)
    if not choices or choices[0].message is None:
        raise InsightsError("the model gave no answer")
    choice = choices[0]
    usage = completion.usage
    if usage and usage.prompt_tokens and usage.prompt_tokens < fewest_tokens(sent):
        # Ollama cuts a prompt to its window (`num_ctx`) and reports no error; only its token
        # count shows it.
        raise TooLong("the server read only a part of the prompt; lower INSIGHTS_CONTEXT_TOKENS")
    if choice.finish_reason == "length":
        raise TooLong("the model's answer was cut off")
    if choice.finish_reason == "content_filter" or choice.message.refusal:
        raise InsightsError("the model declined to answer")
    content = choice.message.content
    return content if isinstance(content, str) else ""


def _translated(error: "openai.APIStatusError") -> InsightsError:
    """Our error for the server's. Its text is not passed on: it may quote what it was sent."""
    code = error.status_code
    said = str(error.body or error.message).lower()
    if code in _NEVER:
        return ProviderUnavailable(f"the model's server {_NEVER[code]} ({code})")
    if code == 429 and "insufficient_quota" in said:
        return ProviderUnavailable("the quota at the model's server is used up (429)")
    if code in _RETRYABLE:
        return Transient(f"the model's server answered {code}", retry_after_s=_delay_s(error))
    if code in {400, 413} and "context" in said and ("length" in said or "size" in said):
        return TooLong(f"the transcript does not fit the model's window ({code})")
    if code in _NO_SCHEMA and ("response_format" in said or "schema" in said or code != 404):
        return _SchemaRefused(f"the model's server answered {code}")
    if code == 404:
        return ProviderUnavailable("the model's server does not know the model or path (404)")
    return InsightsError(f"the model's server answered {code}")


def _delay_s(error: "openai.APIStatusError") -> float | None:
    """`Retry-After` in seconds. Dates are rare there; for those our own waits are used."""
    try:
        return max(0.0, float(error.response.headers["retry-after"]))
    except (KeyError, ValueError):
        return None
