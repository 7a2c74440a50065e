"""Libraries that only some features need. They are extras in `pyproject.toml`, so installing them
is optional. This module gives a one-sentence error if a feature lacks its libraries."""

import importlib.util
from types import MappingProxyType

from echostream.errors import MissingExtra

LIBRARIES = MappingProxyType(
    {
        "whisper": ("ctranslate2", "faster_whisper", "huggingface_hub", "onnxruntime"),
        "sphinx": ("pocketsphinx", "faster_whisper", "onnxruntime"),
        "gemini": ("google.genai",),
        "openai": ("openai",),
        "llm": ("huggingface_hub", "xllamacpp"),
        "queue": ("bullmq", "redis"),
        "s3": ("fsspec", "s3fs"),
        "otel": ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http"),
        "ui": ("docx", "fpdf", "itsdangerous", "jinja2", "streamlit", "supabase", "uharfbuzz"),
    }
)
"""The libraries of each extra, by import name."""


def require(extra: str, feature: str) -> None:
    """Raises MissingExtra if a library of `extra` is not installed. Quick: imports none of them.

    `feature` is the user's name for what needs them.
    """
    missing = [name for name in LIBRARIES[extra] if not _is_installed(name)]
    if missing:
        raise MissingExtra(
            f"{feature} needs libraries that are not installed ({', '.join(missing)}): "
            f"pip install 'echostream[{extra}]'"
        )


def is_installed(extra: str) -> bool:
    return all(map(_is_installed, LIBRARIES[extra]))


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # its parent package is missing too
        return False
