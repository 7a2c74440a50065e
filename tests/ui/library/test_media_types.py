"""Browsers are told a media type from our list, or are not to show the file."""

from pathlib import Path

import pytest

from echostream_ui.library.playable import media_type_of


@pytest.mark.parametrize("name", ["a.wav", "a.MP3", "a.webm", "a.m4a", "a.opus"])
def test_what_browsers_play(name: str) -> None:
    assert (media_type_of(Path(name)) or "").startswith(("audio/", "video/"))


@pytest.mark.parametrize("name", ["a.html", "a.svg", "a.xhtml", "a.js", "a.xml", "a", "a.wav.html"])
def test_what_they_might_run(name: str) -> None:
    assert media_type_of(Path(name)) is None
