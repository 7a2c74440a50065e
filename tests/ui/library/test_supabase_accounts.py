"""Signing up and in, and sessions that last."""

from concurrent.futures import ThreadPoolExecutor

import httpx2 as httpx
import pytest

from echostream_ui.library.search import Query
from echostream_ui.library.store import StoreError
from echostream_ui.library.supabase.accounts import Accounts
from recordings import answer, media

EMAIL, PASSWORD = "ada@example.com", "a long password"
PAGE = "http://127.0.0.1:8501/"


@pytest.fixture
def accounts(project):
    made = Accounts(project.url, project.anon_key)
    yield made
    made.close()


@pytest.fixture
def user_id(project) -> str:
    return project.add_user(EMAIL, PASSWORD)


def message(work) -> str:
    with pytest.raises(StoreError) as caught:
        work()
    assert caught.value.advice
    assert not caught.value.retryable
    return str(caught.value)


def test_signing_in_gives_the_users_library(accounts, user_id):
    store = accounts.sign_in(f" {EMAIL} ", PASSWORD)
    assert (store.user_id, store.email) == (user_id, EMAIL)
    assert store.search(Query()).total == 0


def test_a_wrong_password_and_an_unknown_address_are_told_alike(accounts, user_id):
    wrong = message(lambda: accounts.sign_in(EMAIL, "wrong"))
    assert wrong == "The e-mail address or the password is wrong."
    assert message(lambda: accounts.sign_in("b@example.com", PASSWORD)) == wrong


def test_signing_up_gives_a_library_where_nothing_is_to_be_confirmed(accounts):
    store = accounts.sign_up(EMAIL, PASSWORD, PAGE)
    store.add(media(), {})
    assert accounts.sign_in(EMAIL, PASSWORD).media("m1") is not None


def test_an_address_is_confirmed_before_its_owner_signs_in(project, accounts):
    project.confirms_email = True
    assert accounts.sign_up(EMAIL, PASSWORD, PAGE) is None
    told = message(lambda: accounts.sign_in(EMAIL, PASSWORD))
    assert told == "This e-mail address has not been confirmed yet."
    project.rows("update auth.users set email_confirmed_at = now()")
    assert accounts.sign_in(EMAIL, PASSWORD).email == EMAIL


def test_what_cannot_be_signed_up_is_told(accounts, user_id):
    taken = message(lambda: accounts.sign_up(EMAIL, PASSWORD, PAGE))
    assert taken == "There is an account for this e-mail address."
    weak = message(lambda: accounts.sign_up("b@example.com", "short", PAGE))
    assert weak == "The password is too weak."


@pytest.mark.parametrize("field", ["email", "password"])
def test_empty_fields_are_told(accounts, user_id, field):
    given = {"email": EMAIL, "password": PASSWORD} | {field: ""}
    assert message(lambda: accounts.sign_in(**given)) == "E-mail address and password are needed."


def test_a_forgotten_password_is_set_anew_by_a_link(project, accounts, user_id):
    accounts.request_reset(EMAIL, PAGE)
    accounts.request_reset("nobody@example.com", PAGE)
    ((to, link),) = project.mails
    assert to == EMAIL
    back = httpx.URL(httpx.get(link).headers["location"])
    assert str(back).startswith(PAGE)
    given = back.params["reset"], back.params["code"]
    weak = message(lambda: accounts.finish_reset(*given, "short"))
    assert weak == "The password is too weak."
    assert accounts.finish_reset(*given, "another password").user_id == user_id
    assert accounts.sign_in(EMAIL, "another password").user_id == user_id
    message(lambda: accounts.sign_in(EMAIL, PASSWORD))
    used = message(lambda: accounts.finish_reset(*given, "a third password"))
    assert used == "This link is no longer good."


def test_a_link_that_was_not_sent_from_here_is_worth_nothing(accounts, user_id, project):
    other = Accounts(project.url, project.anon_key)
    other.request_reset(EMAIL, f"{PAGE}?page=1")
    back = httpx.URL(httpx.get(project.mails[0][1]).headers["location"])
    assert back.params["page"] == "1"
    accounts.request_reset(EMAIL, PAGE)
    own = httpx.URL(httpx.get(project.mails[1][1]).headers["location"])
    for reset in (back.params["reset"], own.params["reset"]):
        told = message(lambda reset=reset: accounts.finish_reset(reset, back.params["code"], "new"))
        assert told == "This link is no longer good."
    other.close()


# Sessions


@pytest.fixture
def store(accounts, user_id):
    return accounts.sign_in(EMAIL, PASSWORD)


def refreshes(project) -> int:
    return project.rows("select count(*) - 1 from auth.refresh_tokens")[0][0]


def test_a_token_is_refreshed_before_it_is_too_old(project, accounts, user_id):
    project.token_life_s = 5  # less than the margin that the client keeps
    store = accounts.sign_in(EMAIL, PASSWORD)
    before = refreshes(project)
    store.search(Query())
    assert refreshes(project) > before


def test_a_token_that_is_refused_is_refreshed_once_by_all_threads(project, store):
    store.add(media(), {})
    project.clock_ahead_s = 4000  # or the client's clock is behind
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: store.tag(["m1"], [f"t{number}"], []), range(16)))
    assert len(store.media("m1").tags) == 16
    assert refreshes(project) == 1


def test_audio_is_kept_with_a_token_that_has_become_too_old(project, store, tmp_path):
    store.add(media(), {})
    path = tmp_path / "talk.wav"
    path.write_bytes(b"sound")
    for work in (
        lambda: store.keep_audio("m1", path),
        lambda: store._upload("m1.wav", tmp_path / "again.wav"),
        lambda: store.audio("m1"),
    ):
        project.clock_ahead_s += 4000
        (tmp_path / "again.wav").write_bytes(b"sound again")
        work()
    assert httpx.get(store.audio("m1")).content == b"sound again"
    assert refreshes(project) == 3


def test_a_signing_key_that_is_replaced_ends_no_session(project, store):
    project.secret = "another"
    project.anon_key = store._session._client.supabase_key
    store.add(media(), {})
    assert store.media("m1") is not None


def test_a_session_that_has_ended_is_told_and_not_an_empty_library(project, store):
    project.rows("delete from auth.refresh_tokens")
    project.clock_ahead_s = 4000
    assert message(lambda: store.search(Query())) == "Your session has ended."
    assert message(lambda: store.media("m1")) == "Your session has ended."


def test_after_signing_out_nothing_is_given(project, accounts, store):
    other = accounts.sign_in(EMAIL, PASSWORD)
    store.add(media(), {})
    store.sign_out()
    assert message(lambda: store.search(Query())) == "Your session has ended."
    project.clock_ahead_s = 4000
    assert other.media("m1") is not None  # other sessions go on


def test_a_refresh_that_fails_for_a_while_ends_no_session(project, store):
    project.clock_ahead_s, project.failing = 4000, 503
    with pytest.raises(StoreError) as caught:
        store.complete("m1", answer())
    assert caught.value.retryable
    project.failing = None
    store.add(media(), {})


def test_a_session_is_resumed_once(accounts, store):
    store.add(media(), {})
    token = store.refresh_token
    resumed = accounts.resume(token)
    assert resumed.media("m1") is not None
    assert message(lambda: accounts.resume(token)) == "Your session has ended."
    assert accounts.resume(resumed.refresh_token).email == EMAIL
