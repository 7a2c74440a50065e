"""Signing in, signing up, and resetting a forgotten password."""

from collections.abc import Callable

import streamlit as st

from echostream_ui.components.going import go
from echostream_ui.library.store import StoreError
from echostream_ui.library.supabase.accounts import Accounts
from echostream_ui.library.supabase.store import SupabaseStore
from echostream_ui.pages.session import sign_in
from echostream_ui.services import services
from echostream_ui.words.problems import words
from echostream_ui.words.wording import plain, sentences

_OF_A_RESET = ("reset", "code")


def main() -> None:
    accounts = services().accounts
    assert accounts is not None  # noqa: S101 - this page is shown with Supabase only
    _, middle, _ = st.columns([1, 2, 1])
    with middle:
        st.title("EchoStream", anchor=False)
        if all(name in st.query_params for name in _OF_A_RESET):
            choose_password(accounts)
            return
        enter, join, forgotten = st.tabs(["Sign in", "Create an account", "Forgotten password"])
        with enter:
            ask_sign_in(accounts)
        with join:
            ask_sign_up(accounts)
        with forgotten:
            ask_reset(accounts)


def ask_sign_in(accounts: Accounts) -> None:
    with st.form("sign_in", border=False):
        email = st.text_input("E-mail", autocomplete="email")
        password = st.text_input("Password", type="password", autocomplete="current-password")
        if st.form_submit_button("Sign in", type="primary"):
            attempt(lambda: enter(accounts.sign_in(email, password)))


def ask_sign_up(accounts: Accounts) -> None:
    with st.form("sign_up", border=False):
        email = st.text_input("E-mail", autocomplete="email")
        password = st.text_input(
            "Password",
            type="password",
            autocomplete="new-password",
            help="Eight characters or more",
        )
        if st.form_submit_button("Create account", type="primary"):
            attempt(lambda: join(accounts, email, password))


def join(accounts: Accounts, email: str, password: str) -> None:
    store = accounts.sign_up(email, password, st.context.url or "")
    if store is not None:
        enter(store)
    st.success(f"An e-mail is on its way to {plain(email)}. Its link confirms the address.")


def ask_reset(accounts: Accounts) -> None:
    with st.form("reset", border=False):
        email = st.text_input("E-mail", autocomplete="email")
        if st.form_submit_button("Send a link", type="primary"):
            attempt(lambda: send_link(accounts, email))


def send_link(accounts: Accounts, email: str) -> None:
    accounts.request_reset(email, st.context.url or "")
    st.success("If there is an account for this address, a link to a new password is on its way.")


def choose_password(accounts: Accounts) -> None:
    st.header("Choose a new password", anchor=False)
    with st.form("new_password", border=False):
        password = st.text_input("New password", type="password", autocomplete="new-password")
        if st.form_submit_button("Save", type="primary"):
            reset, code = st.query_params["reset"], st.query_params["code"]
            attempt(lambda: enter(accounts.finish_reset(reset, code, password)))


def enter(store: SupabaseStore) -> None:
    sign_in(store)
    asked = {name: st.query_params[name] for name in st.query_params if name not in _OF_A_RESET}
    go(None, **asked)


def attempt(work: Callable[[], None]) -> None:
    try:
        work()
    except StoreError as error:
        st.error(sentences(words(error)))


main()
