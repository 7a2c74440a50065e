"""Finds Whisper models: in a folder, the local cache, or the Hugging Face Hub."""

from pathlib import Path

from echostream import model_hub
from echostream.errors import InvalidRequest

_MODEL_FILES = [
    "config.json",
    "preprocessor_config.json",
    "model.bin",
    "tokenizer.json",
    "vocabulary.*",
]


def local_folder(model: str) -> Path | None:
    """Returns the folder of a model that is on this machine, or None.

    A folder counts only if it contains a model; the name `base` alone is not enough.
    Raises InvalidRequest if no model has this name.
    """
    folder = Path(model).expanduser()
    if is_model(folder):
        return folder
    if is_path(model):
        raise InvalidRequest(f"the folder {display_name(model)!r} holds no Whisper model")
    return _cached(repo_id(model))


def is_model(folder: Path) -> bool:
    return (folder.expanduser() / "model.bin").is_file()


def sizes() -> list[str]:
    """Returns the short names of models on the Hub, such as `base`."""
    from faster_whisper import available_models

    return list(available_models())


def repo_id(model: str) -> str:
    """Returns the Hub id of a size such as `base`; Hub ids are returned unchanged."""
    from faster_whisper import utils  # not from `utils` at once; see `vad.detect_speech`

    if "/" in model:
        return model
    if model not in utils._MODELS:
        raise InvalidRequest(f"unknown Whisper model {model!r}; sizes are {', '.join(sizes())}")
    return str(utils._MODELS[model])


def download(model: str, *, timeout_s: float, output_dir: Path | None = None) -> Path:
    """Downloads a model from the Hub and returns its folder; see `model_hub.fetch_snapshot`."""
    return model_hub.fetch_snapshot(
        repo_id(model), _MODEL_FILES, timeout_s=timeout_s, folder=output_dir
    )


def display_name(model: str) -> str:
    """Returns the name that clients see, which is never a local path."""
    return Path(model).expanduser().name if is_path(model) else model


def is_path(model: str) -> bool:
    return model.startswith((".", "/", "~")) or (Path(model).is_dir() and "/" in model)


def _cached(name: str) -> Path | None:
    folder = model_hub.cached_snapshot(name, _MODEL_FILES)
    # An interrupted download leaves a folder without the weights.
    return folder if folder and is_model(folder) else None
