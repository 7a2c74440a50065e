"""Links by which anybody who has one may read a recording of the local library."""

import hashlib
import hmac
import secrets
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from echostream_ui.library.sqlite.database import Database, translated

_SECRET_BYTES = 32
_LOOKED_UP_CHARS = 8


@dataclass(frozen=True, slots=True)
class Share:
    """A link without its secret, which nobody but its holders knows. `expires_at` is None if it
    works until it is ended."""

    id: int
    media_id: str
    has_sound: bool
    created_at: datetime
    expires_at: datetime | None


class Shares:
    """The links of a library. Deleting a recording ends its links. May be used from any thread;
    every method may raise StoreError."""

    def __init__(self, db: Database) -> None:
        self._db = db

    @translated
    def add(self, media_id: str, lasts: timedelta | None, *, has_sound: bool) -> str:
        """Makes a link and returns its secret, which cannot be had again. None as `lasts` means
        that the link does not expire."""
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        now = datetime.now(UTC)
        values = (
            _digest(secret),
            media_id,
            has_sound,
            _stored(now),
            _stored(now + lasts) if lasts is not None else None,
        )
        with self._db.transaction() as db:
            db.execute("DELETE FROM share WHERE expires_at <= ?", (_stored(now),))
            db.execute(
                "INSERT INTO share (digest, media_id, has_sound, created_at, expires_at)"
                " VALUES (?, ?, ?, ?, ?)",
                values,
            )
        return secret

    @translated
    def of(self, media_id: str) -> list[Share]:
        """Returns the links to a recording that work, the newest first."""
        rows = self._db.rows("SELECT * FROM share WHERE media_id = ? ORDER BY id DESC", media_id)
        return [share for share in map(_share, rows) if _works(share)]

    @translated
    def find(self, secret: str) -> Share | None:
        """Returns the link with this secret. None if there is none, it is ended or has expired."""
        # How long a comparison takes must not tell how much of a guess was right. So only the
        # beginning of the digest is looked up, and the rest compared in constant time.
        digest = _digest(secret)
        sql = "SELECT * FROM share WHERE substr(digest, 1, ?) = ?"
        rows = self._db.rows(sql, _LOOKED_UP_CHARS, digest[:_LOOKED_UP_CHARS])
        found = [_share(row) for row in rows if hmac.compare_digest(row["digest"], digest)]
        return next(filter(_works, found), None)

    @translated
    def end(self, share_id: int) -> None:
        with self._db.transaction() as db:
            db.execute("DELETE FROM share WHERE id = ?", (share_id,))


def _digest(secret: str) -> str:
    # A secret of 256 random bits needs no slow hash: nobody can try them all.
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def _stored(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")  # all of one length, so that text sorts


def _works(share: Share) -> bool:
    return share.expires_at is None or datetime.now(UTC) < share.expires_at


def _share(row: sqlite3.Row) -> Share:
    expires_at = row["expires_at"]
    return Share(
        id=row["id"],
        media_id=row["media_id"],
        has_sound=bool(row["has_sound"]),
        created_at=datetime.fromisoformat(row["created_at"]),
        expires_at=datetime.fromisoformat(expires_at) if expires_at else None,
    )
