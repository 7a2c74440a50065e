"""Recordings under way, each in a folder of its own: its audio, and its answer when it comes."""

import json
import shutil
from pathlib import Path

from echostream_ui.library.store import Json

_ANSWER = "answer.json"
_LONGEST_SUFFIX = 10


class Staging:
    """What is staged survives a restart. Methods raise OSError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def place(self, media_id: str, name: str) -> Path:
        """Where a recording's audio is to be written, under a name the API can make sense of."""
        folder = self._folder / media_id
        folder.mkdir(parents=True, exist_ok=True)
        suffix = Path(name).suffix.lower()
        is_plain = suffix[1:].isalnum() and len(suffix) <= _LONGEST_SUFFIX
        return folder / f"audio{suffix if is_plain else ''}"

    def audio(self, media_id: str) -> Path | None:
        return next((self._folder / media_id).glob("audio*"), None)

    def write_answer(self, media_id: str, answer: Json) -> None:
        """All of it or nothing."""
        folder = self._folder / media_id
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = folder / f"{_ANSWER}.part"
        unfinished.write_text(json.dumps(answer), encoding="utf-8")
        unfinished.replace(folder / _ANSWER)

    def answer(self, media_id: str) -> Json | None:
        try:
            found: Json = json.loads((self._folder / media_id / _ANSWER).read_text("utf-8"))
        except FileNotFoundError:
            return None
        return found

    def discard(self, media_id: str) -> None:
        shutil.rmtree(self._folder / media_id, ignore_errors=True)
