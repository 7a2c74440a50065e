"""A stand-in shaped like a Supabase project, as real HTTP over a real PostgreSQL.

What decides who may do what (grants, policies, constraints, the migrations) is real; only the way
from HTTP to SQL is made up, after what PostgREST, GoTrue and Supabase's storage answer.
"""

import socket
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, LifoQueue
from typing import Any

import psycopg
import uvicorn
from psycopg.sql import SQL, Identifier
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from conftest import ROOT
from postgres_server import PostgresServer
from supabase_standin import auth, rest, storage
from supabase_standin.tokens import BadToken, Claims, signed, verified

MIGRATIONS = sorted((ROOT / "src/echostream_ui/library/supabase/migrations").glob("*.sql"))
_HERE = Path(__file__).parent
_ANON: Claims = {"role": "anon"}
_METHODS = ["GET", "POST", "PATCH", "PUT", "DELETE"]


class Project:
    """A project that listens. Attributes that tests may set: `secret`, `confirms_email`,
    `token_life_s` of access tokens, `clock_ahead_s` of the project before the client's,
    `max_object_bytes`, and `failing`, a status that everything is answered with."""

    def __init__(self, server: PostgresServer, database: str, folder: Path) -> None:
        self._server, self._database, self.folder = server, database, folder
        self.secret = f"secret of {database} for the tokens of its users"
        self.anon_key = signed({"role": "anon", "iss": "supabase"}, self.secret)
        self.publishable_key = f"sb_publishable_{database}"
        self.service_key = signed({"role": "service_role", "iss": "supabase"}, self.secret)
        self._idle: dict[str, LifoQueue[psycopg.Connection[Any]]] = defaultdict(LifoQueue)
        self.url = ""
        self.mails: list[tuple[str, str]] = []
        self.confirms_email = False
        self.token_life_s = 3600
        self.clock_ahead_s = 0
        self.max_object_bytes = 50_000_000
        self.failing: int | None = None

    @property
    def now_s(self) -> float:
        return time.time() + self.clock_ahead_s

    @contextmanager
    def connect(self, user: str = "authenticator") -> Iterator[psycopg.Connection[Any]]:
        """As the role that PostgREST signs in with, which has no rights but to become another."""
        try:
            connection = self._idle[user].get_nowait()
        except Empty:
            connection = self._server.connect(self._database, user)
        try:
            yield connection
        finally:
            self._idle[user].put(connection)

    def close(self) -> None:
        for idle in self._idle.values():
            while not idle.empty():
                idle.get().close()

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """As the project's owner, past row level security."""
        with self.connect("postgres") as connection:
            cursor = connection.execute(sql, values or None)
            return cursor.fetchall() if cursor.description else []

    def add_user(self, email: str, password: str, *, is_confirmed: bool = True) -> str:
        """A new user's id."""
        sql = (
            "insert into auth.users (email, encrypted_password, email_confirmed_at)"
            " values (%s, %s, case when %s then now() end) returning id::text"
        )
        return str(self.rows(sql, email, auth.hashed(password), is_confirmed)[0][0])

    def migrate(self, *, until: str = "~") -> None:
        """Runs the migrations whose names come before `until`."""
        for migration in MIGRATIONS:
            if migration.name < until:
                _run(self._server, self._database, migration)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/storage/v1/object/sign/{name:path}", self._signed_object, methods=["GET"]),
                Route("/{part}/v1/{name:path}", self._answer, methods=_METHODS),
            ]
        )

    async def _signed_object(self, request: Request) -> Response:
        return await run_in_threadpool(storage.signed_object, self, request)

    async def _answer(self, request: Request) -> Response:
        if self.failing:
            return JSONResponse({"message": "the service is unavailable"}, self.failing)
        if request.path_params == {"part": "auth", "name": "verify"}:
            return auth.answer(self, request, b"")
        key = request.headers.get("apikey")
        if key not in (self.anon_key, self.publishable_key, self.service_key):
            hint = "Double check your Supabase `anon` or `service_role` API key."
            return JSONResponse({"message": "Invalid API key", "hint": hint}, 401)
        if not request.headers.get("content-type", "").startswith("multipart/"):
            body = await request.body()
            return await run_in_threadpool(self._dispatch, request, key, body, None)
        async with request.form() as form:
            upload = form["file"]
            assert isinstance(upload, UploadFile)
            return await run_in_threadpool(self._dispatch, request, key, b"", upload)

    def _dispatch(
        self, request: Request, key: str, body: bytes, upload: UploadFile | None
    ) -> Response:
        part, name = request.path_params["part"], request.path_params["name"]
        if part == "auth":
            return auth.answer(self, request, body)
        is_storage = part == "storage"
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        try:
            # A key of the newer kind is not a token; the gateway puts one of its role in its place.
            is_key = token == self.publishable_key == key
            claims = _ANON if is_key else verified(token, self.secret, self.now_s)
        except BadToken as bad:
            return _bad_token(bad, is_storage)
        if is_storage:
            return storage.answer(self, claims, request, body, upload)
        function = name.removeprefix("rpc/")
        request.path_params.update(name=function, is_function=function != name)
        return rest.answer(self.connect, claims, request, body)


def _bad_token(bad: BadToken, is_storage: bool) -> Response:
    if is_storage:
        message = '"exp" claim timestamp check failed' if bad.has_expired else "Invalid JWT"
        return storage.refusal(403, "Unauthorized", message)
    code, message = ("PGRST303", "JWT expired") if bad.has_expired else ("PGRST301", "JWSError")
    return JSONResponse({"code": code, "message": message, "details": None, "hint": None}, 401)


def prepare(server: PostgresServer) -> None:
    """Make the roles, and two databases to copy projects from: one with and one without the
    migrations."""
    with server.connect() as connection:
        connection.execute((_HERE / "roles.sql").read_text())
        connection.execute("create database bare")
        _run(server, "bare", _HERE / "bootstrap.sql")
        connection.execute("create database migrated template bare")
        for migration in MIGRATIONS:
            _run(server, "migrated", migration)


def _run(server: PostgresServer, database: str, script: Path) -> None:
    with server.connect(database) as connection:
        connection.execute(script.read_text())


@contextmanager
def supabase_project(
    server: PostgresServer, name: str, template: str = "migrated"
) -> Iterator[Project]:
    """A project of its own on a free port, in a thread, until the end of the block; its database
    is left to the server's end, which is quicker than to drop it."""
    with server.connect() as connection:
        connection.execute(
            SQL("create database {} template {}").format(Identifier(name), Identifier(template))
        )
    with tempfile.TemporaryDirectory(prefix="objects-") as folder:
        project = Project(server, name, Path(folder))
        try:
            with _listening(project):
                yield project
        finally:
            project.close()


@contextmanager
def _listening(project: Project) -> Iterator[None]:
    listener = socket.create_server(("127.0.0.1", 0))
    # Connections inherit it; asyncio does not set it on a socket made like this, and each answer
    # would come 40 ms late.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    project.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = uvicorn.Config(project.app(), log_level="warning", ws="none", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), name="supabase")
    thread.start()
    try:
        while not server.started and thread.is_alive():
            time.sleep(0.005)  # uvicorn has nothing to wait for
        yield
    finally:
        server.should_exit = True
        thread.join(30)
        listener.close()
        assert not thread.is_alive()
