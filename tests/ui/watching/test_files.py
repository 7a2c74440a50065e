"""Which files of a folder are complete recordings."""

from pathlib import Path

import pytest

from echostream_ui.watching.files import Seen, Stillness, recordings_in

RECORDING = Path("talk.mp3")


def seen(size_bytes: int, mtime_ns: int = 1) -> Seen:
    return Seen(RECORDING, size_bytes, mtime_ns)


def test_a_file_is_complete_when_it_has_not_changed_for_a_while() -> None:
    stillness = Stillness(still_s=5, empty_still_s=60)
    assert stillness.still([seen(1)], 0) == []
    assert stillness.still([seen(1)], 4.9) == []
    assert stillness.still([seen(2)], 5) == [], "it has grown"
    assert stillness.still([seen(2, mtime_ns=2)], 9) == [], "it was written to"
    assert stillness.still([seen(2, mtime_ns=2)], 13.9) == []
    assert stillness.still([seen(2, mtime_ns=2)], 14) == [seen(2, mtime_ns=2)]
    assert stillness.still([], 15) == []
    assert stillness.still([seen(2, mtime_ns=2)], 20) == [], "it was gone in between"


def test_an_empty_file_has_more_time() -> None:
    stillness = Stillness(still_s=5, empty_still_s=60)
    stillness.still([seen(0)], 0)
    assert stillness.still([seen(0)], 59) == []
    assert stillness.still([seen(0)], 60) == [seen(0)]


@pytest.mark.parametrize(
    "name",
    [
        *("talk.mp3.part", "talk.mp3.crdownload", "talk.mp3~", "talk.mp3.tmp", "talk.mp3.download"),
        *(".talk.mp3", "~talk.mp3", "~$talk.mp4", ".hidden/talk.mp3", "talk.mp3.filepart"),
        *("talk.txt", "talk.srt", "talk.md", "talk.json", "talk.docx", "talk", "folder.mp3/x.txt"),
    ],
)
def test_what_is_unfinished_hidden_or_no_recording_is_passed_over(
    tmp_path: Path, name: str
) -> None:
    place = tmp_path / name
    place.parent.mkdir(exist_ok=True)
    place.write_text("sound")
    (tmp_path / "gone.mp3").symlink_to(tmp_path / "nowhere")
    assert list(recordings_in(tmp_path)) == []


def test_recordings_are_found_in_folders_below(tmp_path: Path) -> None:
    (tmp_path / "2026" / "march").mkdir(parents=True)
    for name in ("2026/march/b.OPUS", "2026/a.mp4", "c.WAV"):
        (tmp_path / name).write_text("sound")
    found = [each.path.relative_to(tmp_path).as_posix() for each in recordings_in(tmp_path)]
    assert found == ["c.WAV", "2026/a.mp4", "2026/march/b.OPUS"]
    with pytest.raises(FileNotFoundError):
        list(recordings_in(tmp_path / "none"))
