"""Libraries that only some features need. `pyproject.toml` has them in extras, so that an
installation may do without; here is what says so in one sentence when a feature is asked for."""

import importlib.util
from types import MappingProxyType

from echostream.errors import MissingExtra

LIBRARIES = MappingProxyType(
    {
        "whisper": ("ctranslate2", "faster_whisper", "huggingface_hub"),
        "sphinx": ("pocketsphinx", "faster_whisper"),
        "gemini": ("google.genai",),
        "openai": ("openai",),
        "queue": ("bullmq", "redis"),
        "s3": ("fsspec", "s3fs"),
        "ui": ("docx", "streamlit", "supabase"),
    }
)
"""What each extra brings, by the names that are imported."""


def require(extra: str, feature: str) -> None:
    """Raises MissingExtra unless the libraries of `extra` are there. Quick: imports none of them.

    `feature` is what needs them, as the user knows it.
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
    except ModuleNotFoundError:  # not even the package that it would be in
        return False
