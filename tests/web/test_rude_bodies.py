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


JSON_BODIES = {
    "spaces": filled(b" "),
    "lists": filled(b"[]", b"[", b"]"),
    "deep lists": filled(b"["),
    "deep lists that end": b"[" * 1_000_000 + b"]" * 1_000_000,
    "deep objects": filled(b'{"a":'),
    "many lists": filled(b"[],", b"[", b"0]"),
    "many objects": filled(b"{},", b"[", b"0]"),
    "many nests": filled(b"[" * 150 + b"]" * 150 + b",", b"[", b"0]"),
    "many numbers": filled(b"1,", b"[", b"1]"),
    "many fractions": filled(b"1.1e-7,", b"[", b"1]"),
    "long numbers": filled(b"9" * 4_000 + b",", b"[", b"1]"),
    "one number": filled(b"9"),
    "many texts": filled(b'"",', b"[", b'""]'),
    "one text": filled(b"a", b'{"transcript":"', b'"}'),
    "escapes": filled(b"\\u00e9", b'{"transcript":"', b'"}'),
    "surrogates": filled(b"\\ud83d\\ude00", b'{"transcript":"', b'"}'),
    "half surrogates": filled(b"\\ud83d", b'{"transcript":"', b'"}'),
    "backslashes": filled(b"\\\\", b'{"transcript":"', b'"}'),
    "no UTF-8": filled(b"\xff"),
    "UTF-16": ("[" + "1," * 4_000_000 + "1]").encode("utf-16"),
    "keys": b"{" + b",".join(b'"%d":0' % number for number in range(1_200_000)) + b"}",
    "unknown fields": b"{" + b",".join(b'"f%d":0' % number for number in range(400_000)) + b"}",
    "segments without anything": filled(b"{},", b'{"segments":[', b"{}]}"),
    "segments of one id": json.dumps(
        {"segments": [{"id": 1, "text": "a"}] * 100_000, "question": "?"}
    ).encode(),
    "segments of wrong types": json.dumps(
        {"segments": [{"id": "x", "text": 1}] * 100_000, "question": "?"}
    ).encode(),
    "hotwords of wrong types": json.dumps({"hotwords": [1] * 590_000}).encode(),
    "known speakers of wrong types": json.dumps({"knownSpeakers": [1] * 590_000}).encode(),
    "sections of wrong types": json.dumps(
        {"template": {"name": "a", "sections": [1] * 590_000}}
    ).encode(),
    "hotwords": json.dumps({"hotwords": ["a"] * 500_000}).encode(),
    "hotwords as text": json.dumps({"hotwords": "," * MOST}).encode()[:MOST],
    "hotwords as JSON": json.dumps({"hotwords": "[" * 8_000_000}).encode(),
    "known speakers as JSON": json.dumps({"knownSpeakers": "[" * 8_000_000}).encode(),
    "a template as JSON": json.dumps({"template": "{" + '"a":{' * 2_000_000}).encode(),
    "a template of many sections": json.dumps(
        {"template": {"name": "a", "sections": [{"key": "a", "title": "a"}] * 100_000}}
    ).encode(),
    "a long language": json.dumps({"language": "en" + "-ab" * 5_000_000}).encode(),
    "a long address": json.dumps({"audioUrl": "http://" + "a." * 8_000_000}).encode(),
}
FORM_BODIES = {
    "nothing": b"",
    "dashes": filled(b"-"),
    "new lines": filled(b"\r\n"),
    "boundaries": filled(b"--XX\r\n"),
    "almost boundaries": filled(b"\r\n--X"),
    "one long header": b"--XX\r\n" + b"a" * MIB,
    "one head": filled(b"X: x\r\n", b"--XX\r\n"),
    "empty parts": filled(b"--XX\r\n\r\n\r\n"),
    "many fields": filled(field(b"a", b"a"), b"", END_XX),
    "one field": field(b"prompt", b"a" * (15 * MIB)) + END_XX,
    "a transcript": field(b"transcript", b". " * (7 * MIB)) + END_XX,
    "hotwords": field(b"hotwords", b"," * (15 * MIB)) + END_XX,
    "deep hotwords": field(b"hotwords", b"[" * (15 * MIB)) + END_XX,
    "deep speakers": field(b"knownSpeakers", b"[" * (15 * MIB)) + END_XX,
    "deep template": field(b"template", b'{"a":' * (3 * MIB)) + END_XX,
    "a long name": field(b"a" * 100_000, b"a") + END_XX,
    "a name of brackets": field(b"a[" * 1_000, b"a") + END_XX,
}
URLENCODED_BODIES = {
    "ampersands": filled(b"&"),
    "semicolons": filled(b";"),
    "equals": filled(b"="),
    "fields": filled(b"a=1&"),
    "names": filled(b"a&"),
    "percents": filled(b"%"),
    "escapes": filled(b"%41", b"a="),
    "one value": filled(b"a", b"prompt="),
    "one name": filled(b"a"),
    "plus": filled(b"+"),
    "zeros": filled(b"\0"),
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
    refused(client, path, JSON_BODIES[name], JSON)


@pytest.mark.parametrize("path", ["/api/finalize", "/v1/audio/transcriptions"])
@pytest.mark.parametrize("name", FORM_BODIES)
def test_forms(client: httpx.Client, name: str, path: str) -> None:
    refused(client, path, FORM_BODIES[name], FORM_XX)


@pytest.mark.parametrize("name", URLENCODED_BODIES)
def test_other_forms(client: httpx.Client, name: str) -> None:
    refused(client, "/upload-audio", URLENCODED_BODIES[name], URLENCODED)
