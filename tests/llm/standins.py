"""Local servers that answer as Gemini and OpenAI-compatible servers do, for the real SDKs.

A stand-in plays a script: each request takes the next reply, the last one is repeated.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "key-that-must-not-leak-4f1c"


@dataclass(frozen=True)
class Request:
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """`never` holds the answer back until the stand-in is closed."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    never: bool = False


Script = Reply | Callable[[Request], Reply]


class StandIn:
    """A server on a free loopback port that keeps what it was sent."""

    def __init__(self, *script: Script) -> None:
        self._script = script
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self.requests: list[Request] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def reply_to(self, request: Request) -> Reply:
        with self._lock:
            step = self._script[min(len(self.requests), len(self._script) - 1)]
            self.requests.append(request)
        reply = step if isinstance(step, Reply) else step(request)
        if reply.never:
            self._closing.wait()
        return reply

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        standin = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers.get("content-length", 0)))
                request = Request(self.path, self._headers(), json.loads(raw or b"{}"))
                self._send(standin.reply_to(request))

            def do_GET(self) -> None:
                self._send(standin.reply_to(Request(self.path, self._headers(), {})))

            def _headers(self) -> dict[str, str]:
                return {name.lower(): value for name, value in self.headers.items()}

            def _send(self, reply: Reply) -> None:
                body = reply.body
                raw = body if isinstance(body, bytes) else json.dumps(body).encode()
                try:
                    self.send_response(reply.status)
                    headers = {
                        "content-type": "application/json",
                        "content-length": str(len(raw)),
                    }
                    for name, value in (headers | reply.headers).items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(raw)
                except OSError:
                    pass  # the client had enough of waiting

            def log_message(self, *args: object) -> None:
                pass

        return Handler


@contextmanager
def standing_in(*script: Script) -> Iterator[StandIn]:
    server = StandIn(*script)
    server.start()
    try:
        yield server
    finally:
        server.close()


def gemini_reply(content: object, finish: str = "STOP", **more: Any) -> Reply:
    """A generateContent answer; `content` is text, or what to write as JSON."""
    text = content if isinstance(content, str) else json.dumps(content)
    candidate = {"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": finish}
    return Reply(body={"candidates": [candidate], "modelVersion": "stand-in"} | more)


def gemini_error(code: int, *details: dict[str, Any], message: str = "no") -> Reply:
    error = {"code": code, "message": message, "status": "SOME_STATUS", "details": list(details)}
    return Reply(code, {"error": error})


def retry_info(delay: str) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}


def quota_failure(quota_id: str) -> dict[str, Any]:
    return {
        "@type": "type.googleapis.com/google.rpc.QuotaFailure",
        "violations": [{"quotaId": quota_id, "quotaValue": "20"}],
    }


def openai_reply(content: object, finish: str = "stop", prompt_tokens: int = 900) -> Reply:
    """A chat completion; `content` is text, or what to write as JSON."""
    text = content if isinstance(content, str) else json.dumps(content)
    message = {"role": "assistant", "content": text, "refusal": None}
    return Reply(
        body={
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "stand-in",
            "choices": [{"index": 0, "message": message, "finish_reason": finish}],
            "usage": {
                "prompt_tokens": prompt_tokens,
                "completion_tokens": 9,
                "total_tokens": prompt_tokens + 9,
            },
        }
    )


def openai_error(
    status: int, message: str = "no", code: str | None = None, **headers: str
) -> Reply:
    body = {"error": {"message": message, "type": "some_error", "param": None, "code": code}}
    return Reply(status, body, headers)


def gemini_stream(*texts: str, finish: str = "STOP") -> Reply:
    """The pieces of a streamGenerateContent answer, the last of which has the figures."""
    events: list[dict[str, Any]] = [
        {"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}}]}
        for text in texts
    ]
    figures = {"promptTokenCount": 900, "candidatesTokenCount": 9, "totalTokenCount": 909}
    ending = {"candidates": [{"finishReason": finish}], "usageMetadata": figures}
    return events_of(*events, ending)


def openai_stream(*texts: str, finish: str = "stop", prompt_tokens: int = 900) -> Reply:
    """The chunks of a chat completion, the last of which has the figures."""
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "x"}
    choices: list[dict[str, Any]] = [
        {"index": 0, "delta": {"content": text}, "finish_reason": None} for text in texts
    ]
    choices.append({"index": 0, "delta": {}, "finish_reason": finish})
    usage = {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": 9,
        "total_tokens": prompt_tokens + 9,
    }
    chunks: list[dict[str, Any]] = [base | {"choices": [choice]} for choice in choices]
    return events_of(*chunks, base | {"choices": [], "usage": usage}, "[DONE]")


def events_of(*events: object) -> Reply:
    """Server-sent events of these contents."""
    texts = (each if isinstance(each, str) else json.dumps(each) for each in events)
    body = "".join(f"data: {text}\n\n" for text in texts).encode()
    return Reply(body=body, headers={"content-type": "text/event-stream"})
