"""The Hugging Face Hub: downloads models, and finds those that were downloaded before."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx2

from echostream.errors import ModelUnavailable


def fetch_snapshot(
    repo: str, patterns: Sequence[str], *, timeout_s: float, folder: Path | None = None
) -> Path:
    """Downloads the files of a repository that match, with progress bars on a terminal, and returns
    their folder.

    `timeout_s` limits the attempt to reach the Hub, not the download itself.
    Raises ModelUnavailable if the Hub cannot be reached or has no such repository.
    """
    from huggingface_hub import snapshot_download

    with _errors(repo):
        _check(repo, timeout_s)
        found = snapshot_download(repo, allow_patterns=list(patterns), local_dir=folder)
    return Path(str(found))


def fetch_file(repo: str, name: str, *, timeout_s: float, folder: Path | None = None) -> Path:
    """The same for one file, whose path is returned."""
    from huggingface_hub import hf_hub_download

    with _errors(f"{repo}/{name}"):
        _check(repo, timeout_s)
        return Path(hf_hub_download(repo, name, local_dir=folder))


def cached_snapshot(repo: str, patterns: Sequence[str]) -> Path | None:
    """The folder of files downloaded before; None if there is none. Some may be missing: an
    interrupted download leaves a folder, too."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(
            str(snapshot_download(repo, allow_patterns=list(patterns), local_files_only=True))
        )
    except LocalEntryNotFoundError:
        return None


def cached_file(repo: str, name: str) -> Path | None:
    """A file that was downloaded before; None if it was not. Raises ModelUnavailable if this is no
    name of a file on the Hub."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    with _errors(f"{repo}/{name}"):
        try:
            return Path(hf_hub_download(repo, name, local_files_only=True))
        except LocalEntryNotFoundError:
            return None


def _check(repo: str, timeout_s: float) -> None:
    """Asks the Hub for the repository, only once: a download retries each file for a long time."""
    from huggingface_hub import HfApi

    HfApi().model_info(repo, timeout=timeout_s)


@contextmanager
def _errors(name: str) -> Iterator[None]:
    from huggingface_hub import errors

    try:
        yield
    except (
        errors.HFValidationError,
        errors.RepositoryNotFoundError,
        errors.EntryNotFoundError,
    ) as error:
        raise ModelUnavailable(f"the model hub has no model {name!r}") from error
    except errors.OfflineModeIsEnabled as error:
        raise ModelUnavailable("the model hub is switched off (HF_HUB_OFFLINE)") from error
    except (errors.HfHubHTTPError, httpx2.HTTPError, OSError) as error:
        reason = type(error).__name__
        raise ModelUnavailable(f"the model hub cannot be reached ({reason})") from error
