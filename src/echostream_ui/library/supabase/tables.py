"""The tables and functions of a Supabase project, as the signed-in user may use them."""

from collections.abc import Sequence
from typing import Any

from echostream_ui.library.store import StoreError
from echostream_ui.library.supabase.errors import (
    MIGRATE,
    bucket_missing,
    grant_missing,
    policy_missing,
)
from echostream_ui.library.supabase.rows import rows_of
from echostream_ui.library.supabase.session import Access, Session
from echostream_ui.library.values import Json, storable


class Tables:
    """All methods raise StoreError."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def check(self) -> None:
        """Raises StoreError if the project is not set up for the library. Without this check, a
        missing policy would only look like missing rows."""
        found = self.call("library_check")
        if found["unprotected"]:
            raise StoreError(
                "The Supabase project is open: row level security is off for"
                f" {_listed(found['unprotected'])}, so that all users see everything.",
                MIGRATE,
            )
        if found["grants"]:
            raise grant_missing(_listed(found["grants"]))
        if found["policies"]:
            raise policy_missing(_listed(found["policies"]))
        if not found["bucket"]:
            raise bucket_missing()
        if found["bucket"]["public"]:
            raise StoreError(
                "The Supabase project is open: its bucket for audio is public.", MIGRATE
            )

    def call(self, function: str, **arguments: Any) -> Any:
        """Returns the result of a database function that the migrations define."""

        def ask(access: Access) -> Any:
            found = access.rest.rpc(function, storable(arguments)).execute().data
            if isinstance(found, str) and found:
                raise ValueError("the answer is not JSON")
            return found

        return self._session.run(ask)

    def select(self, table: str, columns: Sequence[str], key: str, value: str) -> list[Json]:
        def ask(access: Access) -> list[Json]:
            wanted = access.rest.from_(table).select(",".join(columns))
            return rows_of(wanted.eq(key, value).execute().data)

        return self._session.run(ask)

    def update(self, table: str, key: str, value: str, changes: Json) -> None:
        def ask(access: Access) -> list[Json]:
            update = access.rest.from_(table).update(storable(changes))
            return rows_of(update.eq(key, value).select(key).execute().data)

        if changes and not self._session.run(ask):
            self.check()  # nothing changed: the row does not exist, or a policy hides it

    def delete(self, table: str, key: str, values: Sequence[str]) -> None:
        def ask(access: Access) -> list[Json]:
            return rows_of(access.rest.from_(table).delete().in_(key, values).execute().data)

        if len(self._session.run(ask)) < len(values):
            self.check()


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
