"""Logs: JSON lines off a terminal, with secrets masked and the request's id."""

import io
import json
import logging
from collections.abc import Callable, Iterator

import pytest
import structlog

from echostream.logs import configure_logging


@pytest.fixture
def restored() -> Iterator[None]:
    root = logging.getLogger()
    before = (root.handlers[:], root.level, structlog.get_config())
    yield
    root.handlers[:], level, config = before
    root.setLevel(level)
    structlog.configure(**config)


@pytest.fixture
def logs(restored: None) -> Callable[[], list[dict]]:
    stream = io.StringIO()
    configure_logging("info", stream)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_traceback_on_a_terminal_shows_no_values(restored: None) -> None:
    configure_logging("info", terminal := Terminal())
    secret = "".join(("s3", "cr3t"))
    try:
        raise ValueError(f"{len(secret)} letters")
    except ValueError as error:
        structlog.get_logger().error("failed", exc_info=error)
    assert "6 letters" in terminal.getvalue()
    assert secret not in terminal.getvalue()


def test_ours_and_a_library_s_look_the_same(logs):
    structlog.get_logger("ours").info("event_name", count=3)
    logging.getLogger("library").warning("something %s", "odd")
    ours, theirs = logs()
    assert (ours["event"], ours["count"], ours["level"]) == ("event_name", 3, "info")
    assert (theirs["event"], theirs["level"]) == ("something odd", "warning")
    assert ours.keys() - {"count"} == theirs.keys()


@pytest.mark.parametrize("name", ["token", "GEMINI_API_KEY", "Authorization", "db_password"])
def test_secrets_are_masked(logs, name):
    structlog.get_logger().info("event", **{name: "s3cr3t"})
    (line,) = logs()
    assert line[name] == "***"


def test_bound_request_id_is_in_each_line(logs):
    with structlog.contextvars.bound_contextvars(request_id="abc"):
        structlog.get_logger().info("one")
        logging.getLogger("library").error("two")
    assert [line["request_id"] for line in logs()] == ["abc", "abc"]


def test_an_exception_is_one_line(logs):
    try:
        raise ValueError("boom")
    except ValueError as error:
        structlog.get_logger().error("failed", exc_info=error)
    (line,) = logs()
    assert "ValueError: boom" in line["exception"]
