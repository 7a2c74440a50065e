"""Row level security and grants, tried past the frontend too: with a user's own token over HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import httpx2 as httpx
import pytest

from echostream_ui.library.search import Facets, Page, Query
from echostream_ui.library.store import StoreError
from echostream_ui.library.supabase.store import SupabaseStore
from recordings import answer, fill, media
from supabase_standin.project import Project

PASSWORD = "a long password"


@contextmanager
def calling(project: Project, store: SupabaseStore | None) -> Iterator[httpx.Client]:
    """What anybody may send who has the public key and, with a store, its user's password."""
    with httpx.Client(base_url=project.url, headers={"apikey": project.anon_key}) as client:
        token = project.anon_key
        if store is not None:
            credentials = {"email": store.email, "password": PASSWORD}
            place = "/auth/v1/token?grant_type=password"
            token = client.post(place, json=credentials).json()["access_token"]
        client.headers["authorization"] = f"Bearer {token}"
        yield client


@pytest.fixture
def mine(signed_in, tmp_path) -> SupabaseStore:
    """A library with a recording that nobody else may touch."""
    store = signed_in()
    fill(store, "m1", "secret words", topics=("plans",), items=("Write",), tags=("t",))
    path = tmp_path / "talk.wav"
    path.write_bytes(b"secret sound")
    store.keep_audio("m1", path)
    return store


@pytest.fixture
def other(signed_in) -> SupabaseStore:
    return signed_in()


def state_of(store: SupabaseStore) -> object:
    audio = httpx.get(store.audio("m1")).content
    return store.media("m1"), store.analysis("m1"), store.search(Query("secret")), audio


def test_another_user_sees_nothing(mine, other):
    assert other.media("m1") is other.analysis("m1") is other.audio("m1") is None
    assert other.search(Query()) == other.search(Query("secret")) == Page((), 0)
    assert other.facets() == Facets((), (), ())
    assert other.overview(None).recordings == 0
    assert other.open_items() == other.unfinished() == []


def test_another_user_changes_and_deletes_nothing(mine, other):
    before = state_of(mine)
    other.update_media("m1", title="x")
    other.update_analysis("m1", edits={0: "x"}, action_items=())
    other.complete("m1", answer("x"))
    other.tag(["m1"], ["x"], ["t"])
    other.delete(["m1"])
    assert state_of(mine)[:3] == before[:3]
    assert state_of(mine)[3] == before[3]


def test_folders_filters_and_the_bin_are_each_users_own(mine, other):
    folder = mine.folders.add("Plans")
    mine.folders.move(["m1"], folder)
    mine.filters.save("plans", {"text": "secret"})
    mine.update_media("m1", sha256="0" * 64)
    before = mine.media("m1"), mine.folders.all(), mine.filters.all()
    assert other.folders.all() == other.filters.all() == []
    assert other.same_audio("0" * 64, 12) is None
    assert other.matches("m1", "secret") == ()
    other.folders.rename(folder, "x")
    other.folders.delete(folder)
    other.filters.delete("plans")
    other.folders.move(["m1"], None)
    other.to_bin(["m1"])
    other.add(media("m2"), {})
    with pytest.raises(StoreError, match="deleted meanwhile"):
        other.folders.move(["m2"], folder)
    own = other.folders.add("Plans")  # names are each user's own too
    assert own != folder
    assert (mine.media("m1"), mine.folders.all(), mine.filters.all()) == before
    mine.to_bin(["m1"])
    other.restore(["m1"])
    assert other.in_bin_since(datetime.now(UTC)) == []
    assert mine.media("m1").deleted_at is not None


def test_ids_are_each_users_own(mine, other, tmp_path):
    fill(other, "m1", "other words")
    path = tmp_path / "other.wav"
    path.write_bytes(b"other sound")
    other.keep_audio("m1", path)
    assert httpx.get(mine.audio("m1")).content == b"secret sound"
    assert httpx.get(other.audio("m1")).content == b"other sound"
    other.delete(["m1"])
    assert mine.search(Query("secret")).total == 1
    assert httpx.get(mine.audio("m1")).content == b"secret sound"


@pytest.mark.parametrize("table", ["media", "analysis"])
def test_what_is_done_to_all_rows_is_done_to_ones_own(shared_project, mine, other, table):
    fill(other, "m2", "other words")
    before = state_of(mine)[:3]
    change = {"media": {"title": "x", "tags": ["x"]}, "analysis": {"insights": {}}}[table]
    with calling(shared_project, other) as client:
        assert client.patch(f"/rest/v1/{table}", json=change).status_code == 204
        assert other.media("m2").title == "x" or other.analysis("m2").insights == {}
        assert client.delete(f"/rest/v1/{table}").status_code == 204
        assert other.analysis("m2") is None
    assert state_of(mine)[:3] == before


def refused(response: httpx.Response, status: int, code: str) -> bool:
    return (response.status_code, response.json().get("code")) == (status, code)


def test_a_row_of_another_user_cannot_be_written(shared_project, mine, other):
    row = {"id": "m2", "title": "x", "created_at": "2026-11-02", "source": "file"}
    row |= {"source_name": "x"}
    with calling(shared_project, other) as client:
        tables = "/rest/v1/media", "/rest/v1/analysis"
        forged = {**row, "user_id": mine.user_id}
        assert refused(client.post(tables[0], json=forged), 403, "42501")
        assert client.post(tables[0], json=row).status_code == 201
        moved = client.patch(f"{tables[0]}?id=eq.m2", json={"user_id": mine.user_id})
        assert refused(moved, 403, "42501")
        assert client.delete(f"{tables[0]}?user_id=eq.{mine.user_id}").status_code == 204
        analysis = {"media_id": "m1", "request": {}}
        assert refused(client.post(tables[1], json=analysis), 409, "23503")
        forged = {**analysis, "user_id": mine.user_id}
        assert refused(client.post(tables[1], json=forged), 403, "42501")
    assert mine.media("m1") is not None
    assert mine.media("m2") is None


@pytest.mark.parametrize("is_signed_in", [True, False], ids=["another user", "nobody"])
def test_audio_of_another_user_cannot_be_reached(shared_project, mine, other, is_signed_in):
    place = f"/storage/v1/object/audio/{mine.user_id}"
    signing = f"/storage/v1/object/sign/audio/{mine.user_id}/m1.wav"
    with calling(shared_project, other if is_signed_in else None) as client:
        assert client.get(f"{place}/m1.wav").json()["message"] == "Object not found"
        asked = client.post(signing, json={"expiresIn": 60})
        assert asked.json()["message"] == "Object not found"
        for name in ("m1.wav", "new.wav"):
            for headers in ({}, {"x-upsert": "true"}):
                files = {"file": ("x.wav", b"forged")}
                sent = client.post(f"{place}/{name}", files=files, headers=headers)
                assert "row-level security" in sent.json()["message"]
        prefixes = {"prefixes": [f"{mine.user_id}/m1.wav"]}
        assert client.request("DELETE", "/storage/v1/object/audio", json=prefixes).json() == []
    assert httpx.get(mine.audio("m1")).content == b"secret sound"


@pytest.mark.parametrize("table", ["media", "analysis", "folder", "saved_filter"])
def test_nobody_gets_an_error_and_not_an_empty_list(shared_project, table):
    with calling(shared_project, None) as client:
        place = f"/rest/v1/{table}"
        assert refused(client.get(place), 401, "42501")
        row = {"analysis": {"request": {}}, "media": {"title": "x"}}.get(table, {"name": "x"})
        assert refused(client.post(place, json=row), 401, "42501")
        assert refused(client.delete(f"{place}?user_id=is.null"), 401, "42501")


def test_nothing_is_granted_but_to_signed_in_users(shared_project):
    functions = shared_project.rows(
        "select proname, rolname from pg_proc, pg_roles"
        " where pronamespace = 'public'::regnamespace"
        " and rolname in ('anon', 'authenticated', 'service_role')"
        " and has_function_privilege(rolname, pg_proc.oid, 'execute')"
    )
    assert len(functions) >= 15
    assert {role for _, role in functions} == {"authenticated"}
    tables = shared_project.rows(
        "select distinct grantee from information_schema.role_table_grants"
        " where table_schema = 'public' and grantee <> 'postgres'"
    )
    assert tables == [("authenticated",)]


def test_functions_cannot_be_called_without_signing_in(shared_project):
    with calling(shared_project, None) as client:
        for name in ("library_search", "library_overview", "library_check"):
            assert refused(client.post(f"/rest/v1/rpc/{name}", json={}), 401, "42501")


def test_a_user_who_is_deleted_leaves_nothing(shared_project, mine):
    shared_project.rows("delete from auth.users where id = %s", mine.user_id)
    sql = "select 1 from public.media natural full join public.analysis where user_id = %s"
    assert shared_project.rows(sql, mine.user_id) == []


def test_a_signed_url_is_good_by_itself_for_an_hour_and_for_one_object(shared_project, mine):
    url = mine.audio("m1")
    part = httpx.get(url, headers={"range": "bytes=7-"})
    assert (part.status_code, part.content) == (206, b"sound")
    assert part.headers["content-type"] == "audio/x-wav"
    assert httpx.get(url.replace("m1.wav", "m2.wav")).status_code == 400
    assert httpx.get(url.partition("?")[0]).status_code == 400
    try:
        shared_project.clock_ahead_s = 3700
        assert httpx.get(url).status_code == 200
        shared_project.clock_ahead_s = 24 * 3600
        assert httpx.get(url).status_code == 400
    finally:
        shared_project.clock_ahead_s = 0


def test_a_player_gets_the_same_url_again(mine, monkeypatch):
    run, asked = mine._session.run, []
    monkeypatch.setattr(mine._session, "run", lambda ask: asked.append(ask) or run(ask))
    assert mine.audio("m1") == mine.audio("m1")
    assert len(asked) == 3  # the name twice, the URL once
    monkeypatch.setattr("echostream_ui.library.supabase.store._GIVEN_AGAIN_FOR_S", -1)
    mine.audio("m1")
    assert len(asked) == 5


def test_audio_that_was_deleted_meanwhile_is_none(shared_project, mine, tmp_path):
    shared_project.rows("delete from storage.objects where name = %s", f"{mine.user_id}/m1.wav")
    assert mine.audio("m1") is None
    late = tmp_path / "late.wav"
    late.write_bytes(b"x")
    mine.delete(["m1"])
    mine.keep_audio("m1", late)
    assert not late.exists()
    sql = "select name from storage.objects where name like %s"
    assert shared_project.rows(sql, f"{mine.user_id}/%") == []


def test_what_is_not_an_id_is_refused(shared_project, other):
    """An id names an object, so that `../` in it would lead into another's folder."""
    row = {"title": "x", "created_at": "2026-11-02", "source": "file", "source_name": "x"}
    with calling(shared_project, other) as client:
        for media_id in ("../x", "a/b", "", "a" * 101):
            sent = client.post("/rest/v1/media", json={**row, "id": media_id})
            assert refused(sent, 400, "23514")
