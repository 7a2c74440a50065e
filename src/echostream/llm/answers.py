"""Answers in JSON: the schema that a model is given, and reading what it wrote."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import ValidationError

from echostream.llm.base import Answer, InsightsError, Shape

_MOST_ITEMS = 8
_MOST_CHARS = 200
_MOST_CHARS_OF_NAME = 60
"""Of optional texts, which are names and dates."""
_MOST_CHARS_OF_SUMMARY = 1_000
_LARGEST_ID = 999_999


def schema_of(shape: type[Answer]) -> dict[str, Any]:
    """The JSON schema of `shape` with every field required, as strict decoders want it.

    Only plain keywords are kept: some servers refuse lengths and defaults, and our own validation
    checks them anyway.
    """
    schema = shape.model_json_schema(mode="serialization")
    _drop(schema, {"title", "default", "description", "minLength"})
    return schema


def bounded_schema_of(shape: type[Answer]) -> dict[str, Any]:
    """The schema with an end to each list, text and number: a small model that repeats itself would
    not close them on its own, and an answer that is cut off is of no use."""
    schema = schema_of(shape)
    for node in _nodes(schema):
        for each in node.get("anyOf", ()):
            if each.get("type") == "string":
                each["maxLength"] = _MOST_CHARS_OF_NAME
        match node.get("type"):
            case "array":
                node["maxItems"] = _MOST_ITEMS
            case "string" if "enum" not in node:
                node.setdefault("maxLength", _MOST_CHARS)
            case "integer":
                node |= {"minimum": 0, "maximum": _LARGEST_ID}
    if "summary" in schema["properties"]:
        schema["properties"]["summary"] |= {"minLength": 1, "maxLength": _MOST_CHARS_OF_SUMMARY}
    return schema


def schema_text(shape: type[Answer]) -> str:
    """The schema as text, for servers that only read it in the instructions."""
    return json.dumps(schema_of(shape), separators=(",", ":"))


def read_answer(text: str, shape: type[Shape]) -> Shape:
    """The answer in `text`, which may stand in a code fence or after a reasoning block.

    Raises InsightsError, which names the fields at fault but quotes nothing from the answer.
    """
    body = text.rpartition("</think>")[2]
    start, end = body.find("{"), body.rfind("}")
    if start < 0 or end < start:
        raise InsightsError("the model's answer holds no JSON object")
    try:
        return shape.model_validate_json(body[start : end + 1])
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False, include_context=False)
        raise InsightsError(f"the model's answer is not valid: {_listed(faults)}") from error


def _listed(faults: Sequence[Any]) -> str:
    places = [
        f"{'.'.join(map(str, fault['loc'])) or 'the whole'}: {fault['type']}"
        for fault in faults[:5]
    ]
    return "; ".join(places)


def _nodes(node: Any) -> Iterator[dict[str, Any]]:
    """All objects in a schema, which is walked while they change."""
    if isinstance(node, dict):
        yield node
    for value in node.values() if isinstance(node, dict) else node:
        if isinstance(value, dict | list):
            yield from _nodes(value)


def _drop(node: Any, keys: set[str]) -> None:
    """Removes `keys` from schema objects in place; properties of the same names stay."""
    if isinstance(node, list):
        for item in node:
            _drop(item, keys)
    elif isinstance(node, dict):
        for key in keys & node.keys():
            if not isinstance(node[key], dict):
                del node[key]
        for value in node.values():
            _drop(value, keys)
