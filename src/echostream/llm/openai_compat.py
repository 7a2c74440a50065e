"""Any server with OpenAI's chat completions, through the official SDK; its only importer."""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import structlog
from pydantic import SecretStr

from echostream.extras import require
from echostream.llm.answers import schema_of, schema_text
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
from echostream.llm.tokens import fewest_tokens

if TYPE_CHECKING:
    import openai
    from openai.types import CompletionUsage
    from openai.types.chat import ChatCompletion

_log = structlog.get_logger()

_RETRYABLE = {408, 409, 429, 500, 502, 503, 504}
_NO_SCHEMA = {400, 404, 415, 422, 501}
_NEVER = {401: "refused the API key", 403: "refused the API key"}


class _SchemaRefused(InsightsError):
    """The server does not accept the response format it was sent."""


class OpenAIModel(CallingModel):
    """A model behind an OpenAI-compatible server; if `model` is None, the only one it offers.

    The server constrains answers to a JSON schema. If it refuses the schema, JSON mode is used
    with the schema in the instructions. The SDK's retries are off: it would wait longer than we
    allow and repeat calls that time out.
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
        super().__init__(timeout_s, retries)
        require("openai", "an OpenAI-compatible server for insights")
        # Imported here because it takes half a second that other providers need not pay.
        import openai

        self.model = model
        self._takes_schema = True
        self._naming = asyncio.Lock()
        self._client = openai.AsyncOpenAI(
            # Always set: otherwise the SDK would read its own environment variables.
            base_url=base_url or "https://api.openai.com/v1",
            api_key=api_key.get_secret_value() if api_key else "unused",
            timeout=timeout_s,
            max_retries=0,
        )

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._client.close()

    async def complete_once(
        self, messages: Sequence[Message], shape: type[Answer] | None, usage: Usage
    ) -> str:
        """See `CallingModel`. Remembers it if the server accepts no schema."""
        if shape is None:
            return await self._chat(messages, usage)
        if self._takes_schema:
            schema = {"name": "insights", "schema": schema_of(shape), "strict": True}
            try:
                return await self._chat(
                    messages, usage, response_format={"type": "json_schema", "json_schema": schema}
                )
            except _SchemaRefused as error:
                _log.info("insights_json_mode", reason=str(error))
        # In the first message, because some servers accept a single system message only.
        first, *others = messages
        told = Message(first.role, f"{first.text}\nThe JSON schema: {schema_text(shape)}")
        text = await self._chat([told, *others], usage, response_format={"type": "json_object"})
        self._takes_schema = False
        return text

    async def stream_once(self, messages: Sequence[Message], usage: Usage) -> AsyncGenerator[str]:
        """See `CallingModel`."""
        create: Any = self._client.chat.completions.create
        with _translating():
            chunks = await create(
                model=await self._known_model(),
                messages=_wire(messages),
                stream=True,
                stream_options={"include_usage": True},
            )
            async with chunks:
                async for chunk in chunks:
                    _check_usage(chunk.usage, messages, usage)
                    for choice in chunk.choices[:1]:
                        _check_ending(choice.finish_reason, choice.delta.refusal)
                        if text := choice.delta.content:
                            yield text

    async def _chat(self, messages: Sequence[Message], usage: Usage, **more: Any) -> str:
        create: Any = self._client.chat.completions.create
        with _translating():
            completion: ChatCompletion = await create(
                model=await self._known_model(), messages=_wire(messages), **more
            )
            choices = getattr(completion, "choices", None)
            if not choices or choices[0].message is None:
                raise InsightsError("the model gave no answer")
            _check_usage(completion.usage, messages, usage)
            message = choices[0].message
            _check_ending(choices[0].finish_reason, message.refusal)
        return message.content if isinstance(message.content, str) else ""

    async def _known_model(self) -> str:
        """The model's id. Asks a server that has just one, such as llama.cpp and vLLM, for it."""
        async with self._naming:
            if self.model is None:
                page = await self._client.models.list()
                names = [model.id for model in page.data or []]
                if len(names) != 1:
                    raise ProviderUnavailable(
                        f"OPENAI_MODEL is not set and the server offers {len(names)} models"
                    )
                self.model = str(names[0])
            return self.model


def _wire(messages: Sequence[Message]) -> list[dict[str, str]]:
    return [{"role": each.role, "content": each.text} for each in messages]


@contextmanager
def _translating() -> Iterator[None]:
    """Turns the SDK's errors into ours. It does not check that replies have its types."""
    import openai

    try:
        yield
    except openai.APITimeoutError as error:
        raise TimeoutError from error
    except openai.APIStatusError as error:
        raise _translated(error) from error
    except openai.APIConnectionError as error:
        raise Transient("the model's server could not be reached") from error
    except (openai.OpenAIError, ValueError) as error:
        raise Transient("the server's reply could not be read") from error
    except (AttributeError, TypeError, LookupError) as error:
        raise InsightsError("the server's reply could not be read") from error


def _check_usage(used: "CompletionUsage | None", messages: Sequence[Message], usage: Usage) -> None:
    """Counts the tokens. Raises TooLong if the server has cut the prompt."""
    if used is None:
        return
    usage.add(used.prompt_tokens, used.completion_tokens)
    sent = "".join(each.text for each in messages)
    if used.prompt_tokens and used.prompt_tokens < fewest_tokens(sent):
        # Ollama cuts a prompt to its window (`num_ctx`) and reports no error; only its token
        # count shows it.
        raise TooLong("the server read only a part of the prompt; lower INSIGHTS_CONTEXT_TOKENS")


def _check_ending(reason: str | None, refusal: str | None) -> None:
    if reason == "length":
        raise TooLong("the model's answer was cut off")
    if reason == "content_filter" or refusal:
        raise InsightsError("the model declined to answer")


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
