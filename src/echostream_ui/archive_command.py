"""`python -m echostream_ui.archive_command export|import FILE`: the local library as a file.

What `echostream library` runs, which knows nothing of the frontend.
"""

import sys
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from echostream.checks import complaint
from echostream.private_files import make_private_folder, open_private
from echostream_ui.library.archive.reading import read_into
from echostream_ui.library.archive.writing import written
from echostream_ui.library.sqlite.store import SqliteStore
from echostream_ui.library.store import Store, StoreError
from echostream_ui.settings import FrontendSettings
from echostream_ui.words.archives import told
from echostream_ui.words.problems import words

_NOT_LOCAL = "with SUPABASE_URL set, libraries are exported and imported on the page Backup"


def main() -> int:
    """Returns the exit status. Sentences go to stderr, the file's name to stdout."""
    action, name = sys.argv[1:]
    try:
        settings = FrontendSettings()
        if settings.uses_supabase:
            return _fail(_NOT_LOCAL)
        if action == "export" and not (settings.library_path / "library.db").exists():
            return _fail(f"there is no library in {settings.library_path}; see LIBRARY_PATH")
        make_private_folder(settings.staging_path)
        store = SqliteStore(settings.library_path)
        try:
            if action == "export":
                _export(store, Path(name))
            else:
                with Path(name).open("rb") as archive:
                    _import(store, archive, settings.staging_path)
        finally:
            store.close()
    except ValidationError as error:
        return _fail(complaint(error))
    except StoreError as error:
        return _fail(words(error))
    except OSError as error:
        return _fail(f"{error.filename or name}: {error.strerror}")
    return 0


def _export(store: Store, file: Path) -> None:
    """Writes the file as a whole or not at all. Raises FileExistsError if there is one."""
    with open_private(file, "xb") as opened:
        try:
            opened.writelines(written(store))
        except BaseException:
            file.unlink()
            raise
    print(file)


def _import(store: Store, archive: IO[bytes], folder: Path) -> None:
    for sentence in told(read_into(store, archive, folder)):
        print(sentence, file=sys.stderr)


def _fail(message: str) -> int:
    print(f"echostream: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
