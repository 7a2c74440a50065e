"""JSON from strangers: read as `json.loads` reads it, without its stack."""

import json
import math
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echostream.given_json import parse

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(_VALUES, st.booleans())
def test_reads_what_json_writes(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert parse(text) == value
    assert parse(text.encode()) == value


@given(st.text())
def test_refuses_what_json_refuses(text: str) -> None:
    try:
        json.loads(text)
    except ValueError:
        with pytest.raises(ValueError, match=r"."):
            parse(text)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32-be"])
def test_other_encodings_are_read(encoding: str) -> None:
    assert parse('{"größe": 1}'.encode(encoding)) == {"größe": 1}


def test_the_last_of_two_equal_keys_counts() -> None:
    assert parse('{"a": 1, "a": 2}') == {"a": 2}


def test_what_is_not_a_number_is_read_as_json_does() -> None:
    assert math.isnan(parse("NaN"))
    assert parse("[Infinity, -Infinity, 1e999]") == [math.inf, -math.inf, math.inf]


REFUSED = {
    "deep lists": lambda: b"[" * 100_000,
    "deep objects": lambda: b'{"a":' * 100_000,
    "deep and whole": lambda: b"[" * 100_000 + b"]" * 100_000,
    "deep behind a megabyte": lambda: b'["' + b"x" * 1_000_000 + b'",' + b"[" * 100_000,
    "many lists": lambda: b"[" + b"[]," * 4_000_000 + b"0]",
    "many numbers": lambda: b"[" + b"1," * 8_000_000 + b"0]",
    "many keys": lambda: b"{" + b",".join(b'"%d":0' % number for number in range(1_200_000)) + b"}",
    "many nests": lambda: b"[" + (b"[" * 150 + b"]" * 150 + b",") * 50_000 + b"0]",
    "a long number": lambda: b"9" * 1_000_000,
    "half a character": lambda: b'"\\ud800"',
    "half a character, raw": lambda: b'"\xed\xa0\x80"',
    "half a UTF-16 text": lambda: b"\xff\xfe{\x00\x22",
    "nothing": lambda: b"",
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_at_once(name: str) -> None:
    text = REFUSED[name]()
    started = time.thread_time()
    with pytest.raises(ValueError, match=r"."):
        parse(text)
    assert time.thread_time() - started < 0.5


def test_half_a_character_in_a_text_is_refused() -> None:
    with pytest.raises(ValueError, match=r"."):
        parse('"\ud800"')
