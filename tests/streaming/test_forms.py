"""The names that clients give the form of their audio."""

import pytest

from echostream.errors import InvalidRequest
from echostream.streaming.forms import IN_CONTAINERS, AudioForm


@pytest.mark.parametrize(
    ("name", "form"),
    [
        (None, IN_CONTAINERS),
        ("", IN_CONTAINERS),
        ("webm", IN_CONTAINERS),
        (".MP3", IN_CONTAINERS),
        ("audio/webm", IN_CONTAINERS),
        ("audio/ogg;codecs=x", IN_CONTAINERS),
        ("pcm", AudioForm("pcm", 16_000)),
        (".PCM", AudioForm("pcm", 16_000)),
        ("pcmu", AudioForm("pcmu", 8_000)),
        ("ulaw", AudioForm("pcmu", 8_000)),
        ("mulaw", AudioForm("pcmu", 8_000)),
        ("audio/pcmu", AudioForm("pcmu", 8_000)),
        ("pcma", AudioForm("pcma", 8_000)),
        ("alaw", AudioForm("pcma", 8_000)),
        ("opus", AudioForm("opus")),
    ],
)
def test_names(name: str | None, form: AudioForm) -> None:
    assert AudioForm.named(name) == form


def test_a_rate_of_their_own() -> None:
    assert AudioForm.named("ulaw", rate_hz=16_000) == AudioForm("pcmu", 16_000)
    assert AudioForm.named("pcm", rate_hz=44_100) == AudioForm("pcm", 44_100)
    # A container says its own, and Opus has only one; clients tell it all the same.
    assert AudioForm.named("opus", rate_hz=1) == AudioForm("opus")
    assert AudioForm.named("webm", rate_hz=1) == IN_CONTAINERS


@pytest.mark.parametrize("name", ["pcm", "opus", "webm"])
def test_separate_channels_are_two_unless_said_otherwise(name: str) -> None:
    assert AudioForm.named(name, apart=True).channels == 2
    assert AudioForm.named(name, apart=True, channels=1).channels == 1
    assert AudioForm.named(name).channels == 1


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({"name": "pcm", "rate_hz": 0}, "sampleRate must be 4000 to 384000"),
        ({"name": "alaw", "rate_hz": 384_001}, "sampleRate must be"),
        ({"name": "pcm", "channels": 0}, "channelCount must be 1 to 16"),
        ({"name": "webm", "channels": 17, "apart": True}, "channelCount must be 1 to 16"),
        ({"name": "opus", "channels": 3}, "channelCount must be 1 to 2"),
    ],
)
def test_audio_that_does_not_exist(given_: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        AudioForm.named(**given_)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["pcm16", "s16le", "vorbis", "Åäö", "a/b/c", "x" * 20])
def test_an_unknown_name_is_told_the_known_ones(name: str) -> None:
    with pytest.raises(InvalidRequest, match="is not known") as refused:
        AudioForm.named(name)
    assert all(known in str(refused.value) for known in ("pcm", "ulaw", "alaw", "opus", "webm"))
