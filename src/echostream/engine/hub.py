"""Finds Whisper models: in a folder, the local cache, or the Hugging Face Hub."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from echostream.errors import InvalidRequest, ModelUnavailable

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
    from faster_whisper.utils import _MODELS

    if "/" in model:
        return model
    if model not in _MODELS:
        raise InvalidRequest(f"unknown Whisper model {model!r}; sizes are {', '.join(sizes())}")
    return str(_MODELS[model])


def download(model: str, *, timeout_s: float, output_dir: Path | None = None) -> Path:
    """Downloads a model from the Hub, with progress bars on a terminal, and returns its folder.

    `timeout_s` limits the attempt to reach the Hub, not the download itself.
    Raises ModelUnavailable if the Hub cannot be reached or has no such model.
    """
    from huggingface_hub import HfApi, snapshot_download

    name = repo_id(model)
    with _hub_errors(name):
        # Asked first and only once, because a snapshot retries each file for a long time.
        HfApi().model_info(name, timeout=timeout_s)
        found = snapshot_download(name, allow_patterns=_MODEL_FILES, local_dir=output_dir)
    return Path(str(found))


def display_name(model: str) -> str:
    """Returns the name that clients see, which is never a local path."""
    return Path(model).expanduser().name if is_path(model) else model


def is_path(model: str) -> bool:
    return model.startswith((".", "/", "~")) or (Path(model).is_dir() and "/" in model)


def _cached(name: str) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(
            str(snapshot_download(name, allow_patterns=_MODEL_FILES, local_files_only=True))
        )
    except LocalEntryNotFoundError:
        return None
    # An interrupted download leaves a folder without the weights.
    return folder if is_model(folder) else None


@contextmanager
def _hub_errors(name: str) -> Iterator[None]:
    from huggingface_hub import errors

    try:
        yield
    except (errors.HFValidationError, errors.RepositoryNotFoundError) as error:
        raise ModelUnavailable(f"the model hub has no model {name!r}") from error
    except errors.OfflineModeIsEnabled as error:
        raise ModelUnavailable("the model hub is switched off (HF_HUB_OFFLINE)") from error
    except (errors.HfHubHTTPError, httpx2.HTTPError, OSError) as error:
        reason = type(error).__name__
        raise ModelUnavailable(f"the model hub cannot be reached ({reason})") from error
