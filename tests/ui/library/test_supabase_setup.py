"""Whatever is wrong with a project or its settings is said, and what to do about it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from echostream_ui.library.search import Query
from echostream_ui.library.store import StoreError
from echostream_ui.library.supabase.accounts import Accounts
from recordings import answer, fill, media
from supabase_standin.project import Project, supabase_project

EMAIL, PASSWORD = "ada@example.com", "a long password"


@contextmanager
def accounts_of(project: Project, key: str | None = None) -> Iterator[Accounts]:
    accounts = Accounts(project.url, key or project.anon_key)
    try:
        yield accounts
    finally:
        accounts.close()


@pytest.fixture
def library(project):
    """One that works, in a project that the test may break."""
    project.add_user(EMAIL, PASSWORD)
    with accounts_of(project) as accounts:
        yield accounts.sign_in(EMAIL, PASSWORD)


def refusal(work) -> StoreError:
    with pytest.raises(StoreError) as caught:
        work()
    assert str(caught.value).endswith(".")
    return caught.value


_OF_BEFORE = (
    "id", "title", "created_at", "source", "source_name", "size_bytes", "duration_s", "language",
    "tags", "state", "audio_name", "transcript", "document", "request", "response", "insights",
    "edits", "speakers", "action_items", "topics",
)  # fmt: skip

BROKEN = {
    "grant on a table": (
        "revoke update on public.media from authenticated",
        "A grant is missing in the Supabase project: UPDATE on media.",
    ),
    "grant on a function": (
        "revoke execute on function public.library_check from authenticated",
        "A grant is missing in the Supabase project: permission denied for function library_check.",
    ),
    "policy on a table": (
        'drop policy "Own media are read" on public.media',
        "A policy of the Supabase project does not let you: SELECT on media.",
    ),
    "policy on audio": (
        'drop policy "Own audio is added" on storage.objects',
        "A policy of the Supabase project does not let you: INSERT on objects.",
    ),
    "row level security": (
        "alter table public.analysis disable row level security",
        "The Supabase project is open: row level security is off for analysis, so that all users"
        " see everything.",
    ),
    "bucket": (
        "delete from storage.buckets",
        "The bucket for audio is missing in the Supabase project.",
    ),
    "public bucket": (
        "update storage.buckets set public = true",
        "The Supabase project is open: its bucket for audio is public.",
    ),
    "table": (
        "drop table public.analysis cascade",
        "A table of the library is missing in the Supabase project.",
    ),
    "function": (
        "drop function public.library_check",
        "A function of the library is missing in the Supabase project.",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_wrong_with_a_project_is_told_and_mended_by_the_migrations(project, what):
    sql, message = BROKEN[what]
    project.add_user(EMAIL, PASSWORD)
    project.rows(sql)
    with accounts_of(project) as accounts:
        error = refusal(lambda: accounts.sign_in(EMAIL, PASSWORD))
        assert str(error) == message
        assert "docs/how-to/supabase.md" in error.advice
        assert not error.retryable
        project.migrate()
        assert accounts.sign_in(EMAIL, PASSWORD).email == EMAIL


def test_migrations_that_have_not_run_are_told(postgres):
    with supabase_project(postgres, "unmigrated", "bare") as project:
        project.add_user(EMAIL, PASSWORD)
        with accounts_of(project) as accounts:
            error = refusal(lambda: accounts.sign_in(EMAIL, PASSWORD))
    assert str(error) == "A function of the library is missing in the Supabase project."
    assert "library/supabase/migrations" in error.advice


def test_a_project_of_before_is_brought_up_to_date(project, library):
    fill(library, "m1", "word", name="Interview_07.m4a")
    library.update_media("m1", title="Mine")
    library.update_analysis("m1", edits={0: "another"})
    before = (library.media("m1"), library.analysis("m1"))
    project.rows("alter table public.analysis drop column line_speakers")
    project.rows("alter table public.media drop column document")
    project.rows(
        "alter table public.media add column document tsvector"
        " generated always as (public.library_document(title, transcript)) stored",
    )
    project.rows("drop table public.preset, public.version")
    project.rows("alter table public.analysis drop column bookmarks")
    assert library.search(Query("interview")).total == 0
    for _ in range(2):  # running them again changes nothing
        project.migrate()
        assert library.search(Query("interview mine another")).total == 1
        library.presets.keep("Board", {})
        assert library.versions.all("m1") == []
    assert (library.media("m1"), library.analysis("m1")) == before


def test_a_project_without_folders_is_brought_up_to_date(postgres, tmp_path):
    with supabase_project(postgres, "folderless", "bare") as project:
        project.migrate(until="20261126000008")
        project.add_user(EMAIL, PASSWORD)
        with accounts_of(project) as accounts:
            library = accounts.sign_in(EMAIL, PASSWORD)
            for media_id in ("m1", "m2"):
                fill(library, media_id, "one", "two", name="Interview_07.m4a", tags=("x",))
            library.update_analysis("m1", edits={1: "zwei"}, speakers={"A": "Ada"})
            (path := tmp_path / "talk.wav").write_bytes(b"sound")
            library.keep_audio("m1", path)
            names = ", ".join(f"{each}::text" for each in _OF_BEFORE)
            everything = f"select {names} from public.media join public.analysis on media_id = id"  # noqa: S608
            before = project.rows(f"{everything} order by id")
            for _ in range(2):  # running them again changes nothing
                project.migrate()
                assert project.rows(f"{everything} order by id") == before
                assert library.media("m1").tags == ("x",)
                found = library.search(Query("zwei interview")).rows
                assert [match.start_s for row in found for match in row.matches] == [2.0]
                assert library.audio("m1") is not None
                library.check()


def test_migrations_do_in_a_project_that_grants_nothing_by_itself(postgres):
    with supabase_project(postgres, "strict", "bare") as project:
        for kind in ("tables", "functions"):
            project.rows(
                f"alter default privileges in schema public revoke all on {kind}"
                " from anon, authenticated, service_role"
            )
        project.migrate()
        project.add_user(EMAIL, PASSWORD)
        with accounts_of(project) as accounts:
            store = accounts.sign_in(EMAIL, PASSWORD)
            fill(store, "m1", "word")
            assert store.search(Query("word")).total == 1


def test_migrations_that_run_again_keep_everything(project, library):
    fill(library, "m1", "word", title="Title")
    before = library.media("m1"), library.analysis("m1")
    project.migrate()
    assert (library.media("m1"), library.analysis("m1")) == before
    assert library.search(Query("word title")).total == 1


@pytest.mark.parametrize("key", ["nonsense", "sb_publishable_of_another_project", "a.b.c"])
def test_a_wrong_key_is_told(shared_project, key):
    with accounts_of(shared_project, key) as accounts:
        error = refusal(lambda: accounts.sign_in(EMAIL, PASSWORD))
    assert str(error) == "The Supabase project does not know the key."
    assert "SUPABASE_ANON_KEY" in error.advice
    assert not error.retryable


def test_a_key_that_is_replaced_is_told_by_every_part(project, library, tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(b"x")
    library.add(media(), {})
    project.anon_key = "another"
    works = [
        lambda: library.media("m1"),
        lambda: library.search(Query()),
        lambda: library._upload("m1.wav", path),
    ]
    for work in works:
        assert str(refusal(work)) == "The Supabase project does not know the key."


def test_a_secret_key_is_refused_before_it_is_sent(shared_project):
    for key in (shared_project.service_key, "sb_secret_abc"):
        error = refusal(lambda key=key: Accounts(shared_project.url, key))
        assert str(error).startswith("The Supabase key is a secret one")
        assert key not in f"{error} {error.advice}"


def test_a_publishable_key_is_as_good_as_an_anon_key(shared_project):
    shared_project.add_user("publishable@example.com", PASSWORD)
    with accounts_of(shared_project, shared_project.publishable_key) as accounts:
        store = accounts.sign_in("publishable@example.com", PASSWORD)
        fill(store, "m1", "word")
        assert store.search(Query("word")).total == 1


def test_settings_that_cannot_be_right_are_told():
    error = refusal(lambda: Accounts("project.supabase.co", "key"))
    assert "SUPABASE_URL" in error.advice


# While it is used


def test_a_grant_that_is_taken_away_is_told(project, library):
    project.rows("revoke insert, select on public.media from authenticated")
    for work in (lambda: library.add(media(), {}), lambda: library.media("m1")):
        error = refusal(work)
        assert str(error).startswith("A grant is missing in the Supabase project: permission")
        assert not error.retryable


def test_a_policy_that_is_gone_loses_no_write_silently(project, library):
    fill(library, "m1", "one", items=("Write",))
    library.add(media("m2"), {})
    project.rows('drop policy "Own media are added" on public.media')
    assert "policy" in str(refusal(lambda: library.add(media("m3"), {})))
    for policy in ('"Own media are changed" on public.media',
                   '"Own analyses are changed" on public.analysis'):  # fmt: skip
        project.rows(f"drop policy {policy}")
        assert "policy" in str(refusal(lambda: library.complete("m2", answer())))
    assert "policy" in str(refusal(lambda: library.update_media("m1", title="x")))
    assert "policy" in str(refusal(lambda: library.update_analysis("m1", action_items=())))
    project.rows('drop policy "Own media are deleted" on public.media')
    assert "policy" in str(refusal(lambda: library.delete(["m1"])))
    assert library.analysis("m1").action_items != ()


def test_an_answer_that_one_table_refuses_is_kept_in_neither(project, library):
    library.add(media(state="active"), {})
    project.rows('drop policy "Own analyses are changed" on public.analysis')
    refusal(lambda: library.complete("m1", answer()))
    assert library.media("m1").state == "active"


def test_audio_that_cannot_be_kept_stays_where_it_is(project, library, tmp_path):
    library.add(media(), {})
    path = tmp_path / "talk.wav"
    path.write_bytes(b"x" * 2000)
    project.max_object_bytes = 1000
    error = refusal(lambda: library.keep_audio("m1", path))
    assert str(error) == "The audio is larger than the Supabase project takes."
    project.max_object_bytes = 5000
    project.rows('drop policy "Own audio is added" on storage.objects')
    assert "policy" in str(refusal(lambda: library.keep_audio("m1", path)))
    project.rows("delete from storage.buckets")
    error = refusal(lambda: library.keep_audio("m1", path))
    assert str(error) == "The bucket for audio is missing in the Supabase project."
    assert path.exists()
    assert library.audio("m1") is None
    path.unlink()
    assert "cannot be read" in str(refusal(lambda: library.keep_audio("m1", path)))


@pytest.mark.parametrize("status", [429, 500, 502, 503, 520])
def test_what_passes_is_retryable_and_nothing_is_lost(project, library, tmp_path, status):
    path = tmp_path / "talk.wav"
    path.write_bytes(b"sound")
    works = [
        lambda: library.add(media(), {}),
        lambda: library.complete("m1", answer("word")),
        lambda: library.update_analysis("m1", edits={0: "edited"}),
        lambda: library.keep_audio("m1", path),
        lambda: library.search(Query("edited")),
        lambda: library.delete(["m1"]),
    ]
    for work in works:
        project.failing = status
        error = refusal(work)
        assert error.retryable
        assert error.advice
        project.failing = None
        assert path.exists() or work not in works[:4]
        work()
    assert not path.exists()


def test_a_paused_project_is_told(project, library):
    project.failing = 540
    error = refusal(lambda: library.search(Query()))
    assert str(error) == "The Supabase project is paused."
    assert "Restore" in error.advice


def test_a_project_that_is_away_is_told_by_every_part(postgres, tmp_path):
    path = tmp_path / "talk.wav"
    path.write_bytes(b"sound")
    with supabase_project(postgres, "away") as project:
        project.add_user(EMAIL, PASSWORD)
        accounts = Accounts(project.url, project.anon_key)
        store = accounts.sign_in(EMAIL, PASSWORD)
        store.add(media(), {})
    works = [
        lambda: accounts.sign_in(EMAIL, PASSWORD),
        lambda: store.media("m1"),
        lambda: store.complete("m1", answer()),
        lambda: store.keep_audio("m1", path),
        lambda: store._upload("m1.wav", path),
    ]
    for work in works:
        error = refusal(work)
        assert str(error) == "The Supabase project cannot be reached."
        assert "SUPABASE_URL" in error.advice
        assert error.retryable
    assert path.exists()
    accounts.close()


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (200, "The answer is not one of a Supabase project."),
        (404, "The answer is not one of a Supabase project."),
        (500, "Supabase has trouble at the moment."),
        (502, "Supabase has trouble at the moment."),
    ],
)
def test_a_page_in_place_of_an_answer_is_told(status, message):
    class Page(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(status)
            self.send_header("content-length", "13")
            self.end_headers()
            self.wfile.write(b"<html></html>")

        def log_message(self, *args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        accounts = Accounts(f"http://127.0.0.1:{server.server_port}", "key")
        error = refusal(lambda: accounts.sign_in(EMAIL, PASSWORD))
        accounts.close()
        server.shutdown()
        thread.join()
    assert str(error) == message
    assert error.retryable
