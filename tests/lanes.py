"""The order of the tests, and the lane of those that are over soon (`--quick`)."""

from pathlib import Path

import pytest

TESTS = Path(__file__).parent

SLOW = (
    *(
        "ui/pages/test_add.py",
        "ui/pages/test_live.py",
        "ui/pages/test_library.py",
        "ui/pages/test_recording.py",
    ),
    *("ui/pages/test_sign_in.py", "ui/pages/test_dashboard.py", "ui/pages/test_frame.py"),
    *(
        "jobs/test_faults.py",
        "web/test_cluster.py",
        "web/test_lifecycle.py",
        "jobs/test_workers.py",
    ),
    *("sockets", "jobs", "streaming/test_real_live.py", "engine/test_real_whisper.py"),
    *("test_cli.py", "test_demo.py", "deploy/test_configuration.py", "web/test_engine_killed.py"),
    *("web/test_schemathesis.py", "streaming/test_session.py", "test_storage.py", "test_extras.py"),
    *("test_cli_live.py", "engine/test_hub.py", "engine/test_sphinx.py", "engine/test_host.py"),
    *("engine/test_unseen.py", "ui/test_up.py", "ui/test_user_folder.py", "ui", "media"),
    *("web/test_bad_input.py", "streaming/test_decoder.py", "test_webhooks.py"),
    *("deploy/test_haproxy.py",),
)
"""Files and folders whose tests start programs, browsers or real models, the longest first: where
several processes share the tests, no long file is then left for the end. Those of the frontend
stand together, since they share a server."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="leave out what is slow: lanes.SLOW")


def pytest_configure(config: pytest.Config) -> None:
    gone = [name for name in SLOW if not (TESTS / name).exists()]
    if gone:
        raise pytest.UsageError(f"lanes.SLOW names what is not there: {', '.join(gone)}")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    is_left_out = config.getoption("--quick") and rank(collection_path) < len(SLOW)
    return True if is_left_out else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: rank(item.path))


def rank(path: Path) -> int:
    """Place in `SLOW`, which is its length for all that is not in there."""
    for place, name in enumerate(SLOW):
        if path.is_relative_to(TESTS / name):
            return place
    return len(SLOW)
