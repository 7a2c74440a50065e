"""A recording, as the library knows it: what it is called, where it came from, how far it is."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

State = Literal["waiting", "active", "completed", "failed", "cancelled"]
Source = Literal["file", "url", "microphone", "live"]

STATES: tuple[State, ...] = get_args(State)
UNFINISHED: tuple[State, ...] = ("waiting", "active")
BIN_DAYS = 30
"""How long a recording stays in the bin."""


@dataclass(frozen=True, slots=True)
class Media:
    """A recording: a row of `media`. `source_name` is a file name or a URL, `job_id` the API's job
    while there is one. If the recording failed, `error` is a code and `message` a sentence.
    `folder` is a folder's id. A recording with `deleted_at` is in the bin. `sha256` is the digest
    of the audio as it was added, in hexadecimal; None if it is not known."""

    id: str
    title: str
    created_at: datetime
    source: Source
    source_name: str
    size_bytes: int | None = None
    duration_s: float | None = None
    language: str | None = None
    tags: tuple[str, ...] = ()
    state: State = "waiting"
    job_id: str | None = None
    error: str | None = None
    message: str | None = None
    folder: str | None = None
    deleted_at: datetime | None = None
    sha256: str | None = None
