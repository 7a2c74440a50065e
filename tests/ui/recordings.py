"""Recordings put into a library without waiting for the API, or with an answer of its."""

import json
import shutil
import uuid
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx2 as httpx

from conftest import ROOT
from echostream_ui.library.media import Media, State
from echostream_ui.library.sqlite.store import SqliteStore

MEETING = ROOT / "samples" / "meeting.wav"
WHEN = datetime(2026, 3, 3, 14, 5, tzinfo=UTC)


def answer_of(api_url: str) -> dict[str, Any]:
    """What the API makes of the meeting."""
    with MEETING.open("rb") as audio:
        response = httpx.post(
            f"{api_url}/upload-audio",
            data={"wordTimestamps": "true"},
            files={"audio": audio},
            timeout=120,
            trust_env=False,
        )
    response.raise_for_status()
    return dict(json.loads(response.content))


def add_recording(
    store: SqliteStore,
    response: dict[str, Any] | None,
    *,
    audio: Path | None = MEETING,
    title: str = "Planning of the launch",
    state: State = "completed",
    **more: Any,
) -> str:
    """A recording in the state that is wanted; its id. The audio is a copy."""
    media_id = str(uuid.uuid4())
    media = Media(media_id, title, WHEN, "file", "meeting.wav", state=state)
    store.add(media, {"insights": True})
    if response is not None:
        store.complete(media_id, response)
    if audio is not None:
        with TemporaryDirectory() as folder:
            store.keep_audio(media_id, Path(shutil.copy(audio, folder)))
    if more:
        store.update_media(media_id, **more)
    return media_id


def long_answer(segments: int = 5000) -> dict[str, Any]:
    """Four hours of talk."""
    step_s = 4 * 3600 / segments
    return {
        "success": True,
        "transcript": "",
        "insights": None,
        "language": "en",
        "duration": 4 * 3600.0,
        "engine": "whisper",
        "model": "tiny",
        "cached": False,
        "segments": [
            {
                "id": number,
                "start": number * step_s,
                "end": (number + 1) * step_s,
                "text": f"This is sentence {number} of a long meeting about the budget.",
                "words": [],
            }
            for number in range(segments)
        ],
    }
