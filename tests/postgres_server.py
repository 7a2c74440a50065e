"""A real PostgreSQL of the tests' own, in a temporary folder, that is reached by a Unix socket."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg

_START_S = 60.0
_UNSAFE = ("fsync", "synchronous_commit", "full_page_writes")  # the data goes with the tests


class PostgresServer:
    """A context manager; the process and the data never outlive the `with` block."""

    def __init__(self) -> None:
        self._programs = _programs()
        # PostgreSQL refuses to run as root, so there it runs as somebody who has no rights.
        self._user = _other_user() if os.geteuid() == 0 else None
        self._folder = Path(tempfile.mkdtemp(prefix="pg-"))  # short: paths of sockets are limited
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def connect(
        self, database: str = "postgres", user: str = "postgres"
    ) -> psycopg.Connection[Any]:
        """A connection that commits each statement unless a transaction is asked for."""
        return psycopg.connect(
            host=str(self._folder), dbname=database, user=user, autocommit=True, connect_timeout=10
        )

    def _start(self) -> None:
        if self._user:
            os.chown(self._folder, self._user.pw_uid, self._user.pw_gid)
        data = self._folder / "data"
        made = self._popen(
            "initdb", "--pgdata", data, "--username=postgres", "--auth=trust", "--no-sync",
            "--encoding=UTF8", "--locale=C.UTF-8",
        )  # fmt: skip
        output, _ = made.communicate(timeout=_START_S)
        if made.returncode:
            raise RuntimeError(f"initdb fails: {output.decode()}")
        options = [f"-c{name}=off" for name in _UNSAFE]
        options += ["-clisten_addresses=", f"-cunix_socket_directories={self._folder}"]
        self._process = self._popen("postgres", "-D", data, "-cmax_connections=60", *options)
        deadline = time.monotonic() + _START_S
        while True:
            try:
                return self.connect().close()
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    log = (self._folder / "log").read_text()
                    raise RuntimeError(f"PostgreSQL does not start: {log}") from None
            time.sleep(0.02)  # there is nothing to wait for but the socket

    def _popen(self, program: str, *arguments: object) -> subprocess.Popen[bytes]:
        """A child that writes to a pipe (initdb) or to the log (the server)."""
        is_server = program == "postgres"
        with (self._folder / "log").open("ab") as log:
            return subprocess.Popen(
                [self._programs / program, *map(str, arguments)],
                cwd=self._folder,
                env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "UTC"},
                stdout=log if is_server else subprocess.PIPE,
                stderr=subprocess.STDOUT,
                user=self._user.pw_uid if self._user else None,
                group=self._user.pw_gid if self._user else None,
                extra_groups=[] if self._user else None,
            )

    def _stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)  # does not wait for open connections
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.send_signal(signal.SIGQUIT)
                self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


def _programs() -> Path:
    """The folder with `initdb` and `postgres`: Debian does not put them on PATH."""
    on_path = shutil.which("initdb")
    folders = [Path(on_path).resolve().parent] if on_path else []
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    folders += sorted(debian, key=lambda folder: folder.parent.name, reverse=True)
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise RuntimeError(
        "These tests need PostgreSQL 15 or newer: initdb and postgres on PATH, or Debian's package"
        " postgresql"
    )


def _other_user() -> pwd.struct_passwd:
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    return names.get("postgres") or names["nobody"]
