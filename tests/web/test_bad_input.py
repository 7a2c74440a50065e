"""Every kind of bad request over real HTTP, with the real ffmpeg, against one server.

Each gets the right status and code, and all of them together leave nothing behind.
"""

import gc
import json
import math
import struct
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2 as httpx
import imageio_ffmpeg
import numpy as np
import pytest

from processes import children
from web.support import (
    END_XX,
    FORM_XX,
    WAIT_S,
    Answer,
    EndlessTranscriber,
    around,
    audio,
    audio_part,
    connection,
    error_of,
    head,
    metric,
    open_descriptors,
    part,
    read_answer,
    serving,
    wait_until,
    wav,
)

MIB = 1024 * 1024
GOOD = wav(0.2)

INVALID_AUDIO = (422, "invalid_audio")
INVALID_REQUEST = (422, "invalid_request")
MISSING_AUDIO = (400, "missing_audioUrl_or_audio")
TOO_LARGE = (413, "audio_too_large")
TOO_LONG = (413, "audio_too_long")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of the server that all cases share; on leaving nothing may be left of them."""
    temp = tmp_path_factory.mktemp("uploads")
    with (
        temporary_files_in(temp),
        serving(max_upload_mb=1, max_audio_seconds=20, worker_concurrency=2) as client,
    ):
        for content in (GOOD, b"not audio", bytes(2 * MIB)):  # so that every lazy part is there
            client.post("/upload-audio", files=audio(content))
        client.close()
        settle()
        descriptors = open_descriptors()
        with httpx.Client(base_url=client.base_url, timeout=60) as fresh:
            yield fresh
            assert fresh.post("/upload-audio", files=audio(GOOD)).json()["success"] is True
            assert metric(fresh, "echostream_inference_queue") == 0
            assert metric(fresh, "echostream_requests_total", status="500") == 0
        assert list(temp.iterdir()) == []
        wait_until(lambda: not children(), "no ffmpeg is left")
        wait_until(lambda: open_descriptors() <= descriptors, "no descriptor is left")


@contextmanager
def temporary_files_in(folder: Path) -> Iterator[None]:
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before


def settle() -> None:
    """Until connections that their client closed are closed by the server too."""
    gc.collect()
    seen = [-1, open_descriptors()]

    def steady() -> bool:
        seen.append(open_descriptors())
        return len(set(seen[-5:])) == 1

    wait_until(steady, "descriptors come to rest")


# --- What is in the file


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., bytes]:
    """`made("clip.mp4", *arguments)`: a file that ffmpeg makes."""
    folder = tmp_path_factory.mktemp("made")

    def make(name: str, *arguments: str) -> bytes:
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-loglevel", "error", "-y"]
        subprocess.run([*command, *arguments, str(folder / name)], check=True)
        return (folder / name).read_bytes()

    return make


def random_bytes(seed: int) -> bytes:
    return np.random.default_rng(seed).bytes(20_000)


def riff(fields: tuple[int, ...], data: bytes = b"", declared: int | None = None) -> bytes:
    """A WAV of these `fmt ` fields: format, channels, rate, bytes a second, block, bits."""
    size = len(data) if declared is None else declared
    body = b"WAVEfmt " + struct.pack("<IHHIIHH", 16, *fields) + b"data" + struct.pack("<I", size)
    return b"RIFF" + struct.pack("<I", min(36 + size, 0xFFFFFFFF)) + body + data


MONO_16K = (1, 1, 16_000, 32_000, 2, 16)

BAD_CONTENT = {
    "empty": b"",
    "one byte": b"R",
    "zeros": bytes(10_000),
    "text named wav": b"Dear sirs,\nplease find the recording attached.\n" * 50,
    "html": b"<!doctype html><html><body>404</body></html>",
    "json": b'{"audio": "UklGRg=="}',
    "pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj<<>>endobj\n%%EOF",
    "elf": b"\x7fELF\x02\x01\x01" + bytes(500),
    "zip": b"PK\x03\x04" + bytes(500),
    "gzip": b"\x1f\x8b\x08" + bytes(500),
    "subtitles": b"1\n00:00:00,000 --> 00:00:01,000\nhello\n",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    "header of a wav": riff(MONO_16K)[:20],
    "wav without samples": riff(MONO_16K),
    "wav without channels": riff((1, 0, 16_000, 0, 0, 16), bytes(1000)),
    "wav of an unknown codec": riff((0x7777, 1, 16_000, 32_000, 2, 16), bytes(1000)),
    "header of an mp3": b"ID3\x04\x00\x00\x00\x00\x00\x00",
    "header of an ogg": b"OggS\x00\x02" + bytes(40),
    "header of a flac": b"fLaC\x80\x00\x00\x22" + bytes(34),
    "header of a webm": b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01",
    "header of an mp4": b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2mp41",
    "mp4 of a huge box": b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp41\xff\xff\xff\xffmoov",
    **{f"random {seed}": random_bytes(seed) for seed in range(8)},
}


@pytest.mark.parametrize("name", BAD_CONTENT)
def test_content_that_is_no_audio(server: httpx.Client, name: str) -> None:
    response = server.post("/upload-audio", files=audio(BAD_CONTENT[name]))
    assert error_of(response) == INVALID_AUDIO


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/finalize", "audio"),
        ("/v1/audio/transcriptions", "file"),
        ("/v1/audio/translations", "file"),
    ],
)
@pytest.mark.parametrize("name", ["empty", "text named wav", "wav without samples", "random 0"])
def test_content_that_is_no_audio_elsewhere(
    server: httpx.Client, path: str, field: str, name: str
) -> None:
    response = server.post(path, files={field: ("talk.wav", BAD_CONTENT[name])})
    assert error_of(response) == INVALID_AUDIO


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.gif", "a.webp", "a.bmp"])
def test_a_picture(server: httpx.Client, made: Callable[..., bytes], name: str) -> None:
    picture = made(name, "-f", "lavfi", "-i", "testsrc=size=32x32", "-frames:v", "1")
    assert error_of(server.post("/upload-audio", files=audio(picture, name))) == INVALID_AUDIO


@pytest.mark.parametrize("name", ["a.mp4", "a.webm", "a.mkv", "a.avi"])
def test_a_video_without_sound(server: httpx.Client, made: Callable[..., bytes], name: str) -> None:
    video = made(name, "-f", "lavfi", "-i", "testsrc=size=32x32:duration=0.2", "-an")
    response = server.post("/upload-audio", files=audio(video, name))
    assert error_of(response) == INVALID_AUDIO
    assert "no audio" in response.json()["message"]


PLAYLISTS = {
    "a.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{path}\n#EXT-X-ENDLIST\n",
    "b.m3u8": "#EXTM3U\n#EXTINF:1,\nfile://{path}\n",
    "a.ffconcat": "ffconcat version 1.0\nfile '{path}'\n",
    "a.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=audio 9 RTP/AVP 0\n",
    "a.mpd": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static">'
    "<Period><AdaptationSet><Representation><BaseURL>file://{path}</BaseURL>"
    "</Representation></AdaptationSet></Period></MPD>",
    "a.xspf": '<playlist version="1" xmlns="http://xspf.org/ns/0/"><trackList><track>'
    "<location>file://{path}</location></track></trackList></playlist>",
    "a.pls": "[playlist]\nFile1={path}\nNumberOfEntries=1\n",
}


@pytest.mark.parametrize("name", PLAYLISTS)
def test_a_playlist_is_not_followed(server: httpx.Client, tone: Path, name: str) -> None:
    playlist = PLAYLISTS[name].replace("{path}", str(tone)).encode()
    assert error_of(server.post("/upload-audio", files=audio(playlist, name))) == INVALID_AUDIO


def test_a_container_that_lost_its_end(server: httpx.Client, made: Callable[..., bytes]) -> None:
    sound = ("-f", "lavfi", "-i", "sine=duration=1")
    mp4 = made("a.m4a", *sound)  # its index comes last
    assert error_of(server.post("/upload-audio", files=audio(mp4[:-400]))) == INVALID_AUDIO


@pytest.mark.parametrize("name", ["a.mp3", "a.flac", "a.wav"])
def test_what_is_there_of_a_cut_file_is_taken(
    server: httpx.Client, made: Callable[..., bytes], name: str
) -> None:
    whole = made(name, "-f", "lavfi", "-i", "sine=duration=2")
    response = server.post("/upload-audio", files=audio(whole[: len(whole) // 2], name))
    assert response.status_code == 200
    assert 0.3 < response.json()["duration"] < 1.7


@pytest.mark.parametrize(
    ("content", "seconds"),
    [
        (wav(1 / 16_000), 0.0),
        (wav(0.2, rate_hz=192_000, channels=8, sample_bytes=3), 0.2),
        (wav(0.5, rate_hz=8_000), 0.5),
        (riff(MONO_16K, bytes(16_000), declared=0xFFFFFFFF), 0.5),
        (riff(MONO_16K, bytes(16_000), declared=0x7FFFFFF0), 0.5),
        (riff(MONO_16K, bytes(16_000)) + b"LIST\x04\0\0\0INFO", 0.5),
    ],
    ids=["one sample", "studio", "telephone", "endless", "declared too long", "more behind"],
)
def test_odd_but_good_audio(server: httpx.Client, content: bytes, seconds: float) -> None:
    response = server.post("/upload-audio", files=audio(content))
    assert response.status_code == 200
    assert math.isclose(response.json()["duration"], seconds, abs_tol=0.02)


def test_too_long(server: httpx.Client) -> None:
    long = wav(21, rate_hz=8_000)
    assert error_of(server.post("/upload-audio", files=audio(long))) == TOO_LONG


def test_small_but_long(server: httpx.Client, made: Callable[..., bytes]) -> None:
    minutes = made("silence.flac", "-f", "lavfi", "-i", "anullsrc=r=8000:cl=mono:d=600")
    assert len(minutes) < MIB
    assert error_of(server.post("/upload-audio", files=audio(minutes))) == TOO_LONG


# --- What the file is called

NAMES = {
    "path": b"../../etc/passwd",
    "absolute path": b"/etc/shadow",
    "windows path": b"C:\\\\Windows\\\\win.ini",
    "null": b"a\0b.wav",
    "command": b"|touch pwned",
    "substitution": b"$(touch pwned)`touch pwned`.wav",
    "format": b"%s%n%x.wav",
    "option": b"-i",
    "url": b"http://127.0.0.1/a.wav",
    "protocol": b"concat:/etc/passwd|a.wav",
    "long": b"a" * 3900 + b".wav",
    "unicode": "запись встречи 会議.wav".encode(),
    "right to left": "\u202evaw.exe".encode(),
    "not utf-8": b"\xff\xfe.wav",
    "blank": b" ",
    "empty": b"",
    "dots": b"..",
}


@pytest.mark.parametrize("name", NAMES)
def test_the_name_of_the_file_does_not_matter(
    server: httpx.Client, tmp_path: Path, name: str
) -> None:
    body = audio_part(GOOD, NAMES[name]) + END_XX
    response = server.post("/upload-audio", content=body, headers=FORM_XX)
    assert response.json()["success"] is True
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("media_type", ["text/html", "image/png", "application/x-sh", "a", ""])
def test_the_declared_type_of_the_file_does_not_matter(
    server: httpx.Client, media_type: str
) -> None:
    response = server.post("/upload-audio", files={"audio": ("talk", GOOD, media_type)})
    assert response.json()["success"] is True


# --- The form around it

FIELD = b'Content-Disposition: form-data; name="%b"'
FILE_HEAD = b'Content-Disposition: form-data; name="audio"; filename="talk.wav"'

FORMS: dict[str, tuple[bytes, tuple[int, str]]] = {
    "nothing": (b"", INVALID_REQUEST),
    "only the end": (END_XX, MISSING_AUDIO),
    "not a form": (b"hello", INVALID_REQUEST),
    "json as a form": (b'{"audioUrl": "https://example.com/a.wav"}', INVALID_REQUEST),
    "another boundary": (part(FILE_HEAD, GOOD, b"YY") + b"--YY--\r\n", INVALID_REQUEST),
    "no disposition": (part(b"Content-Type: audio/wav", GOOD) + END_XX, INVALID_REQUEST),
    "no name": (
        part(b'Content-Disposition: form-data; filename="a.wav"', GOOD) + END_XX,
        INVALID_REQUEST,
    ),
    "no head": (b"--XX\r\n\r\n" + GOOD + b"\r\n" + END_XX, INVALID_REQUEST),
    "head of junk": (part(b"\x00\x01\x02", GOOD) + END_XX, INVALID_REQUEST),
    "head without colon": (part(b"Content-Disposition", GOOD) + END_XX, INVALID_REQUEST),
    "huge head": (part(FILE_HEAD + b"\r\nX: " + b"x" * 10_000, GOOD) + END_XX, INVALID_REQUEST),
    "many heads": (part(FILE_HEAD + b"\r\nX: x" * 200, GOOD) + END_XX, INVALID_REQUEST),
    "cut before its end": (audio_part(GOOD), INVALID_REQUEST),
    "cut in the file": (audio_part(GOOD)[:-1000], INVALID_REQUEST),
    "cut in the head": (audio_part(GOOD)[:40], INVALID_REQUEST),
    "wrong field": (audio_part(GOOD, name=b"file") + END_XX, MISSING_AUDIO),
    "field in capitals": (audio_part(GOOD, name=b"AUDIO") + END_XX, MISSING_AUDIO),
    "empty name": (audio_part(GOOD, name=b"") + END_XX, MISSING_AUDIO),
    "audio as text": (part(FIELD % b"audio", GOOD) + END_XX, INVALID_REQUEST),
    "audio empty": (part(FIELD % b"audio") + END_XX, MISSING_AUDIO),
    "two files, the last one bad": (
        audio_part(GOOD) + audio_part(b"bad") + END_XX,
        INVALID_AUDIO,
    ),
    "five files": (audio_part(GOOD) * 5 + END_XX, INVALID_REQUEST),
    "a thousand fields": (
        b"".join(part(FIELD % b"f%d" % number, b"x") for number in range(1000)) + END_XX,
        INVALID_REQUEST,
    ),
    "a field of a megabyte": (part(FIELD % b"prompt", b"x" * (MIB + 1)) + END_XX, INVALID_REQUEST),
    "a language that is none": (
        audio_part(GOOD) + part(FIELD % b"language", b"\xff\xfe") + END_XX,
        INVALID_REQUEST,
    ),
    "a null in a field": (
        audio_part(GOOD) + part(FIELD % b"task", b"transcribe\0") + END_XX,
        INVALID_REQUEST,
    ),
    "a file for an option": (
        audio_part(GOOD) + audio_part(b"en", name=b"language") + END_XX,
        INVALID_REQUEST,
    ),
    "too large": (audio_part(bytes(MIB + 1)) + END_XX, TOO_LARGE),
    "much too large": (audio_part(bytes(20 * MIB)) + END_XX, TOO_LARGE),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_bad_form(server: httpx.Client, name: str) -> None:
    body, expected = FORMS[name]
    response = server.post("/upload-audio", content=body, headers=FORM_XX)
    assert error_of(response) == expected


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=YY",
        "multipart/form-data; boundary=" + "X" * 300,
        'multipart/form-data; boundary="XX',
        "multipart/form-data; charset=nonsense; boundary=YY",
        "multipart/mixed; boundary=XX",
        "application/octet-stream",
        "audio/wav",
        "text/plain",
        "application/json",
        "application/xml",
        ";;;",
        "",
    ],
)
def test_a_content_type_that_does_not_fit(server: httpx.Client, content_type: str) -> None:
    body = audio_part(GOOD, b"talk.wav") + END_XX
    headers = {"content-type": content_type}
    response = server.post("/upload-audio", content=body, headers=headers)
    assert error_of(response) == INVALID_REQUEST


@pytest.mark.parametrize(
    "content_type",
    [
        "MULTIPART/FORM-DATA; boundary=XX",
        'multipart/form-data; boundary="XX"',
        "multipart/form-data; charset=utf-8; boundary=XX",
        "multipart/form-data; charset=nonsense; boundary=XX",
    ],
)
def test_a_content_type_in_other_words(server: httpx.Client, content_type: str) -> None:
    body = audio_part(GOOD) + END_XX + b"after"
    headers = {"content-type": content_type}
    response = server.post("/upload-audio", content=body, headers=headers)
    assert response.json()["success"] is True


@pytest.mark.parametrize(
    "body",
    [
        b"audio=UklGRg==",
        b"useQueue=perhaps&audioUrl=x",
        b"&".join(b"f%d=x" % number for number in range(1000)),
        b"prompt=" + b"x" * (MIB + 1),
        b"language=%ff%fe&audioUrl=x",
    ],
)
def test_a_bad_urlencoded_form(server: httpx.Client, body: bytes) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    response = server.post("/upload-audio", content=body, headers=headers)
    assert error_of(response) == INVALID_REQUEST


# --- JSON

BAD_JSON = [
    b"{",
    b"}",
    b"nothing",
    b"'audioUrl'",
    b"{'audioUrl': 'x'}",
    b'{"audioUrl": "x",}',
    b'{"audioUrl": "x"} {}',
    b'{"audioUrl": "x"',
    b'{"audioUrl"}',
    b'{audioUrl: "x"}',
    b"\xff\xfe\x00",
    b'{"audioUrl": "\xff"}',
    b'{"audioUrl": "\x00"}',
    b"\x00",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"n": ' + b"9" * 10_000 + b"}",
    b" " * (16 * MIB + 1),
    b"[]",
    b'["https://example.com/a.wav"]',
    b'"https://example.com/a.wav"',
    b"null",
    b"true",
    b"7",
    b"NaN",
    b'{"audioUrl": 7}',
    b'{"audioUrl": true}',
    b'{"audioUrl": []}',
    b'{"audioUrl": {"url": "https://example.com"}}',
    b'{"audioUrl": NaN}',
    b'{"audioUrl": "x", "language": 7}',
    b'{"audioUrl": "x", "language": ["en"]}',
    b'{"audioUrl": "x", "task": null}',
    b'{"audioUrl": "x", "task": "TRANSCRIBE"}',
    b'{"audioUrl": "x", "useQueue": "perhaps"}',
    b'{"audioUrl": "x", "useQueue": null}',
    b'{"audioUrl": "x", "useQueue": 2}',
    b'{"audioUrl": "x", "useQueue": Infinity}',
    b'{"audioUrl": "x", "wordTimestamps": {}}',
    b'{"audioUrl": "x", "insights": [true]}',
    b'{"audioUrl": "x", "prompt": "\\udfff"}',
]


@pytest.mark.parametrize("body", BAD_JSON, ids=lambda body: repr(body[:40]))
def test_bad_json(server: httpx.Client, body: bytes) -> None:
    headers = {"content-type": "application/json"}
    response = server.post("/upload-audio", content=body, headers=headers)
    assert error_of(response) == INVALID_REQUEST


def test_a_url_that_is_not_unicode(server: httpx.Client) -> None:
    response = server.post("/upload-audio", content=b'{"audioUrl": "\\ud800"}')
    assert error_of(response) == INVALID_REQUEST


@pytest.mark.parametrize(
    "body",
    [
        b'\xef\xbb\xbf{"transcript": "Hello."}',
        '{"transcript": "Hello."}'.encode("utf-16"),
        b'{"transcript": "Hello.", "transcript": "Hello."}',
        b' \r\n{"transcript": "Hello.", "unknown": {"deep": [1, 2]}}\n ',
    ],
)
def test_json_in_other_words(server: httpx.Client, body: bytes) -> None:
    assert server.post("/api/finalize", content=body).json()["transcript"] == "Hello."


# --- HTTP itself


def exchange(client: httpx.Client, *sent: bytes) -> Answer:
    with connection(str(client.base_url)) as stream:
        for piece in sent:
            stream.sendall(piece)
        return read_answer(stream)


POST = "POST /upload-audio HTTP/1.1"
XX = "Content-Type: multipart/form-data; boundary=XX"
CHUNKED = "Transfer-Encoding: chunked"

JUNK = {
    "noise": b"\x00\x01\x02\x03\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200) + b"\r\n\r\n",
    "words": b"hello there\r\n\r\n",
    "no version": b"GET /health\r\n\r\n",
    "space in the path": b"GET /he alth HTTP/1.1\r\nHost: x\r\n\r\n",
    "no host": b"GET /health HTTP/1.1\r\n\r\n",
    "header without colon": b"GET /health HTTP/1.1\r\nHost x\r\n\r\n",
    "null in a header": b"GET /health HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n",
    "negative length": head(POST, XX, "Content-Length: -1"),
    "length of words": head(POST, XX, "Content-Length: many"),
    "two lengths": head(POST, XX, "Content-Length: 5", "Content-Length: 6") + b"hello!",
    "unknown encoding": head(POST, XX, "Transfer-Encoding: smoke") + b"hello",
    "endless header": b"GET /health HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 200_000,
}


@pytest.mark.parametrize("name", JUNK)
def test_junk_instead_of_http(server: httpx.Client, name: str) -> None:
    assert exchange(server, JUNK[name]).status in (400, 501)


@pytest.mark.parametrize(
    "method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"]
)
def test_a_wrong_method(server: httpx.Client, method: str) -> None:
    answer = exchange(server, head(f"{method} /upload-audio HTTP/1.1"))
    assert answer.status == 405


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/upload-audio%00",
        "/upload-audio/../health",
        "//health",
        "/..%2f..%2fetc/passwd",
        "/%ff%fe",
        "/" + "a" * 8000,
        "/v1",
        "http://other.example/nowhere",
    ],
)
def test_a_wrong_path(server: httpx.Client, path: str) -> None:
    answer = exchange(server, head(f"GET {path} HTTP/1.1"))
    assert (answer.status, json.loads(answer.body)["error"]) == (404, "not_found")


@pytest.mark.parametrize(
    "chunks",
    [b"zz\r\nhello\r\n", b"-5\r\nhello\r\n", b"5\r\nhello!!\r\n", b"ffffffffffffffffffff\r\nhello"],
    ids=repr,
)
def test_chunks_that_are_wrong(server: httpx.Client, chunks: bytes) -> None:
    assert exchange(server, head(POST, XX, CHUNKED), chunks).status in (400, 422)


def test_a_length_and_chunks_at_once_are_not_read_two_ways(server: httpx.Client) -> None:
    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
    both = head(POST, XX, "Content-Length: 5", CHUNKED) + b"0\r\n\r\n" + smuggled
    assert exchange(server, both).status in (400, 422)
    assert metric(server, "echostream_requests_total", route="/smuggled") == 0


def test_more_is_sent_than_declared(server: httpx.Client) -> None:
    body = audio_part(GOOD) + END_XX
    sent = head(POST, XX, f"Content-Length: {len(body)}") + body + b"and more" * 100
    assert exchange(server, sent).status == 200


def test_a_slow_client_is_served(server: httpx.Client) -> None:
    body = audio_part(GOOD) + END_XX
    sent = head(POST, XX, f"Content-Length: {len(body)}") + body
    pieces = [bytes([byte]) for byte in sent[:200]] + [sent[200:]]
    assert exchange(server, *pieces).status == 200


def test_a_client_asked_to_go_on_sends_its_body(server: httpx.Client) -> None:
    body = audio_part(GOOD) + END_XX
    with connection(str(server.base_url)) as stream:
        about = (XX, f"Content-Length: {len(body)}", "Expect: 100-continue")
        stream.sendall(head(POST, *about))
        assert stream.recv(1000).startswith(b"HTTP/1.1 100")
        stream.sendall(body)
        assert read_answer(stream).status == 200


# --- Clients that leave


def test_gone_within_the_headers(server: httpx.Client) -> None:
    with connection(str(server.base_url)) as stream:
        stream.sendall(b"POST /upload-audio HTTP/1.1\r\nHost: loc")
    assert server.get("/health").status_code == 200


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        audio_part(GOOD)[:30],
        audio_part(GOOD)[:2000],
        audio_part(bytes(MIB)),
        audio_part(GOOD) + END_XX,
    ],
    ids=["before the body", "in a head", "in a file", "in a large file", "before the end"],
)
@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_gone_within_the_upload(server: httpx.Client, begun: bytes, framing: str) -> None:
    labels = {"route": "/upload-audio", "status": "499"}
    before = metric(server, "echostream_requests_total", **labels)
    with connection(str(server.base_url)) as stream:
        if framing == "length":
            stream.sendall(head(POST, XX, f"Content-Length: {len(begun) + 10}") + begun)
        else:
            stream.sendall(head(POST, XX, CHUNKED) + b"%x\r\n%b" % (len(begun) + 10, begun))
    wait_until(
        lambda: metric(server, "echostream_requests_total", **labels) == before + 1,
        "the server has noticed",
    )


def test_gone_within_json(server: httpx.Client) -> None:
    labels = {"route": "/api/finalize", "status": "499"}
    with connection(str(server.base_url)) as stream:
        stream.sendall(head("POST /api/finalize HTTP/1.1", "Content-Length: 100") + b'{"a')
    wait_until(lambda: metric(server, "echostream_requests_total", **labels) == 1, "it is noticed")


@pytest.mark.parametrize("path", ["/upload-audio", "/api/finalize", "/v1/audio/transcriptions"])
def test_gone_while_the_engine_works(path: str) -> None:
    engine = EndlessTranscriber()
    field = b"file" if path.startswith("/v1") else b"audio"
    body = audio_part(GOOD, name=field) + END_XX
    with serving(make_pipeline=around(engine)) as client:
        with connection(str(client.base_url)) as stream:
            stream.sendall(head(f"POST {path} HTTP/1.1", XX, f"Content-Length: {len(body)}") + body)
            assert engine.started.wait(WAIT_S)
        assert engine.stopped.wait(WAIT_S)
        labels = {"route": path, "status": "499"}
        wait_until(
            lambda: metric(client, "echostream_requests_total", **labels) == 1, "it is noticed"
        )


def test_unfinished_requests_hold_nobody_up(server: httpx.Client) -> None:
    stalled = [connection(str(server.base_url)) for _ in range(20)]
    streams = [one.__enter__() for one in stalled]
    try:
        for number, stream in enumerate(streams):
            stream.sendall(head(POST, XX, "Content-Length: 1000")[: 40 + 10 * number])
        assert server.post("/upload-audio", files=audio(GOOD)).json()["success"] is True
    finally:
        for stream in streams:
            stream.close()


def test_bad_and_good_requests_at_once(server: httpx.Client) -> None:
    answers: dict[int, int] = {}

    def post(number: int) -> None:
        content = GOOD if number % 2 else BAD_CONTENT["random 0"]
        response = httpx.post(f"{server.base_url}/upload-audio", files=audio(content), timeout=60)
        answers[number] = response.status_code

    threads = [threading.Thread(target=post, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: 200 if number % 2 else 422 for number in range(12)}
