"""A language model that knows nothing, in 70 kB: random weights of the shape that llama.cpp reads.

Its tokens are the printable characters of ASCII, the end of a line and the bytes of `…`, which our
instructions have. It reads no other text, and writes ASCII only.
"""

from collections.abc import Mapping
from pathlib import Path
from struct import pack
from typing import Any

import numpy as np

TRAINED_TOKENS = 16_384
_WIDTH, _HEADS, _KEPT_HEADS, _INNER = 32, 2, 1, 64
_MARKS = ("<unk>", "<s>", "</s>")
_BYTES = ("<0x0A>", "<0xE2>", "<0x80>", "<0xA6>")
_TOKENS = (*_MARKS, *_BYTES, "▁", *map(chr, range(0x21, 0x7F)))
_NORMAL, _UNKNOWN, _CONTROL, _BYTE = 1, 2, 3, 6
_TEMPLATE = "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}<answer>"
_ALIGNMENT = 32
_STRING, _ARRAY = 8, 9
_U32, _I32, _F32 = 4, 5, 6
_CODES = {_U32: "I", _I32: "i", _F32: "f"}

Typed = tuple[int, Any]


def metadata() -> dict[str, Typed]:
    kinds = [_UNKNOWN, _CONTROL, _CONTROL, *[_BYTE] * len(_BYTES)]
    kinds += [_NORMAL] * (len(_TOKENS) - len(kinds))
    return {
        "general.architecture": (_STRING, "llama"),
        "llama.context_length": (_U32, TRAINED_TOKENS),
        "llama.embedding_length": (_U32, _WIDTH),
        "llama.block_count": (_U32, 1),
        "llama.feed_forward_length": (_U32, _INNER),
        "llama.attention.head_count": (_U32, _HEADS),
        "llama.attention.head_count_kv": (_U32, _KEPT_HEADS),
        "llama.attention.layer_norm_rms_epsilon": (_F32, 1e-5),
        "tokenizer.ggml.model": (_STRING, "llama"),
        "tokenizer.ggml.tokens": (_ARRAY, (_STRING, _TOKENS)),
        "tokenizer.ggml.scores": (_ARRAY, (_F32, [0.0] * len(_TOKENS))),
        "tokenizer.ggml.token_type": (_ARRAY, (_I32, kinds)),
        "tokenizer.ggml.bos_token_id": (_U32, 1),
        "tokenizer.ggml.eos_token_id": (_U32, 2),
        "tokenizer.chat_template": (_STRING, _TEMPLATE),
    }


def write_tiny(path: Path) -> Path:
    """Writes the model, the same each time."""
    random = np.random.default_rng(1)
    tensors = {name: random.normal(0, 0.5, shape) for name, shape in _shapes().items()}
    # All tokens have this in common, so these weights make some likely, and others never come. A
    # text of spaces alone would be valid JSON and no summary.
    tensors["token_embd.weight"][:, 0] = 8.0
    tensors["output.weight"][:, 0] = 0.0
    likely, never = ('"', "]", "}", "</s>"), ("▁", *_BYTES[1:])
    for token, weight in [*((each, 0.4) for each in likely), *((each, -9.0) for each in never)]:
        tensors["output.weight"][_TOKENS.index(token), 0] = weight
    path.write_bytes(gguf(metadata(), tensors))
    return path


def gguf(values: Mapping[str, Typed], tensors: Mapping[str, np.ndarray]) -> bytes:
    """A GGUF file."""
    head = b"GGUF" + pack("<IQQ", 3, len(tensors), len(values))
    for name, (kind, value) in values.items():
        head += _text(name) + pack("<I", kind) + _value(kind, value)
    data = b""
    for name, tensor in tensors.items():
        sizes = tensor.shape[::-1]  # the innermost first
        head += _text(name) + pack(f"<I{len(sizes)}QIQ", len(sizes), *sizes, 0, len(data))
        data += _padded(tensor.astype("<f4").tobytes())
    return _padded(head) + data


def _shapes() -> dict[str, tuple[int, ...]]:
    words, width, kept = len(_TOKENS), _WIDTH, _WIDTH // _HEADS * _KEPT_HEADS
    return {
        "token_embd.weight": (words, width),
        "output_norm.weight": (width,),
        "output.weight": (words, width),
        "blk.0.attn_norm.weight": (width,),
        "blk.0.attn_q.weight": (width, width),
        "blk.0.attn_k.weight": (kept, width),
        "blk.0.attn_v.weight": (kept, width),
        "blk.0.attn_output.weight": (width, width),
        "blk.0.ffn_norm.weight": (width,),
        "blk.0.ffn_gate.weight": (_INNER, width),
        "blk.0.ffn_up.weight": (_INNER, width),
        "blk.0.ffn_down.weight": (width, _INNER),
    }


def _value(kind: int, value: Any) -> bytes:
    if kind == _STRING:
        return _text(value)
    if kind == _ARRAY:
        inner, items = value
        return pack("<IQ", inner, len(items)) + b"".join(_value(inner, item) for item in items)
    return pack(f"<{_CODES[kind]}", value)


def _text(text: str) -> bytes:
    data = text.encode()
    return pack("<Q", len(data)) + data


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % _ALIGNMENT)
