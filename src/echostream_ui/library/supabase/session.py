"""A user's session with a Supabase project, refreshed as long as it is used."""

import base64
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import httpx
from postgrest import SyncPostgrestClient
from storage3 import SyncStorageClient
from supabase import Client, ClientOptions

from echostream_ui.library.store import StoreError
from echostream_ui.library.supabase.errors import FOREIGN, has_expired, session_ended, translated

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Access:
    """What a request needs. The clients send `token` and are never changed."""

    rest: SyncPostgrestClient
    storage: SyncStorageClient
    token: str
    refresh_token: str


def http_client() -> httpx.Client:
    """Returns a client for HTTP/1.1, which several threads may use. All users can share it, because
    each request carries its user's token."""
    return httpx.Client(
        # The service may take a while to store audio after receiving it.
        timeout=httpx.Timeout(60, connect=10),
        follow_redirects=True,
        event_hooks={"response": [_refuse_trouble]},
    )


def connected(url: str, key: str, http: httpx.Client) -> Client:
    """Returns a client that nobody is signed in with. Raises StoreError if the key is a secret one,
    which a frontend must not have."""
    _refuse_secret(key)
    options = ClientOptions(
        # Refreshing on demand needs no thread, and two refreshes cannot overlap.
        auto_refresh_token=False,
        # Pages and background work retry by themselves.
        postgrest_client_retry=False,
        httpx_client=http,
    )
    try:
        return Client(url, key, options)
    except Exception as error:  # the library's own class is not public
        raise StoreError(
            "The settings of Supabase cannot be right.", "Check SUPABASE_URL and SUPABASE_ANON_KEY."
        ) from error


class Session:
    """A signed-in user. Any thread may use it."""

    def __init__(self, client: Client) -> None:
        """Raises StoreError if nobody is signed in with `client`: its requests would carry only the
        key and get empty answers, as if the library were empty."""
        self._client = client
        self._lock = threading.Lock()
        session = client.auth.get_session()
        if session is None:
            raise StoreError("You are not signed in.", "Sign in first.")
        self.user_id, self.email = session.user.id, session.user.email or ""

    @property
    def refresh_token(self) -> str:
        """The token for `Accounts.resume`. It works once and changes every hour."""
        return self.run(lambda access: access.refresh_token)

    def run(self, work: Callable[[Access], T]) -> T:
        """Returns the result of `work`, which is called a second time if the token has expired.
        Raises StoreError."""
        try:
            access = self._access()
            try:
                return work(access)
            except FOREIGN as error:
                if not has_expired(error):
                    raise
            return work(self._access(refused=access.token))
        except FOREIGN as error:
            raise translated(error) from error

    def sign_out(self) -> None:
        """Ends this session but not the user's other ones."""
        try:
            with self._lock:
                self._client.auth.sign_out({"scope": "local"})
        except FOREIGN as error:
            raise translated(error) from error

    def _access(self, refused: str | None = None) -> Access:
        """Returns access with a token that stays valid for a while and is not the refused one."""
        with self._lock:
            session = self._client.auth.get_session()  # refreshes it if it expires soon
            if session is not None and session.access_token == refused:
                session = self._client.auth.refresh_session(session.refresh_token).session
            if session is None:
                raise session_ended()
            # The client makes new ones for every token; under the lock, they match this token.
            clients = self._client.postgrest, self._client.storage
            return Access(*clients, session.access_token, session.refresh_token)


def _refuse_trouble(response: httpx.Response) -> None:
    """Raises if the gateway in front of the services failed. If its answer is JSON without a
    database code, the client would lose the status."""
    if response.status_code == 429 or response.status_code >= 500:
        response.read()
        if b'"code"' not in response.content:
            response.raise_for_status()


def _refuse_secret(key: str) -> None:
    if key.startswith("sb_secret_") or _role(key) == "service_role":
        raise StoreError(
            "The Supabase key is a secret one, for which no rule holds: every user would see"
            " everybody's recordings.",
            "Put the anon key, or a publishable one, into SUPABASE_ANON_KEY. If the secret key has"
            " been anywhere else, replace it in the Supabase dashboard.",
        )


def _role(key: str) -> str | None:
    """The role in a key of the older kind, a JSON Web Token; None for other keys."""
    try:
        payload = key.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError):
        return None
    return claims.get("role") if isinstance(claims, dict) else None
