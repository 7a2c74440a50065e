"""A step of the schema: what was written beside files of the watched folder, as it was then.

A change of the recording makes it due again. `changed_at` is a Julian day that grows with each
change, even with two in a millisecond. A statement ends where its line does.
"""

_DUE = (
    "UPDATE watched SET is_exported = 0,"
    " changed_at = max(julianday('now'), ifnull(changed_at, 0) + 1e-9)"
    " WHERE path IN (SELECT path FROM watched_document) AND media_id ="
)

WATCHED_DOCUMENTS = f"""
ALTER TABLE watched ADD COLUMN changed_at REAL;
CREATE TABLE watched_document (
  path TEXT NOT NULL,
  format TEXT NOT NULL,
  name TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  PRIMARY KEY (path, format)
);
CREATE TRIGGER watched_text_changed AFTER UPDATE ON analysis BEGIN {_DUE} NEW.media_id; END;
CREATE TRIGGER watched_title_changed AFTER UPDATE OF title ON media BEGIN {_DUE} NEW.id; END;
PRAGMA user_version = 9;
"""
