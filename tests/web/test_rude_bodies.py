"""Whatever body somebody sends, up to the limits, others are served meanwhile."""

import json
from collections.abc import Iterator

import httpx2 as httpx
import pytest

from web.probe import probing
from web.support import END_XX, FORM_XX, part, serving

MIB = 1024 * 1024
MOST = 16 * MIB
JSON = {"content-type": "application/json"}
URLENCODED = {"content-type": "application/x-www-form-urlencoded"}


def filled(unit: bytes, before: bytes = b"", after: bytes = b"") -> bytes:
    """As often as a body may hold it."""
    return before + unit * ((MOST - len(before) - len(after)) // len(unit)) + after


def field(name: bytes, value: bytes) -> bytes:
    return part(b'Content-Disposition: form-data; name="%b"' % name, value)


# Made when they are sent: all of them take a gigabyte, in each process that collects the tests.
JSON_BODIES = {
    "spaces": lambda: filled(b" "),
    "lists": lambda: filled(b"[]", b"[", b"]"),
    "deep lists": lambda: filled(b"["),
    "deep lists that end": lambda: b"[" * 1_000_000 + b"]" * 1_000_000,
    "deep objects": lambda: filled(b'{"a":'),
    "many lists": lambda: filled(b"[],", b"[", b"0]"),
    "many objects": lambda: filled(b"{},", b"[", b"0]"),
    "many nests": lambda: filled(b"[" * 150 + b"]" * 150 + b",", b"[", b"0]"),
    "many numbers": lambda: filled(b"1,", b"[", b"1]"),
    "many fractions": lambda: filled(b"1.1e-7,", b"[", b"1]"),
    "long numbers": lambda: filled(b"9" * 4_000 + b",", b"[", b"1]"),
    "one number": lambda: filled(b"9"),
    "many texts": lambda: filled(b'"",', b"[", b'""]'),
    "one text": lambda: filled(b"a", b'{"transcript":"', b'"}'),
    "escapes": lambda: filled(b"\\u00e9", b'{"transcript":"', b'"}'),
    "surrogates": lambda: filled(b"\\ud83d\\ude00", b'{"transcript":"', b'"}'),
    "half surrogates": lambda: filled(b"\\ud83d", b'{"transcript":"', b'"}'),
    "backslashes": lambda: filled(b"\\\\", b'{"transcript":"', b'"}'),
    "no UTF-8": lambda: filled(b"\xff"),
    "UTF-16": lambda: ("[" + "1," * 4_000_000 + "1]").encode("utf-16"),
    "keys": lambda: b"{" + b",".join(b'"%d":0' % number for number in range(1_200_000)) + b"}",
    "unknown fields": lambda: (
        b"{" + b",".join(b'"f%d":0' % number for number in range(400_000)) + b"}"
    ),
    "segments without anything": lambda: filled(b"{},", b'{"segments":[', b"{}]}"),
    "segments of one id": lambda: json.dumps(
        {"segments": [{"id": 1, "text": "a"}] * 100_000, "question": "?"}
    ).encode(),
    "segments of wrong types": lambda: json.dumps(
        {"segments": [{"id": "x", "text": 1}] * 100_000, "question": "?"}
    ).encode(),
    "hotwords of wrong types": lambda: json.dumps({"hotwords": [1] * 590_000}).encode(),
    "known speakers of wrong types": lambda: json.dumps({"knownSpeakers": [1] * 590_000}).encode(),
    "sections of wrong types": lambda: json.dumps(
        {"template": {"name": "a", "sections": [1] * 590_000}}
    ).encode(),
    "hotwords": lambda: json.dumps({"hotwords": ["a"] * 500_000}).encode(),
    "hotwords as text": lambda: json.dumps({"hotwords": "," * MOST}).encode()[:MOST],
    "hotwords as JSON": lambda: json.dumps({"hotwords": "[" * 8_000_000}).encode(),
    "known speakers as JSON": lambda: json.dumps({"knownSpeakers": "[" * 8_000_000}).encode(),
    "a template as JSON": lambda: json.dumps({"template": "{" + '"a":{' * 2_000_000}).encode(),
    "a template of many sections": lambda: json.dumps(
        {"template": {"name": "a", "sections": [{"key": "a", "title": "a"}] * 100_000}}
    ).encode(),
    "a long language": lambda: json.dumps({"language": "en" + "-ab" * 5_000_000}).encode(),
    "a long address": lambda: json.dumps({"audioUrl": "http://" + "a." * 8_000_000}).encode(),
}
FORM_BODIES = {
    "nothing": lambda: b"",
    "dashes": lambda: filled(b"-"),
    "new lines": lambda: filled(b"\r\n"),
    "boundaries": lambda: filled(b"--XX\r\n"),
    "almost boundaries": lambda: filled(b"\r\n--X"),
    "one long header": lambda: b"--XX\r\n" + b"a" * MIB,
    "one head": lambda: filled(b"X: x\r\n", b"--XX\r\n"),
    "empty parts": lambda: filled(b"--XX\r\n\r\n\r\n"),
    "many fields": lambda: filled(field(b"a", b"a"), b"", END_XX),
    "one field": lambda: field(b"prompt", b"a" * (15 * MIB)) + END_XX,
    "a transcript": lambda: field(b"transcript", b". " * (7 * MIB)) + END_XX,
    "hotwords": lambda: field(b"hotwords", b"," * (15 * MIB)) + END_XX,
    "deep hotwords": lambda: field(b"hotwords", b"[" * (15 * MIB)) + END_XX,
    "deep speakers": lambda: field(b"knownSpeakers", b"[" * (15 * MIB)) + END_XX,
    "deep template": lambda: field(b"template", b'{"a":' * (3 * MIB)) + END_XX,
    "a long name": lambda: field(b"a" * 100_000, b"a") + END_XX,
    "a name of brackets": lambda: field(b"a[" * 1_000, b"a") + END_XX,
}
URLENCODED_BODIES = {
    "ampersands": lambda: filled(b"&"),
    "semicolons": lambda: filled(b";"),
    "equals": lambda: filled(b"="),
    "fields": lambda: filled(b"a=1&"),
    "names": lambda: filled(b"a&"),
    "percents": lambda: filled(b"%"),
    "escapes": lambda: filled(b"%41", b"a="),
    "one value": lambda: filled(b"a", b"prompt="),
    "one name": lambda: filled(b"a"),
    "plus": lambda: filled(b"+"),
    "zeros": lambda: filled(b"\0"),
}


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with serving() as found:
        yield found


def refused(client: httpx.Client, path: str, body: bytes, headers: dict[str, str]) -> None:
    with probing(str(client.base_url)):
        status = client.post(path, content=body, headers=headers).status_code
    assert 200 <= status < 500 or status == 503


@pytest.mark.parametrize("path", ["/upload-audio", "/insights"])
@pytest.mark.parametrize("name", JSON_BODIES)
def test_json(client: httpx.Client, name: str, path: str) -> None:
    refused(client, path, JSON_BODIES[name](), JSON)


@pytest.mark.parametrize("path", ["/api/finalize", "/v1/audio/transcriptions"])
@pytest.mark.parametrize("name", FORM_BODIES)
def test_forms(client: httpx.Client, name: str, path: str) -> None:
    refused(client, path, FORM_BODIES[name](), FORM_XX)


@pytest.mark.parametrize("name", URLENCODED_BODIES)
def test_other_forms(client: httpx.Client, name: str) -> None:
    refused(client, "/upload-audio", URLENCODED_BODIES[name](), URLENCODED)
