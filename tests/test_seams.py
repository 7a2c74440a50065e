"""What our code needs of other libraries and they do not promise to keep. Each test says what has
moved, and which file of ours relies on it."""

import inspect
import io
from pathlib import Path
from typing import Any

import engineio
import fsspec.asyn
import numpy as np
import pytest
import redis.asyncio
import s3fs
import socketio
import streamlit
import uvicorn
from bullmq import Job, Queue, Worker
from engineio.async_socket import AsyncSocket
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from faster_whisper import WhisperModel, available_models, utils
from faster_whisper.audio import pad_or_trim
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import get_suppressed_tokens
from faster_whisper.vad import get_vad_model
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartParser
from streamlit.file_util import get_static_dir
from streamlit.runtime.uploaded_file_manager import UploadedFile
from streamlit.web.cli import main as command
from uvicorn.server import ServerState

from conftest import TINY_WHISPER
from echostream.web.engine_io import EngineServer, Session
from echostream.web.server import WebSocket


def takes(function: Any, *names: str) -> bool:
    return set(names) <= set(inspect.signature(function).parameters)


def has(thing: Any, *names: str) -> bool:
    return all(hasattr(thing, name) for name in names)


# Engine.IO and Socket.IO


async def test_the_class_of_sessions() -> None:
    engine = EngineServer(async_mode="asgi")
    await engine._handle_connect({}, "polling")
    assert all(isinstance(each, Session) for each in engine.sockets.values()), (
        "engineio does not make its sessions as `async_socket.AsyncSocket` any more, where "
        "web/engine_io.py puts its own, with limits"
    )


def test_the_class_of_the_engine() -> None:
    class Engine(engineio.AsyncServer):
        pass

    class Server(socketio.AsyncServer):
        def _engineio_server_class(self) -> type[Engine]:
            return Engine

    assert isinstance(Server(async_mode="asgi").eio, Engine), (
        "socketio does not ask `_engineio_server_class` for its engine any more, which it keeps as "
        "`eio`; web/engine_io.py puts one of its own there, to end connections without waiting"
    )


async def test_sessions_of_the_engine() -> None:
    engine = engineio.AsyncServer(async_mode="asgi")

    async def disconnect(_sid: str, _reason: str) -> None:
        pass

    engine.on("disconnect", disconnect)
    assert engine.sockets == {}, _MOVED.format("sessions by id in `sockets`")
    assert engine.handlers["disconnect"] is disconnect, _MOVED.format("handlers in `handlers`")
    reasons = ("CLIENT_DISCONNECT", "SERVER_DISCONNECT")
    assert has(engine.reason, *reasons), _MOVED.format("reasons for the end of a session")
    session = AsyncSocket(engine, "id")
    assert has(session, "queue", "upgraded", "closed"), _MOVED.format("`queue` and its flags")
    assert has(session.queue, "join", "put_nowait"), _MOVED.format("an asyncio.Queue as `queue`")
    assert takes(session.close, "wait", "reason"), _MOVED.format("`close(wait=, reason=)`")


_MOVED = (
    "engineio's server or its sessions no longer have {}; web/sockets.py ends sessions, and polls "
    "that would hang, by that"
)


async def test_ids_of_sessions() -> None:
    engine = engineio.AsyncServer(async_mode="asgi")
    engine.generate_id = lambda: "ours"
    sent: list[Any] = []
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "method": "GET",
        "path": "/engine.io/",
        "query_string": b"EIO=4&transport=polling",
        "headers": [],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    await engineio.ASGIApp(engine)(scope, receive, send)
    await engine.shutdown()
    assert b'"sid":"ours"' in sent[1]["body"], (
        "engineio does not ask `generate_id` for the ids of sessions any more; web/forwarding.py "
        "puts the process's number into them"
    )


async def test_members_of_a_room() -> None:
    server = socketio.AsyncServer(async_mode="asgi")
    sid = await server.manager.connect("engine's id", "/")
    await server.enter_room(sid, "room")
    members = list(server.manager.get_participants("/", "room"))
    assert members == [(sid, "engine's id")], (
        "socketio's manager does not give a room's members as pairs of ids any more; "
        "web/job_rooms.py tells them how a job ended"
    )
    assert server.manager.is_connected(sid, "/"), (
        "socketio's manager does not know by `is_connected` who is there any more; web/live.py asks"
    )


# uvicorn, Starlette and FastAPI


async def test_connections_of_the_server() -> None:
    async def app(_scope: Any, _receive: Any, _send: Any) -> None:
        pass

    config = uvicorn.Config(app)
    config.load()
    server = uvicorn.Server(config)
    assert takes(server.startup, "sockets"), _SERVER.format("`startup(sockets)`")
    assert takes(server.shutdown, "sockets"), _SERVER.format("`shutdown(sockets)`")
    assert takes(server.handle_exit, "sig", "frame"), _SERVER.format("`handle_exit(sig, frame)`")
    assert server.server_state.connections == set(), _SERVER.format("`server_state.connections`")
    for protocol in (config.http_protocol_class, config.ws_protocol_class):
        connection = protocol(config=config, server_state=ServerState(), app_state={})
        known = has(connection, "transport", "shutdown")
        assert known, _SERVER.format(f"`transport` and `shutdown` of {protocol.__name__}")
    assert issubclass(WebSocket, config.ws_protocol_class), (
        "uvicorn's WebSockets are others by default now; web/server.py names these"
    )


_SERVER = (
    "uvicorn's server no longer has {}; web/server.py stops by it without cutting requests off or "
    "waiting for clients that come back"
)


async def test_forms_go_to_the_disk_and_end() -> None:
    ended = []

    class Parser(MultiPartParser):
        spool_max_size = 1

        def on_end(self) -> None:
            ended.append(True)

    async def body() -> Any:
        yield b'--x\r\nContent-Disposition: form-data; name="a"; filename="a"\r\n\r\n'
        yield b"audio\r\n--x--\r\n"

    headers = Headers({"content-type": "multipart/form-data; boundary=x"})
    form = await Parser(headers, body(), max_files=1, max_fields=1).parse()
    file = form["a"]
    assert not isinstance(file, str)
    on_disk = isinstance(file.file.fileno(), int)
    await form.close()
    assert on_disk, (
        "Starlette's MultiPartParser does not spool at `spool_max_size` any more; web/uploads.py "
        "has uploads on the disk by that"
    )
    assert ended, (
        "Starlette's MultiPartParser does not call `on_end` at the closing boundary any more; "
        "web/uploads.py tells uploads by it that broke off"
    )


def test_the_pattern_of_a_route() -> None:
    app = FastAPI()

    @app.get("/jobs/{job_id}")
    def job(job_id: str, request: Request) -> str:
        return str(request.scope["route"].path)

    assert TestClient(app).get("/jobs/1").json() == "/jobs/{job_id}", (
        "a request's scope no longer has the route and its pattern; web/app.py labels metrics by it"
    )


# BullMQ and redis-py


async def test_connections_of_a_worker() -> None:
    async def process(_job: Job, _token: str) -> None:
        pass

    worker = Worker("seams", process, {"autorun": False, "connection": {"port": 1}})
    for name in ("client", "bclient"):
        client = getattr(worker, name, None)
        assert has(client, "set_retry"), (
            f"BullMQ's worker no longer has a redis-py client as `{name}`; jobs/worker.py has it "
            "connect again at once when Redis is back"
        )
        client.set_retry(Retry(ConstantBackoff(1), 1))
        await client.aclose()


def test_calls_of_bullmq() -> None:
    assert takes(Worker.pause, "do_not_wait_active"), _BULLMQ.format("`Worker.pause`")
    assert takes(Worker.close, "force"), _BULLMQ.format("`Worker.close(force)`")
    assert takes(Job.moveToDelayed, "timestamp", "token"), _BULLMQ.format("`Job.moveToDelayed`")
    assert takes(Queue.toKey, "type"), (
        "BullMQ's queue no longer gives a job's key in Redis by `toKey`; jobs/queue.py looks there "
        "whether a job exists"
    )


_BULLMQ = "BullMQ no longer has {} as it was; jobs/worker.py hands jobs back by that when it stops"


def test_the_database_of_a_client() -> None:
    client = redis.asyncio.Redis.from_url("redis://localhost/3")
    assert client.connection_pool.connection_kwargs.get("db") == 3, (
        "redis-py's pool no longer tells the database; redis_client.py keeps events of jobs of "
        "several databases apart by it"
    )
    assert has(client.connection_pool, "_available_connections"), (
        "redis-py's pool no longer has its idle connections in `_available_connections`; "
        "redis_client.py closes those that nobody needs"
    )


# faster-whisper


def test_ids_of_models_on_the_hub() -> None:
    known = getattr(utils, "_MODELS", {})
    assert sorted(known) == sorted(available_models()), (
        "faster-whisper's table of sizes and Hub ids is no longer `utils._MODELS`; engine/hub.py "
        "looks a model up in it"
    )
    assert known["base"].count("/") == 1


def test_the_parts_of_a_model() -> None:
    model = WhisperModel(str(TINY_WHISPER), device="cpu")
    parts = ("model", "feature_extractor", "hf_tokenizer", "max_length", "encode")
    assert has(model, *parts), _DECODER.format(f"{', '.join(parts)} of WhisperModel")
    features = model.feature_extractor(np.zeros(16_000, np.float32))
    padded = pad_or_trim(features[..., :-1])
    assert padded.shape[-1] == 3000, _DECODER.format("`pad_or_trim` to 3000 frames")
    assert not padded[..., features.shape[-1] :].any(), _DECODER.format("padding with 0.0")
    assert model.encode(padded[None]).shape[0] == 1, _DECODER.format("`encode` of a batch")


def test_the_speech_detector() -> None:
    names = {each.name for each in get_vad_model().session.get_inputs()}
    assert names == {"input", "h", "c"}, (
        "faster-whisper's Silero VAD is no longer an ONNX session that takes input, h and c; "
        "engine/vad.py runs it on a stream, frame by frame"
    )


def test_the_tokenizer() -> None:
    model = WhisperModel(str(TINY_WHISPER), device="cpu")
    tokenizer = Tokenizer(model.hf_tokenizer, model.model.is_multilingual, "transcribe", "en")
    tokens = ("eot", "sot_prev", "sot_sequence", "no_timestamps")
    assert has(tokenizer, *tokens), _DECODER.format(f"{', '.join(tokens)} of Tokenizer")
    ids = tokenizer.encode(" budget")
    texts, groups = tokenizer.split_tokens_on_unicode([*ids, tokenizer.eot])
    assert "".join(texts[:-1]) == " budget", _DECODER.format("`split_tokens_on_unicode`")
    assert [number for group in groups[:-1] for number in group] == ids, _DECODER.format(
        "`split_tokens_on_unicode`"
    )
    suppressed = get_suppressed_tokens(tokenizer, [-1])
    assert tokenizer.sot in suppressed, _DECODER.format("`get_suppressed_tokens`")
    assert set(tokenizer.non_speech_tokens) <= set(suppressed)


_DECODER = "faster-whisper no longer has {}; engine/whisper/ctranslate.py decodes windows with it"


# Others


def test_operations_of_the_bucket() -> None:
    filesystem = s3fs.S3FileSystem
    assert isinstance(filesystem.retries, int), _S3.format("`retries`")
    assert takes(filesystem.call_s3, "method", "akwarglist", "kwargs"), _S3.format("`call_s3`")
    assert takes(fsspec.asyn.sync, "timeout"), _S3.format("`call_s3(timeout=)`")


_S3 = "s3fs no longer has {} as it was; storage/bucket.py sends single operations by it"


@pytest.mark.parametrize(
    "name",
    ["stMainBlockContainer", "stSkeleton", "stHorizontalBlock", "stCaptionContainer", "st-key-"],
)
def test_the_names_of_parts_of_a_page(name: str) -> None:
    scripts = Path(streamlit.__file__).parent / "static" / "static" / "js"
    assert any(name in each.read_text() for each in scripts.glob("*.js")), (
        f"Streamlit's pages no longer have the name {name}; "
        "echostream_ui/shell.css gives parts their place and look by it"
    )


def test_the_document_that_pages_begin_as() -> None:
    html = Path(get_static_dir(), "index.html").read_text(encoding="utf-8")
    assert html.count("</head>") == 1, (
        "Streamlit's pages no longer begin as its index.html with one head; "
        "echostream_ui/shell.py puts our style sheet there"
    )


def test_the_command_that_runs_pages() -> None:
    assert takes(command.main, "args", "standalone_mode"), _COMMAND
    assert "run" in command.commands, _COMMAND


_COMMAND = (
    "Streamlit's command line is no longer click's `streamlit.web.cli.main` with `run`; "
    "echostream_ui/__main__.py starts the pages by it"
)


def test_files_that_are_given_to_a_page() -> None:
    assert issubclass(UploadedFile, io.BytesIO), (
        "Streamlit's UploadedFile is no longer a file in memory; "
        "echostream_ui/pages/add.py takes files in as one"
    )
