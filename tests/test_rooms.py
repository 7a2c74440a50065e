"""Each library that reaches outside is imported in one room, so that it can be exchanged there."""

from pathlib import Path

import pytest

from imports import SOURCES, imports_of

PACKAGES = {"echostream": SOURCES / "echostream", "echostream_ui": SOURCES / "echostream_ui"}
ROOMS = {
    "bullmq": {"jobs"},
    "ctranslate2": {"engine"},
    "docx": {"echostream_ui"},
    "engineio": {"web"},
    "fastapi": {"web"},
    "faster_whisper": {"engine"},
    "fpdf": {"echostream_ui"},
    "fsspec": {"storage"},
    "google": {"llm"},
    "httpcore2": {"net"},
    "huggingface_hub": {"model_hub"},
    "imageio_ffmpeg": {"media"},
    "itsdangerous": {"echostream_ui"},
    "jinja2": {"echostream_ui"},
    "onnxruntime": {"diarization"},
    "openai": {"llm"},
    "opentelemetry": {"traces"},
    "pandas": {"echostream_ui"},
    "pocketsphinx": {"engine"},
    "redis": {"redis_client"},
    "s3fs": {"storage"},
    "socketio": {"web", "live_client"},  # the server's side, and the client's
    "standardwebhooks": {"webhooks"},
    "streamlit": {"echostream_ui"},
    "supabase": {"echostream_ui"},
    "typer": {"cli"},
    "uvicorn": {"web"},
    "vaderSentiment": {"insights"},
    "xllamacpp": {"llm"},
    "yake": {"insights"},
}


def room_of(file: Path) -> str:
    """The part of `echostream` that a file is in, or the other package."""
    name, folder = next(each for each in PACKAGES.items() if file.is_relative_to(each[1]))
    return file.relative_to(folder).with_suffix("").parts[0] if name == "echostream" else name


@pytest.mark.parametrize("library", ROOMS)
def test_a_library_is_imported_in_its_room_alone(library: str) -> None:
    files = [file for folder in PACKAGES.values() for file in folder.rglob("*.py")]
    importing = {
        room_of(file)
        for file in files
        if any(f"{name}.".startswith(f"{library}.") for name in imports_of(file))
    }
    # s3fs is what fsspec loads for an s3:// URL, by its name.
    assert importing <= ROOMS[library]
    assert importing or library == "s3fs"
