"""What tests of pages look into besides the page."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from echostream_ui.library.sqlite.store import SqliteStore
from ui.site import Site


@pytest.fixture
def store(frontend: Site) -> Iterator[SqliteStore]:
    """The frontend's library, from outside."""
    with closing(SqliteStore(frontend.library)) as opened:
        yield opened
