"""Recordings in progress, each in its own folder: its audio and, later, its answer."""

import json
import shutil
from pathlib import Path

from echostream.private_files import make_private_folder, open_private
from echostream_ui.library.values import Json

_ANSWER, _TASK = "answer.json", "task.json"
_LONGEST_SUFFIX = 10


class Staging:
    """Staged files survive a restart. Methods raise OSError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def place(self, media_id: str, name: str) -> Path:
        """Returns the path to write a recording's audio to, with a suffix that the API can use."""
        folder = self._folder / media_id
        make_private_folder(folder)
        suffix = Path(name).suffix.lower()
        is_plain = suffix[1:].isalnum() and len(suffix) <= _LONGEST_SUFFIX
        return folder / f"audio{suffix if is_plain else ''}"

    def audio(self, media_id: str) -> Path | None:
        return next((self._folder / media_id).glob("audio*"), None)

    def write_answer(self, media_id: str, answer: Json) -> None:
        """Writes the answer completely or not at all."""
        self._write(media_id, _ANSWER, answer)

    def answer(self, media_id: str) -> Json | None:
        return self._read(media_id, _ANSWER)

    def write_task(self, media_id: str, task: Json) -> None:
        """Writes what is to be done, for work that the library does not know of."""
        self._write(media_id, _TASK, task)

    def task(self, media_id: str) -> Json | None:
        return self._read(media_id, _TASK)

    def with_tasks(self) -> list[str]:
        """Returns the ids whose tasks are not done."""
        return sorted(path.parent.name for path in self._folder.glob(f"*/{_TASK}"))

    def _write(self, media_id: str, name: str, value: Json) -> None:
        folder = self._folder / media_id
        make_private_folder(folder)
        unfinished = folder / f"{name}.part"
        with open_private(unfinished, "w", encoding="utf-8") as file:
            json.dump(value, file)
        unfinished.replace(folder / name)

    def _read(self, media_id: str, name: str) -> Json | None:
        try:
            found: Json = json.loads((self._folder / media_id / name).read_text("utf-8"))
        except FileNotFoundError:
            return None
        return found

    def discard(self, media_id: str) -> None:
        shutil.rmtree(self._folder / media_id, ignore_errors=True)
