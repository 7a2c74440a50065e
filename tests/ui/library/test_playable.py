"""Copies that browsers can play."""

import asyncio
import subprocess
from pathlib import Path

import pytest

from conftest import ROOT
from echostream.errors import InvalidAudio
from echostream_ui.library import playable
from echostream_ui.library.media import Source
from echostream_ui.library.sqlite.store import SqliteStore
from ui.recordings import add_recording


@pytest.mark.parametrize(
    ("name", "source", "needed"),
    [
        ("a.mp3", "file", False),
        ("a.WAV", "file", False),
        ("a.webm", "file", False),
        ("a.webm", "live", True),
        ("a.webm", "microphone", True),
        ("a.avi", "file", True),
        ("a", "file", True),
    ],
)
def test_what_needs_a_copy(tmp_path: Path, name: str, source: Source, needed: bool) -> None:
    assert playable.needs_copy(tmp_path / name, source) is needed


def test_a_copy_is_served_and_goes_with_the_recording(tmp_path: Path) -> None:
    recorded = tmp_path / "talk.aiff"
    wave = ROOT / "samples" / "meeting.wav"
    subprocess.run(["ffmpeg", "-v", "error", "-t", "5", "-i", wave, recorded], check=True)
    store = SqliteStore(tmp_path / "library")
    try:
        media_id = add_recording(store, None, audio=recorded)
        kept = store.audio(media_id)
        assert kept is not None
        assert playable.served(kept) == kept
        asyncio.run(playable.make_copy(kept))
        assert not playable.needs_copy(kept, "file")
        assert playable.served(kept).suffix == ".mp3"
        assert store.audio(media_id) == kept
        store.delete([media_id])
        assert list(kept.parent.iterdir()) == []
    finally:
        store.close()


def test_what_is_no_audio_leaves_no_copy(tmp_path: Path) -> None:
    path = tmp_path / "talk.avi"
    path.write_bytes(b"not a film")
    with pytest.raises(InvalidAudio):
        asyncio.run(playable.make_copy(path))
    assert list(tmp_path.iterdir()) == [path]


def test_audio_without_a_suffix_is_found_again(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "library")
    try:
        bare = tmp_path / "talk"
        bare.write_bytes(b"sound")
        media_id = add_recording(store, None, audio=bare)
        found = store.audio(media_id)
        assert found is not None
        assert found.read_bytes() == b"sound"
        store.delete([media_id])
        assert not found.exists()
    finally:
        store.close()
