"""The order of the tests, and the lane of those that are over soon (`--quick`)."""

from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parent

SLOW = (
    *("ui/pages/test_add.py", "jobs/test_faults.py"),
    *("ui/pages/test_live.py", "jobs/test_workers.py"),
    *("ui/pages/test_library.py", "web/test_cluster.py", "web/realtime", "soak"),
    *("ui/pages/test_recording.py", "web/test_lifecycle.py"),
    *("ui/pages/test_everybody.py", "sockets"),
    *("ui/pages/test_sign_in.py", "jobs"),
    *("ui/pages/test_dashboard.py", "deploy/test_configuration.py"),
    *("ui/pages/test_frame.py", "ui/pages"),
    *("test_cli.py", "streaming/test_real_live.py", "ui/test_up.py", "web/test_engine_killed.py"),
    *("streaming/test_session.py", "test_demo.py", "media", "engine/test_real_whisper.py"),
    *("test_cli_live.py", "web/test_schemathesis.py", "engine/test_hub.py"),
    *("ui/test_user_folder.py", "ui", "test_storage.py", "test_extras.py", "engine/test_host.py"),
    *("streaming/test_decoder.py", "web/test_bad_input.py", "engine/test_unseen.py"),
    *("llm/local", "engine/test_sphinx.py", "engine/test_whisper.py", "streaming/test_sessions.py"),
    *("test_webhooks.py", "deploy/test_haproxy.py", "web/test_rude_bodies.py"),
    "fuzz",
    *("web/test_rude_texts.py", "insights/offline/test_rude_texts.py"),
    *("web/test_finalize.py", "test_pipeline.py", "diarization/test_onnx.py", "web/test_busy.py"),
    *("web/test_models.py", "insights/offline/test_extractive.py", "test_cache.py"),
    *("engine/test_sharing.py", "web/test_server.py", "web/test_patience.py", "test_speakers.py"),
    "web/test_names.py",
)
"""Files and folders whose tests start programs, browsers or models, or take long for other reasons,
the longest first: where several processes share the tests, no long file is then left for the end.
Those that keep a browser busy and those that mostly wait take turns."""


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


@cache
def rank(path: Path) -> int:
    """Place in `SLOW`, which is its length for all that is not in there."""
    for place, name in enumerate(SLOW):
        if path.is_relative_to(TESTS / name):
            return place
    return len(SLOW)
