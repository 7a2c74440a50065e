"""Signing up for a Supabase project, signing in to it, and resetting a forgotten password."""

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlencode

from supabase import Client

from echostream_ui.library.store import StoreError
from echostream_ui.library.supabase.errors import FOREIGN, translated
from echostream_ui.library.supabase.session import Session, connected, http_client
from echostream_ui.library.supabase.store import SupabaseStore

T = TypeVar("T")

_MOST_RESETS = 1000


class Accounts:
    """The project's accounts. Lives as long as the process; any thread may use it. Methods raise
    StoreError, for example if the project is not set up for the library."""

    def __init__(self, url: str, key: str) -> None:
        """`key` is the anon key or a publishable one. Sends no request yet."""
        self._http = http_client()
        self._url, self._key = url, key
        self._client()  # raises if the key cannot be used
        self._lock = threading.Lock()
        self._resets: OrderedDict[str, Client] = OrderedDict()

    def close(self) -> None:
        """Closes the connections. The libraries that were returned no longer work afterwards."""
        self._http.close()

    def sign_in(self, email: str, password: str) -> SupabaseStore:
        """Returns the user's library."""
        _refuse_empty(email, password)
        client = self._client()
        _asked(
            lambda: client.auth.sign_in_with_password(
                {"email": email.strip(), "password": password}
            )
        )
        return _library(client)

    def sign_up(self, email: str, password: str, page_url: str) -> SupabaseStore | None:
        """Returns the new user's library, or None if the user must first confirm the address with
        an e-mailed link, which leads to `page_url`."""
        _refuse_empty(email, password)
        client = self._client()
        _asked(
            lambda: client.auth.sign_up(
                {
                    "email": email.strip(),
                    "password": password,
                    "options": {"email_redirect_to": page_url},
                }
            )
        )
        if _asked(client.auth.get_session) is None:
            return None
        return _library(client)

    def resume(self, refresh_token: str) -> SupabaseStore:
        """Returns the library of an earlier session, from its `SupabaseStore.refresh_token`."""
        client = self._client()
        _asked(lambda: client.auth.refresh_session(refresh_token))
        return _library(client)

    def request_reset(self, email: str, page_url: str) -> None:
        """Sends an e-mail with a link to `page_url`, with `reset` and `code` in the query. For an
        address without an account, it sends nothing and does not say so."""
        client = self._client()
        reset = secrets.token_urlsafe(16)
        back = f"{page_url}{'&' if '?' in page_url else '?'}{urlencode({'reset': reset})}"
        _asked(lambda: client.auth.reset_password_for_email(email.strip(), {"redirect_to": back}))
        # The link works only with the secret that this client holds.
        with self._lock:
            self._resets[reset] = client
            while len(self._resets) > _MOST_RESETS:
                self._resets.popitem(last=False)

    def finish_reset(self, reset: str, code: str, password: str) -> SupabaseStore:
        """Sets a new password, with `reset` and `code` from the page's query, and returns the
        library. May be called again if the password was refused."""
        with self._lock:
            client = self._resets.get(reset)
        if client is None:
            raise StoreError("This link is no longer good.", "Ask for a new e-mail.")
        if _asked(client.auth.get_session) is None:
            _asked(lambda: client.auth.exchange_code_for_session({"auth_code": code}))
        _asked(lambda: client.auth.update_user({"password": password}))
        with self._lock:
            self._resets.pop(reset, None)
        return _library(client)

    def _client(self) -> Client:
        return connected(self._url, self._key, self._http)


def _refuse_empty(email: str, password: str) -> None:
    if not email.strip() or not password:
        raise StoreError("E-mail address and password are needed.", "Fill in both.")


def _library(client: Client) -> SupabaseStore:
    """Returns a library that has been checked: in a badly set up project it would look empty."""
    store = SupabaseStore(Session(client))
    store.check()
    return store


def _asked(work: Callable[[], T]) -> T:
    try:
        return work()
    except FOREIGN as error:
        raise translated(error) from error
