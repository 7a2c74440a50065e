"""Links to recordings, as the local library keeps them."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from echostream_ui.library.sqlite.store import SqliteStore
from recordings import fill

DAY = timedelta(days=1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(tmp_path / "library")) as store:
        fill(store, "m1")
        fill(store, "m2")
        yield store


def test_a_link_leads_to_its_recording_until_it_is_ended(store: SqliteStore) -> None:
    first = store.shares.add("m1", DAY, has_sound=True)
    second = store.shares.add("m1", None, has_sound=False)
    found = store.shares.find(first)
    assert found is not None
    assert (found.media_id, found.has_sound) == ("m1", True)
    assert found.expires_at is not None
    assert DAY - timedelta(minutes=5) < found.expires_at - datetime.now(UTC) <= DAY
    assert [each.expires_at is None for each in store.shares.of("m1")] == [True, False]
    assert store.shares.of("m2") == []
    store.shares.end(found.id)
    assert store.shares.find(first) is None
    assert store.shares.find(second) in store.shares.of("m1")


def test_a_link_that_has_expired_is_none(store: SqliteStore) -> None:
    secret = store.shares.add("m1", timedelta(0), has_sound=False)
    assert store.shares.find(secret) is None
    assert store.shares.of("m1") == []


def test_a_deleted_recording_has_no_links(store: SqliteStore) -> None:
    gone, kept = (store.shares.add(each, DAY, has_sound=False) for each in ("m1", "m2"))
    store.delete(["m1"])
    assert store.shares.find(gone) is None
    assert store.shares.find(kept) is not None
    store.delete(["m2"])
    fill(store, "m2")  # another one of the same id is another one
    assert store.shares.find(kept) is None


def test_secrets_cannot_be_guessed_and_are_not_kept(store: SqliteStore, tmp_path: Path) -> None:
    secrets = {store.shares.add("m1", DAY, has_sound=False) for _ in range(20)}
    assert len(secrets) == 20
    assert all(len(secret) >= 43 for secret in secrets)  # 256 bits in base64
    secret = secrets.pop()
    for wrong in ("", secret[:-1], secret + "x", secret.swapcase(), "%", "é" * 50, "\ud800"):
        assert store.shares.find(wrong) is None
    kept = b"".join(file.read_bytes() for file in (tmp_path / "library").glob("library.db*"))
    assert b"share" in kept
    assert secret.encode() not in kept
