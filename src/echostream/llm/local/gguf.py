"""Reads what a GGUF file says about its model, from its first kilobytes.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from typing import Any, BinaryIO

from echostream.errors import ModelUnavailable

_MAGIC = b"GGUF"
_COUNT, _TYPE = Struct("<Q"), Struct("<I")
_STRING, _ARRAY = 8, 9
_NUMBERS = {
    number: Struct(f"<{code}")
    for number, code in {
        0: "B",
        1: "b",
        2: "H",
        3: "h",
        4: "I",
        5: "i",
        6: "f",
        7: "?",
        10: "Q",
        11: "q",
        12: "d",
    }.items()
}
_LONGEST_LIST = 4096
"""Of layers. Longer ones are vocabularies, which nobody here needs."""
_BYTES_PER_NUMBER = 2
"""In llama.cpp's cache of keys and values."""


@dataclass(frozen=True, slots=True)
class Header:
    """`trained_tokens` is the longest context that the model was trained for, `token_bytes` the
    memory that each token of a context takes."""

    trained_tokens: int
    token_bytes: int


def read_header(path: Path) -> Header:
    """Raises ModelUnavailable if the file cannot be read or describes no language model."""
    try:
        with path.open("rb") as file:
            return _header(_Reader(file).values())
    except (OSError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise ModelUnavailable(f"{path.name!r} is no GGUF file of a language model") from error


def _header(values: dict[str, Any]) -> Header:
    kind = values["general.architecture"]

    def number(name: str, default: int | None = None) -> int:
        found = values.get(f"{kind}.{name}", default)
        if found is None:
            raise LookupError(name)
        return int(found)

    layers, heads = number("block_count"), number("attention.head_count")
    width = number("embedding_length") // heads
    length = number("attention.key_length", width) + number("attention.value_length", width)
    # With one figure for each layer, or one for all.
    kept = values.get(f"{kind}.attention.head_count_kv", heads)
    all_heads = sum(kept) if isinstance(kept, list) else layers * kept
    return Header(number("context_length"), all_heads * length * _BYTES_PER_NUMBER)


class _Reader:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def values(self) -> dict[str, Any]:
        """All values but long lists. Raises ValueError if this is no GGUF file."""
        if self._file.read(len(_MAGIC)) != _MAGIC:
            raise ValueError("not GGUF")
        _version, _tensors = self._number(_TYPE), self._number(_COUNT)
        return {self._text(): self._value(self._number(_TYPE)) for _ in range(self._number(_COUNT))}

    def _value(self, kind: int) -> Any:
        if kind == _STRING:
            return self._text()
        if kind != _ARRAY:
            return self._number(_NUMBERS[kind])
        kind, count = self._number(_TYPE), self._number(_COUNT)
        if count <= _LONGEST_LIST:
            return [self._value(kind) for _ in range(count)]
        if kind == _STRING:
            for _ in range(count):
                self._file.seek(self._number(_COUNT), 1)
        else:
            self._file.seek(count * _NUMBERS[kind].size, 1)
        return None

    def _text(self) -> str:
        return self._read(self._number(_COUNT)).decode("utf-8", "replace")

    def _number(self, form: Struct) -> Any:
        return form.unpack(self._read(form.size))[0]

    def _read(self, size: int) -> bytes:
        data = self._file.read(size)
        if len(data) < size:
            raise ValueError("it ends too early")
        return data
