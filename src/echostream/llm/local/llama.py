"""llama.cpp through xllamacpp; the only importer of it. Used in the model's own process alone: a
failed assertion in llama.cpp ends the process."""

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from echostream.llm.base import InsightsError, ProviderUnavailable, TooLong
from echostream.llm.local.wire import Chat, Ended
from echostream.memory import available_bytes
from echostream.settings.cpus import cpu_count

_SOCKET = "llama.sock"
_BATCH_TOKENS = 32
"""Tokens of a prompt that are read at once. In between, llama.cpp notices that it is to stop."""
_QUIET = -1
_TEMPERATURE = 0.3
_GB = 1e9

Tell = Callable[[str], bool]
"""Takes a piece of text, which may be empty, and says whether to stop."""


class Llama:
    """A loaded model. Answers one call at a time, in the thread of its caller."""

    def __init__(self, path: Path, context_tokens: int, folder: Path) -> None:
        """`folder` is one that only this user can open. Raises ProviderUnavailable."""
        _check_memory(path)
        # Threads that wait must not spin: beside Whisper, it is six times slower if they do. OpenMP
        # reads this when it is loaded.
        os.environ["OMP_WAIT_POLICY"] = "passive"
        import xllamacpp

        socket = folder / _SOCKET
        socket.unlink(missing_ok=True)  # left by an earlier one
        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.n_ctx = context_tokens
        params.n_parallel = 1
        params.n_batch = params.n_ubatch = _BATCH_TOKENS
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = cpu_count()
        # Prompts with the same beginning share it, which needs no copies of older ones in memory.
        params.cache_prompt, params.cache_ram_mib = True, 0
        params.verbosity = _QUIET
        # llama.cpp always opens a server as well. Nobody may use it: without these lines, web pages
        # could, on a port of this machine.
        params.hostnames = [str(socket)]
        params.api_keys = [secrets.token_urlsafe()]
        params.endpoint_slots = params.ui = False
        try:
            self._server: Any = xllamacpp.Server(params)
        except RuntimeError as error:
            raise ProviderUnavailable("llama.cpp cannot load the model") from error
        socket.unlink(missing_ok=True)

    def chat(self, asked: Chat, tell: Tell) -> Ended:
        """Answers; `tell` is called with each piece, and regularly while the prompt is read.

        Raises TooLong if the prompt does not fit, or another InsightsError.
        """
        answer = _Answer(tell)
        try:
            self._server.handle_chat_completions(_request(asked), answer.take)
        except (RuntimeError, ValueError) as error:
            # Its text may quote what it was sent.
            raise InsightsError(f"llama.cpp refused the call ({type(error).__name__})") from error
        return answer.ended()

    def close(self) -> None:
        """Frees the memory."""
        self._server = None


@dataclass
class _Answer:
    """What came of one call so far."""

    tell: Tell
    fault: dict[str, Any] | None = None
    reason: str | None = None
    usage: dict[str, Any] = field(default_factory=dict)

    def take(self, chunk: dict[str, Any]) -> bool:
        """Takes the next chunk of a stream; returns whether to stop."""
        self.fault = chunk.get("error") or self.fault
        self.usage = chunk.get("usage") or self.usage
        text = ""
        for choice in chunk.get("choices", ())[:1]:
            self.reason = choice.get("finish_reason") or self.reason
            text = choice.get("delta", {}).get("content") or ""
        return self.tell(text)

    def ended(self) -> Ended:
        if self.fault is not None:
            raise _translated(self.fault)
        sent, written = (self.usage.get(f"{which}_tokens", 0) for which in ("prompt", "completion"))
        return Ended(self.reason != "stop", sent, written)


def _request(asked: Chat) -> dict[str, Any]:
    request: dict[str, Any] = {
        "messages": [{"role": each.role, "content": each.text} for each in asked.messages],
        "max_tokens": asked.most_tokens,
        "temperature": _TEMPERATURE,
        "chat_template_kwargs": {"enable_thinking": False},  # it takes minutes on a CPU
        "stream": True,
        "stream_options": {"include_usage": True},
        "return_progress": True,  # so that a call can also be stopped while its prompt is read
    }
    if asked.schema is not None:
        schema = {"name": "answer", "schema": asked.schema, "strict": True}
        request["response_format"] = {"type": "json_schema", "json_schema": schema}
    return request


def _translated(fault: dict[str, Any]) -> InsightsError:
    if fault.get("type") == "exceed_context_size_error":
        return TooLong("the transcript does not fit the model's window")
    return InsightsError(f"llama.cpp failed ({fault.get('type', 'unknown')})")


def _check_memory(path: Path) -> None:
    """Better no model than a machine that ends other programs to make room."""
    size, free = path.stat().st_size, available_bytes()
    if free < size:
        raise ProviderUnavailable(
            f"the model needs more than {size / _GB:.1f} GB of memory, "
            f"and {free / _GB:.1f} GB are free"
        )
