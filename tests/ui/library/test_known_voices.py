"""Voices that are known by name: kept, forgotten, and suggested for those who sound like them."""

import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from echostream.domain import Voice
from echostream_ui.library.analysis import Analysis
from echostream_ui.library.sqlite.store import SqliteStore
from echostream_ui.library.supabase.store import SupabaseStore
from echostream_ui.library.voices import LEAST, KnownVoice, remembered, suggestions
from ui.recordings import add_recording, long_answer

WHEN = datetime(2026, 3, 3, 14, 5, tzinfo=UTC)


def voice(angle: float = 0.0, model: str = "model-1") -> str:
    """One whose cosine with that of angle 0 is the angle's."""
    return Voice(model, (math.cos(angle), math.sin(angle), 0.0, 0.0)).dump()


def like(cosine: float) -> str:
    return voice(math.acos(cosine))


def known(name: str, text: str = "", **more: str) -> KnownVoice:
    made = KnownVoice(name, text or voice(), 12.5, "m1", "A", WHEN)
    return replace(made, **more) if more else made


def analysis(voices: dict[str, str | None], **more: dict[str, str]) -> Analysis:
    speakers = [
        {"id": speaker, "name": None, "seconds": 9.0, "voice": text}
        for speaker, text in voices.items()
    ]
    return Analysis("m2", {}, {"segments": [], "speakers": speakers}, **more)


def told(found: Analysis, *voices: KnownVoice, refused: tuple[str, str] = ("", "")) -> list[str]:
    return [
        f"{each.speaker}: {each.name}, {each.sureness}"
        for each in suggestions(found, voices, {refused})
    ]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    made = SqliteStore(tmp_path / "library")
    yield made
    made.close()


def test_a_voice_is_kept_until_it_is_forgotten(store: SqliteStore) -> None:
    ann, bo = known("Ann"), known("Bo", like(0.2), speaker="B")
    for each in (bo, ann):
        store.voices.remember(each)
    assert store.voices.known() == [ann, bo]
    store.voices.remember(replace(ann, name="Anna"))  # the name was wrong
    assert [each.name for each in store.voices.known()] == ["Anna", "Bo"]
    store.voices.forget("m1", "B")
    assert [each.name for each in store.voices.known()] == ["Anna"]
    store.voices.forget_names(["Anna", "nobody"])
    assert store.voices.known() == []


def test_names_that_differ_in_case_are_different_people(store: SqliteStore) -> None:
    for number, name in enumerate(["ann", "Ann", "ann"]):
        store.voices.remember(known(name, media_id=f"m{number}"))
    assert [each.name for each in store.voices.known()] == ["Ann", "ann", "ann"]


def test_a_voice_outlives_its_recording_and_a_refusal_does_not(store: SqliteStore) -> None:
    media_id = add_recording(store, long_answer(2), audio=None)
    store.voices.remember(known("Ann", media_id=media_id))
    store.voices.refuse(media_id, "A", "Bo")
    store.voices.refuse(media_id, "A", "Bo")
    store.voices.refuse("nothing", "A", "Bo")
    assert store.voices.refused(media_id) == {("A", "Bo")}
    assert store.voices.refused("nothing") == frozenset()
    before = store.voices.refused(media_id)
    store.to_bin([media_id])
    assert store.voices.refused(media_id) == before != frozenset()
    assert [each.name for each in store.voices.known()] == ["Ann"]
    store.delete([media_id])
    assert store.voices.refused(media_id) == frozenset()
    assert [each.name for each in store.voices.known()] == ["Ann"]


@pytest.mark.parametrize("whole", [False, True])
def test_nothing_of_a_forgotten_voice_is_left_on_the_disk(
    store: SqliteStore, tmp_path: Path, whole: bool
) -> None:
    media_id = add_recording(store, long_answer(2), audio=None)
    secret = "Zacharias Unmistakable"
    text = voice(0.123)
    store.voices.remember(known(secret, text))
    store.voices.refuse(media_id, "A", secret)

    def on_disk() -> bytes:
        files = [file for file in (tmp_path / "library").rglob("*") if file.is_file()]
        return b"".join(file.read_bytes() for file in files)

    assert text.encode() in on_disk()
    if whole:
        store.voices.forget_all()
    else:
        store.voices.forget_names([secret])
    assert text.encode() not in on_disk()
    assert secret.encode() not in on_disk()
    assert store.voices.refused(media_id) == frozenset()


def test_a_library_elsewhere_knows_no_voices() -> None:
    assert isinstance(SupabaseStore.voices, property)
    assert SupabaseStore.voices.fget is not None
    assert SupabaseStore.voices.fget(None) is None


def test_who_sounds_alike_is_suggested_with_how_sure_it_is() -> None:
    for sureness, least in LEAST.items():
        found = analysis({"A": like(least + 0.01), "B": voice(math.pi)})
        assert told(found, known("Ann")) == [f"A: Ann, {sureness}"]
    assert told(analysis({"A": like(min(LEAST.values()) - 0.01)}), known("Ann")) == []


def test_a_name_goes_to_who_sounds_most_like_it() -> None:
    found = analysis({"A": like(0.9), "B": like(0.99)})
    assert told(found, known("Ann")) == ["B: Ann, very likely"]


def test_two_people_alike_make_it_less_sure() -> None:
    found = analysis({"A": voice()})
    assert told(found, known("Ann"), known("Bo", like(0.95))) == ["A: Ann, possible"]


def test_several_recordings_of_one_person_are_no_rivals() -> None:
    found = analysis({"A": voice()})
    assert told(found, known("Ann"), known("Ann", like(0.95))) == ["A: Ann, very likely"]


def test_what_the_user_said_is_not_asked_again() -> None:
    alike = {"A": voice(), "B": like(0.98)}
    assert told(analysis(alike, speakers={"A": "Ann"}), known("Ann")) == []
    assert told(analysis(alike, speakers={"A": "Bo", "B": "Cy"}), known("Ann")) == []
    assert told(analysis(alike), known("Ann"), refused=("A", "Ann")) == ["B: Ann, very likely"]


@pytest.mark.parametrize("text", [None, "", "model-1:", "model-1:AAAA", "no voice", voice(0, "2")])
def test_what_cannot_be_compared_suggests_nobody(text: str | None) -> None:
    assert told(analysis({"A": text}), known("Ann")) == []
    short = Voice("model-1", (1.0, 0.0)).dump()
    assert told(analysis({"A": voice()}), known("Ann", text or "x"), known("Bo", short)) == []


def test_whom_the_api_knows_by_name_needs_no_suggestion() -> None:
    found = analysis({"Ann": voice()})
    assert found.response is not None
    found.response["speakers"][0]["name"] = "Ann"
    assert told(found, known("Ann")) == []


def test_only_a_speaker_with_a_voice_can_be_remembered() -> None:
    found = analysis({"A": voice(), "B": None})
    kept = remembered(found, "A", "Ann")
    assert kept is not None
    assert (kept.name, kept.voice, kept.seconds) == ("Ann", voice(), 9.0)
    assert (kept.media_id, kept.speaker) == ("m2", "A")
    assert remembered(found, "B", "Bo") is None
    assert remembered(found, "nobody", "Bo") is None
    assert remembered(Analysis("m2", {}), "A", "Ann") is None
