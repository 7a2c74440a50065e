"""The library's two stores, and a project that is shaped like Supabase's to keep one of them in."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from echostream_ui.library.sqlite.store import SqliteStore
from echostream_ui.library.store import Store
from echostream_ui.library.supabase.accounts import Accounts
from echostream_ui.library.supabase.store import SupabaseStore
from postgres_server import PostgresServer
from recordings import MONDAY, fill, media
from supabase_standin.project import Project, prepare, supabase_project

PASSWORD = "a long password"

_numbers = count()

SignedIn = Callable[[], SupabaseStore]


# Not for the whole run: other modules count their child processes.
@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        prepare(server)
        yield server


@pytest.fixture(scope="module")
def shared_project(postgres: PostgresServer) -> Iterator[Project]:
    """For tests that only add users."""
    with supabase_project(postgres, "shared") as project:
        yield project


@pytest.fixture
def project(postgres: PostgresServer) -> Iterator[Project]:
    """One that a test may break."""
    with supabase_project(postgres, f"project_{next(_numbers)}") as own:
        yield own


@pytest.fixture
def accounts(shared_project: Project) -> Iterator[Accounts]:
    made = Accounts(shared_project.url, shared_project.anon_key)
    yield made
    made.close()


@pytest.fixture
def signed_in(shared_project: Project, accounts: Accounts) -> SignedIn:
    """The library of a new user."""

    def sign_in() -> SupabaseStore:
        email = f"user{next(_numbers)}@example.com"
        shared_project.add_user(email, PASSWORD)
        return accounts.sign_in(email, PASSWORD)

    return sign_in


@pytest.fixture(params=["sqlite", "supabase"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty library."""
    if request.param == "supabase":
        yield request.getfixturevalue("signed_in")()
    else:
        local = SqliteStore(tmp_path / "library")
        yield local
        local.close()


@pytest.fixture
def meetings(store: Store) -> Store:
    """Three completed recordings and one that waits."""
    fill(store, "a", day=0, topics=("budget", "hiring"), sentiment="positive", tags=("x",))
    fill(store, "b", day=1, topics=("budget",), sentiment="negative", tags=("y", "x"))
    fill(store, "c", day=8, topics=("design",), language="de", tags=("z",))
    store.add(media("d", created_at=MONDAY + timedelta(days=9), tags=("z,1",)), {})
    return store
