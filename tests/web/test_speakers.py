"""Who speaks, as clients of the API ask for it and see it."""

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx2 as httpx
import openai
import pytest

from echostream.domain import KnownVoice, SpeakerOptions
from echostream.errors import ModelUnavailable
from fakes import FakeDiarizer, FakeTranscriber, fake_pipeline, voice_of
from web.support import audio, error_of, metric, serving, wav

SAID = list(FakeTranscriber.texts)
TRANSCRIPTIONS = "/v1/audio/transcriptions"
FILE = ("talk.wav", wav())
KNOWN = [{"name": "Ann", "voice": voice_of("B").dump()}]
OTHER = [{"name": "Ann", "voice": voice_of("B").dump().replace("fake-", "other-")}]


@pytest.fixture(scope="module")
def diarizer() -> FakeDiarizer:
    """The diarizer of `client`; its `calls` hold the options of each request."""
    return FakeDiarizer()


@pytest.fixture(scope="module")
def client(diarizer: FakeDiarizer) -> Iterator[httpx.Client]:
    with serving(make_pipeline=fake_pipeline(diarizer=diarizer), allow_private_urls=True) as client:
        yield client


@pytest.fixture
def broken() -> Iterator[httpx.Client]:
    diarizer = FakeDiarizer(error=ModelUnavailable("there is no diarization model"))
    with serving(make_pipeline=fake_pipeline(diarizer=diarizer)) as client:
        yield client


@pytest.fixture
def sdk(client: httpx.Client) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{client.base_url}/v1", api_key="-", max_retries=0) as sdk:
        yield sdk


def labels(segments: list[dict[str, Any]]) -> list[tuple[str | None, str]]:
    return [(segment["speaker"], segment["text"]) for segment in segments]


def test_an_upload(client: httpx.Client) -> None:
    fields = {"diarize": "true", "wordTimestamps": "true"}
    body = client.post("/upload-audio", files=audio(), data=fields).json()
    assert labels(body["segments"]) == [("A", SAID[0]), ("B", SAID[1])]
    assert [word["speaker"] for each in body["segments"] for word in each["words"]] == ["A", "B"]
    assert body["speakers"] == [
        {"id": name, "name": None, "seconds": 0.5, "channel": None, "voice": voice_of(name).dump()}
        for name in ("A", "B")
    ]
    assert body["warnings"] == []


def test_what_is_known_of_the_speakers(
    client: httpx.Client, diarizer: FakeDiarizer, site: Callable[[str], str]
) -> None:
    asked = {"minSpeakers": 2, "maxSpeakers": 3, "knownSpeakers": KNOWN}
    link = client.post("/upload-audio", json={"audioUrl": site("/talk.wav"), **asked})
    form = asked | {"knownSpeakers": json.dumps(KNOWN)}
    upload = client.post("/upload-audio", files=audio(), data=form)
    for body in (link.json(), upload.json()):
        assert labels(body["segments"]) == [("A", SAID[0]), ("Ann", SAID[1])]
        assert [(each["id"], each["name"]) for each in body["speakers"]] == [
            ("A", None),
            ("Ann", "Ann"),
        ]
    wanted = SpeakerOptions(least=2, most=3, known=(KnownVoice("Ann", voice_of("B")),))
    assert diarizer.calls[-2:] == [wanted, wanted]


def test_a_voice_goes_from_one_answer_to_the_next_request(client: httpx.Client) -> None:
    first = client.post("/upload-audio", files=audio(), data={"diarize": "true"}).json()
    first["speakers"][0]["name"] = "Bo"
    known = json.dumps(first["speakers"][:1])
    second = client.post("/upload-audio", files=audio(), data={"knownSpeakers": known}).json()
    assert labels(second["segments"])[0] == ("Bo", SAID[0])


def test_unasked_nobody_is_told_apart(client: httpx.Client) -> None:
    body = client.post("/upload-audio", files=audio()).json()
    assert labels(body["segments"]) == [(None, SAID[0]), (None, SAID[1])]
    assert body["speakers"] == []


def test_the_servers_default() -> None:
    with serving(diarize=True) as client:
        body = client.post("/upload-audio", files=audio()).json()
        assert [each["id"] for each in body["speakers"]] == ["A", "B"]
        off = client.post("/upload-audio", files=audio(), data={"diarize": "false"}).json()
        assert off["speakers"] == []
        plain = client.post(TRANSCRIPTIONS, files={"file": FILE})
        assert plain.json()["text"] == " ".join(SAID)
        srt = client.post(TRANSCRIPTIONS, files={"file": FILE}, data={"response_format": "srt"})
        assert "B: sarah" in srt.text


@pytest.mark.parametrize("path", ["/upload-audio", "/api/finalize"])
@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"numSpeakers": "0"}, "numSpeakers: "),
        ({"maxSpeakers": "21"}, "maxSpeakers: "),
        ({"minSpeakers": "3", "maxSpeakers": "2"}, "maxSpeakers: must not be below 3"),
        ({"diarize": "perhaps"}, "diarize: "),
        ({"knownSpeakers": "Ann"}, "knownSpeakers: must be a JSON list"),
        ({"knownSpeakers": json.dumps([{"name": "Ann", "voice": "?"}])}, "knownSpeakers.0.voice: "),
        ({"knownSpeakers": json.dumps(OTHER)}, "knownSpeakers: the voice of 'Ann' is of the model"),
        ({"channels": "separate", "numSpeakers": "2"}, "channels: "),
    ],
)
def test_bad_options_are_named(
    client: httpx.Client, path: str, data: dict[str, str], message: str
) -> None:
    response = client.post(path, files=audio(), data=data)
    assert error_of(response) == (422, "invalid_request")
    assert response.json()["message"].startswith(message)


def test_finalize(client: httpx.Client) -> None:
    fields = {"transcript": "We met.", "diarize": "true"}
    body = client.post("/api/finalize", files=audio(), data=fields).json()
    assert labels(body["segments"]) == [(None, "We met."), ("A", SAID[0]), ("B", SAID[1])]
    assert [each["id"] for each in body["speakers"]] == ["A", "B"]


def test_a_diarizer_that_fails_costs_no_transcript(broken: httpx.Client) -> None:
    response = broken.post("/upload-audio", files=audio(), data={"diarize": "true"})
    assert response.status_code == 200
    body = response.json()
    assert labels(body["segments"]) == [(None, SAID[0]), (None, SAID[1])]
    assert body["speakers"] == []
    assert [(each["code"], each["message"]) for each in body["warnings"]] == [
        (
            "diarization_failed",
            "The speakers could not be told apart: there is no diarization model.",
        )
    ]
    assert metric(broken, "echostream_diarization_failures_total") == 1
    assert metric(broken, "echostream_diarization_seconds_count") == 1


def openai_segments() -> list[tuple[str, str, float, float, str]]:
    return [("seg_0", "A", 0.0, 0.5, SAID[0]), ("seg_1", "B", 0.5, 1.0, SAID[1])]


@pytest.mark.parametrize(
    "asked", [{"model": "gpt-4o-transcribe-diarize"}, {"response_format": "diarized_json"}]
)
def test_diarized_json_through_the_sdk(sdk: openai.OpenAI, asked: dict[str, Any]) -> None:
    fields = {"model": "whisper-1", "response_format": "diarized_json", **asked}
    found: Any = sdk.audio.transcriptions.create(file=FILE, chunking_strategy="auto", **fields)
    assert isinstance(found, openai.types.audio.TranscriptionDiarized)
    assert [
        (each.id, each.speaker, each.start, each.end, each.text) for each in found.segments
    ] == openai_segments()
    assert (found.task, found.duration, found.text) == ("transcribe", 1.0, " ".join(SAID))
    assert found.usage is not None
    assert found.usage.type == "duration"
    # The SDK does not check what it parses; its types do.
    openai.types.audio.TranscriptionDiarized.model_validate(found.model_dump(), strict=True)


def test_a_diarized_stream_through_the_sdk(sdk: openai.OpenAI) -> None:
    events: list[Any] = list(
        sdk.audio.transcriptions.create(
            file=FILE,
            model="gpt-4o-transcribe-diarize",
            response_format="diarized_json",
            stream=True,
        )
    )
    *segments, done = events
    for each in segments:
        assert isinstance(each, openai.types.audio.TranscriptionTextSegmentEvent)
    assert [
        (each.id, each.speaker, each.start, each.end, each.text) for each in segments
    ] == openai_segments()
    assert (done.type, done.text) == ("transcript.text.done", " ".join(SAID))


def test_the_model_alone_asks_for_speakers(client: httpx.Client) -> None:
    def post(**data: str) -> httpx.Response:
        fields = {"model": "gpt-4o-transcribe-diarize", **data}
        return client.post(TRANSCRIPTIONS, files={"file": FILE}, data=fields).raise_for_status()

    assert [each["speaker"] for each in post().json()["segments"]] == ["A", "B"]
    verbose = post(response_format="verbose_json").json()
    assert [each["speaker"] for each in verbose["segments"]] == ["A", "B"]
    assert "<v B>sarah" in post(response_format="vtt").text
    assert set(post(response_format="json").json()) == {"text", "languages", "usage"}


def reference(seconds: float = 3.0, kind: str = "audio/wav") -> str:
    return f"data:{kind};base64,{base64.b64encode(wav(seconds)).decode()}"


def test_known_speakers_through_the_sdk(sdk: openai.OpenAI, diarizer: FakeDiarizer) -> None:
    found: Any = sdk.audio.transcriptions.create(
        file=FILE,
        model="gpt-4o-transcribe-diarize",
        response_format="diarized_json",
        known_speaker_names=["Ann"],
        known_speaker_references=[reference()],
    )
    assert [each.speaker for each in found.segments] == ["Ann", "B"]
    assert diarizer.calls[-1].known == (KnownVoice("Ann", voice_of("A")),)


def test_a_reference_in_cd_quality_is_taken(client: httpx.Client) -> None:
    content = base64.b64encode(wav(10.0, rate_hz=44_100, channels=2)).decode()
    data = {
        "response_format": "diarized_json",
        "known_speaker_names[]": "Ann",
        "known_speaker_references[]": f"data:audio/wav;base64,{content}",
    }
    response = client.post(TRANSCRIPTIONS, files={"file": FILE}, data=data).raise_for_status()
    assert response.json()["segments"][0]["speaker"] == "Ann"


REFERENCES = "known_speaker_references"


@pytest.mark.parametrize(
    ("names", "references", "param"),
    [
        (["Ann"], [], REFERENCES),
        ([], [reference()], REFERENCES),
        (["Ann", "Ann"], [reference()] * 2, "known_speaker_names"),
        (["Ann"], ["https://example.com/ann.wav"], REFERENCES),
        (["Ann"], ["data:text/plain;base64,AAAA"], REFERENCES),
        (["Ann"], ["data:audio/wav;base64,?"], REFERENCES),
        (["Ann"], ["data:audio/wav;base64,AAAA"], REFERENCES),
        (["Ann"], [reference(1.0)], REFERENCES),
        (["Ann"], [reference(11.0)], REFERENCES),
        (["Ann"], [f"data:audio/wav;base64,{base64.b64encode(wav(3, rate_hz=1)).decode()}"], None),
    ],
)
def test_references_that_cannot_be_used(
    sdk: openai.OpenAI, names: list[str], references: list[str], param: str | None
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        sdk.audio.transcriptions.create(
            file=FILE,
            model="gpt-4o-transcribe-diarize",
            response_format="diarized_json",
            known_speaker_names=names,
            known_speaker_references=references,
        )
    assert refused.value.param == (param or REFERENCES)
    assert refused.value.code == "invalid_request"
    assert refused.value.type == "invalid_request_error"


@pytest.mark.parametrize(
    ("data", "param"),
    [
        ({"diarize": "true"}, "response_format"),
        ({"num_speakers": "2", "response_format": "text"}, "response_format"),
        ({"known_speaker_names": "Ann"}, "response_format"),
        ({"diarize": "false", "response_format": "diarized_json"}, "response_format"),
        ({"num_speakers": "0", "response_format": "diarized_json"}, "num_speakers"),
    ],
)
def test_fields_that_contradict_each_other(
    client: httpx.Client, data: dict[str, str], param: str
) -> None:
    response = client.post(TRANSCRIPTIONS, files={"file": FILE}, data=data)
    assert error_of(response) == (422, "invalid_request")
    assert response.json()["error"]["param"] == param


def test_a_diarized_answer_without_a_diarizer(broken: httpx.Client) -> None:
    data = {"response_format": "diarized_json"}
    body = broken.post(TRANSCRIPTIONS, files={"file": FILE}, data=data).raise_for_status().json()
    assert labels(body["segments"]) == [("unknown", SAID[0]), ("unknown", SAID[1])]
    assert [each["code"] for each in body["warnings"]] == ["diarization_failed"]
    stream = broken.post(TRANSCRIPTIONS, files={"file": FILE}, data=data | {"stream": "true"})
    last = json.loads(stream.text.strip().splitlines()[-1].removeprefix("data: "))
    assert [each["code"] for each in last["warnings"]] == ["diarization_failed"]


@pytest.mark.parametrize("response_format", ["diarized_json", "verbose_json"])
def test_references_without_a_diarizer_are_a_warning(
    broken: httpx.Client, response_format: str
) -> None:
    data = {
        "response_format": response_format,
        "known_speaker_names[]": "Ann",
        "known_speaker_references[]": reference(),
    }
    body = broken.post(TRANSCRIPTIONS, files={"file": FILE}, data=data).raise_for_status().json()
    assert [each["text"] for each in body["segments"]] == SAID
    assert [each["code"] for each in body["warnings"]] == ["diarization_failed"]
