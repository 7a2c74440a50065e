"""A server is told all sorts of things. It refuses them, and logs no fault of its own."""

import json
from collections.abc import Iterator

import httpx2 as httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from fuzz.support import json_values, mangled, share, without_faults
from web.support import END_XX, FORM_XX, part, serving, wav

POLL = "/socket.io/?EIO=4&transport=polling"
END = "\x1e"
EVENTS = ["start_audio", "audio_chunk", "end_audio", "join_job", "leave_job", "disconnect", "x"]
REALTIME = [
    "session.update",
    "input_audio_buffer.append",
    "input_audio_buffer.commit",
    "input_audio_buffer.clear",
    "response.create",
]
INTERNAL_ERROR = 1011


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    # Enough that a place which is not free again yet keeps nobody out.
    with serving(max_live_sessions=1_000) as found:
        yield found


def is_well(client: httpx.Client) -> None:
    assert client.get("/health").status_code == 200


def written(value: object) -> str:
    return json.dumps(value)


packets = st.one_of(
    st.builds(
        "42{}{}".format,
        st.sampled_from(["", "0", "17", "1-"]),
        st.tuples(st.sampled_from(EVENTS), json_values).map(list).map(written),
    ),
    st.builds(
        "45{}-{}".format,
        st.integers(0, 20),
        st.tuples(st.sampled_from(EVENTS), st.just({"buffer": {"_placeholder": True, "num": 0}}))
        .map(list)
        .map(written),
    ),
    st.binary(max_size=12).map(lambda data: f"b{data.hex()}"),
    json_values.map(lambda value: f"40{written(value)}"),
    st.text(st.sampled_from('0123456789-[]{}",:/bnull \ud7ff'), max_size=24),
)


@share(4)
@given(st.lists(packets, max_size=8))
def test_packets_of_engine_io(client: httpx.Client, sent: list[str]) -> None:
    with without_faults():
        path = f"{POLL}&sid={json.loads(client.get(POLL).text[1:])['sid']}"
        client.post(path, content="40")
        body = END.join(sent).encode("utf-8", "replace")
        assert client.post(path, content=body).status_code in (200, 400)
        client.post(path, content="1")  # goodbye, so that no poll is left open
        is_well(client)


frames = st.one_of(
    st.builds(
        lambda kind, more: written({**more, "type": kind}),
        st.sampled_from(REALTIME),
        st.dictionaries(st.sampled_from(["session", "audio", "event_id", "x"]), json_values),
    ),
    json_values.map(written),
    st.text(max_size=40),
    st.binary(max_size=40),
)


@share(4)
@given(st.lists(frames, min_size=1, max_size=6))
def test_frames_of_realtime(client: httpx.Client, sent: list[str | bytes]) -> None:
    url = str(client.base_url).replace("http", "ws", 1) + "/v1/realtime?intent=transcription"
    code = None
    with without_faults():
        try:
            with connect(url, proxy=None) as socket:
                for frame in sent:
                    if isinstance(frame, str):
                        frame = frame.encode("utf-8", "replace").decode()
                    socket.send(frame)
                socket.send(written({"type": "nobody.knows", "event_id": "the last"}))
                while "the last" not in str(socket.recv(timeout=20)):
                    pass
        except ConnectionClosed as closed:
            code = closed.rcvd and closed.rcvd.code
        assert code != INTERNAL_ERROR
        is_well(client)


def field(name: str, value: bytes) -> bytes:
    return part(f'Content-Disposition: form-data; name="{name}"'.encode(), value)


def file(content: bytes) -> bytes:
    head = (
        b'Content-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav'
    )
    return part(head, content)


FIELDS = ["language", "insights", "diarize", "numSpeakers", "hotwords", "template", "channels", "x"]
FORM = (
    field("language", b"en")
    + field("hotwords", b'["one", "two"]')
    + field("insights", b"true")
    + file(wav())
    + END_XX
)
values = st.text(max_size=20).map(lambda text: text.encode("utf-8", "replace")) | json_values.map(
    lambda value: written(value).encode()
)
forms = mangled(FORM) | st.lists(st.builds(field, st.sampled_from(FIELDS), values), max_size=6).map(
    lambda parts: b"".join(parts) + file(wav()) + END_XX
)


@share(4)
@given(forms, st.sampled_from(["/upload-audio", "/v1/audio/transcriptions", "/api/finalize"]))
def test_forms(client: httpx.Client, body: bytes, path: str) -> None:
    with without_faults():
        status = client.post(path, content=body, headers=FORM_XX).status_code
        assert 200 <= status < 500
        is_well(client)
