"""How far recordings on their way are, and what they wait for."""

import time
from dataclasses import dataclass, replace
from typing import Literal

Stage = Literal["waiting", "uploading", "queued", "transcribing", "analysing", "saving"]


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a recording is. `share` is 0 to 1, None where it cannot be known; `since` is the time
    its stage began, as `time.time()` gives it. `trouble` says what it waits for, if anything.
    `left_s` are the seconds left, None while unknown; `text` is the transcript so far."""

    stage: Stage
    share: float | None
    since: float
    trouble: str | None = None
    left_s: float | None = None
    text: str = ""


class ProgressBoard:
    """Written by one event loop, read from any thread."""

    def __init__(self) -> None:
        self._known: dict[str, Progress] = {}

    def get(self, media_id: str) -> Progress | None:
        return self._known.get(media_id)

    def begin(self, media_id: str) -> None:
        """Unless it is known already."""
        self._known.setdefault(media_id, Progress("waiting", None, time.time()))

    def tell(
        self,
        media_id: str,
        stage: Stage,
        share: float | None = None,
        *,
        left_s: float | None = None,
        text: str = "",
    ) -> None:
        """It goes on, so that there is no trouble any more. Without a text the one before stays."""
        before = self._known.get(media_id)
        since = before.since if before is not None and before.stage == stage else time.time()
        text = text or (before.text if before is not None else "")
        self._known[media_id] = Progress(stage, share, since, left_s=left_s, text=text)

    def trouble(self, media_id: str, trouble: str | None) -> None:
        before = self._known.get(media_id) or Progress("waiting", None, time.time())
        self._known[media_id] = replace(before, trouble=trouble)

    def end(self, media_id: str) -> None:
        self._known.pop(media_id, None)
