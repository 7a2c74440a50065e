"""What all pages and users share: settings, the API client and the background work."""

import asyncio
import hmac
import secrets
import threading
import uuid
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from echostream_ui import documents
from echostream_ui.api_client import ApiClient, ApiError, Status, Templates
from echostream_ui.asking import Answer, Writing, answers
from echostream_ui.background import Background
from echostream_ui.intake import Intake
from echostream_ui.intake.staging import Staging
from echostream_ui.library.sqlite.store import SqliteStore
from echostream_ui.library.store import Store
from echostream_ui.settings import FrontendSettings
from echostream_ui.supabase_client import accounts_of
from echostream_ui.tickets import Tickets
from echostream_ui.visits import Visits
from echostream_ui.watching.folder import WatchedFolder

if TYPE_CHECKING:
    from echostream_ui.live.session import Wanted

T = TypeVar("T")

ARCHIVE = "library.zip"
"""The library as a file, below the frontend's path."""

_WATCH_S = 3.0
_TIDY_S = 3600.0
_PAGE_IS_OPEN_S = 24 * 3600.0


@dataclass(slots=True)
class ApiState:
    """The API's condition at the last check. After the first check, exactly one field is set."""

    status: Status | None = None
    error: ApiError | None = None


class Services:
    """Lives as long as the process. Background work has an event loop in its own thread."""

    def __init__(self, settings: FrontendSettings) -> None:
        """Raises StoreError if the library's folder or the Supabase key cannot be used."""
        self.settings = settings
        self.library = None if settings.uses_supabase else SqliteStore(settings.library_path)
        self.accounts = accounts_of(settings)
        self.visits = Visits()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="intake")
        self._thread.start()
        self.api_state = ApiState()
        self.models: tuple[str, ...] = ()
        """The API's models, the default first. Empty until they are known."""
        self.templates = Templates()
        """What insights can look for. Empty until it is known."""
        self.insights_models: tuple[str, ...] = ()
        """What can generate insights, the API's default first. Empty until it is known."""
        self.live_tickets: Tickets[Wanted] = Tickets()
        self.import_tickets: Tickets[Store] = Tickets(_PAGE_IS_OPEN_S)
        self._route_key = secrets.token_bytes(32)
        self._seen = threading.Event()
        self._tidying: asyncio.Task[None] | None = None
        self.run(self._begin())

    def route_query(self, what: str) -> str:
        """What the URL of a recording's audio, or of the library as a file, needs: a key, if
        Streamlit knows who people are and our own routes do not. It holds until the process ends.
        `what` is the recording's id or the name of the file."""
        return f"key={self._key_to(what)}" if self.settings.uses_oidc else ""

    def may_have(self, what: str, key: str) -> bool:
        if not self.settings.uses_oidc:
            return True
        return hmac.compare_digest(key.encode(), self._key_to(what).encode())

    def _key_to(self, what: str) -> str:
        return hmac.new(self._route_key, what.encode(), "sha256").hexdigest()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs `work` in the background event loop and waits for its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def ask(
        self, store: Store, media_ids: Sequence[str], question: str, before: Sequence[Answer]
    ) -> Writing:
        """Asks about recordings. `before` is the conversation so far, the oldest first."""
        writing = Writing(question)
        found = answers(self.api, store, media_ids, question, before)
        self.background.start(f"ask {uuid.uuid4()}", lambda: writing.follow(found))
        return writing

    def tidy(self, store: Store) -> None:
        """Deletes in the background what has been in a library's bin for long enough."""
        self.background.start(
            f"tidy {id(store)}", lambda: asyncio.to_thread(self.intake.empty_bin, store)
        )

    def api_seen(self, timeout_s: float = 1.0) -> ApiState:
        """Returns the API's state, checked every few seconds. Waits for the first check."""
        self._seen.wait(timeout_s)
        return self.api_state

    def close(self) -> None:
        """Stops all work. The next run of the process continues what is unfinished."""
        self.run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        if self.library is not None:
            self.library.close()
        if self.accounts is not None:
            self.accounts.close()

    async def _begin(self) -> None:
        token = self.settings.api_bearer_token
        self.api = ApiClient(
            self.settings.api_base_url, token.get_secret_value() if token else None
        )
        staging = Staging(self.settings.staging_path)
        self.intake = Intake(self.api, staging, at_once=self.settings.frontend_uploads)
        self.background = Background(self._loop)
        self._watching = asyncio.create_task(self._watch())
        if self.library is not None:
            await asyncio.to_thread(self.intake.resume, self.library)
            self._tidying = asyncio.create_task(self._tidy_often(self.library))
            self._watch_folder(self.library)

    def _watch_folder(self, library: SqliteStore) -> None:
        settings = self.settings
        if settings.watch_folder is not None:
            folder = WatchedFolder(
                settings.watch_folder,
                library,
                self.intake,
                preset=settings.watch_preset,
                formats=settings.watch_export,
                document_options=documents.Options(more_letters=settings.pdf_font),
            )
            self.background.start("watched folder", folder.watch)

    async def _end(self) -> None:
        self._watching.cancel()
        if self._tidying:
            self._tidying.cancel()
        await self.background.aclose()
        await self.intake.aclose()
        await self.api.aclose()

    async def _tidy_often(self, library: Store) -> None:
        """Also a library that nobody looks at holds nothing longer than its bin says."""
        while True:
            self.tidy(library)
            await asyncio.sleep(_TIDY_S)

    async def _watch(self) -> None:
        while True:
            try:
                status = await self.api.status()
                self.api_state = ApiState(status=status)
            except ApiError as error:
                self.api_state = ApiState(error=error)
                # It may have others when it is back.
                self.models, self.templates, self.insights_models = (), Templates(), ()
            else:
                await self._look_for_choices(status)
            self._seen.set()
            await asyncio.sleep(_WATCH_S)

    async def _look_for_choices(self, status: Status) -> None:
        with suppress(ApiError):  # the next check tries again
            if not self.models and not status.is_loading and not status.problems:
                self.models = await self.api.models()
        with suppress(ApiError):
            if not self.templates.offered:
                self.templates = await self.api.templates()
        with suppress(ApiError):
            if not self.insights_models:
                self.insights_models = await self.api.insights_models()


@lru_cache(maxsize=1)
def services() -> Services:
    """Returns the one instance of this process."""
    return Services(FrontendSettings())
