"""Logs: JSON lines off a terminal, with secrets masked and the request's id."""

import io
import json
import logging
from collections.abc import Callable, Iterator

import pytest
import structlog

from collector import collector
from echostream import traces
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


def test_a_line_says_of_which_trace_it_is(logs):
    with collector() as found:
        traces.start(found.url, "a test")
        with traces.span("a step"):
            structlog.get_logger().info("one")
            logging.getLogger("library").error("two")
            ids = traces.ids()
        structlog.get_logger().info("three")
    *of_the_step, after = logs()
    for line in of_the_step:
        assert ids.items() <= line.items()
    assert "trace_id" not in after


def test_an_exception_is_one_line(logs):
    try:
        raise ValueError("boom")
    except ValueError as error:
        structlog.get_logger().error("failed", exc_info=error)
    (line,) = logs()
    assert "ValueError: boom" in line["exception"]


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def timed_logs(restored: None, clock: Clock) -> Callable[[], list[dict]]:
    stream = io.StringIO()
    configure_logging("info", stream, clock)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def of_ours(number: int) -> None:
    structlog.get_logger("ours").warning("failed", code="busy", number=number)


def of_a_library(number: int) -> None:
    logging.getLogger("library").error("failed %s", number)


def with_a_traceback(number: int) -> None:
    try:
        raise ValueError(number)
    except ValueError:
        structlog.get_logger("ours").exception("failed")


@pytest.mark.parametrize("fault", [of_ours, of_a_library, with_a_traceback])
def test_of_a_flood_some_lines_are_written_and_the_rest_is_counted(timed_logs, clock, fault):
    for number in range(1_000):
        fault(number)
    flood = timed_logs()
    assert len(flood) == 5
    clock.now_s = 10.0
    structlog.get_logger("ours").info("served")
    *_, count, served = timed_logs()
    assert served["event"] == "served"
    assert count["repeated"] == 995
    assert count["event"].startswith("failed")
    assert {key: count[key] for key in ("level", "logger")} == {
        key: flood[0][key] for key in ("level", "logger")
    }
    fault(1)
    assert len(timed_logs()) == 8
    assert "repeated" not in timed_logs()[-1]


def test_a_count_has_no_id_of_another_request(timed_logs, clock):
    for number in range(6):
        of_ours(number)
    clock.now_s = 10.0
    with structlog.contextvars.bound_contextvars(request_id="abc"):
        structlog.get_logger().info("served")
    *_, count, served = timed_logs()
    assert served["request_id"] == "abc"
    assert "request_id" not in count


def test_a_flood_hides_nothing_else(timed_logs):
    log = structlog.get_logger("ours")
    for number in range(50):
        of_ours(number)
        log.info("served", number=number)
    log.warning("failed", code="busy")  # said elsewhere
    log.warning("failed", code="storage_unavailable")
    for error in (ValueError(), KeyError()):
        log.error("failed", exc_info=error)
    lines = timed_logs()
    assert sum(line["event"] == "served" for line in lines) == 50
    assert len(lines) == 50 + 5 + 4


def test_events_of_one_line_of_code_are_counted_apart(timed_logs):
    log = structlog.get_logger("ours")
    for name in ["engine_lost_live"] * 5 + ["engine_lost"]:
        log.warning(name)
    assert [line["event"] for line in timed_logs()] == ["engine_lost_live"] * 5 + ["engine_lost"]


def test_floods_that_are_over_take_no_memory(timed_logs, clock):
    handler = logging.getLogger().handlers[0]
    for number in range(1_000):
        clock.now_s = number / 10
        logging.getLogger(f"library {number}").error("failed")
        assert len(handler._floods) <= 101
