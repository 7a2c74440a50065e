"""Installations without some of the libraries: what is missed is told in a sentence, and nothing
else is missed.

Libraries are hidden from a Python of its own, and from those that it starts, as if they had never
been installed.
"""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import forks
from conftest import ROOT, sample_pcm, write_wav
from echostream.extras import LIBRARIES

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
WAIT_S = 120

HIDE = """
import os, runpy, sys
from importlib.machinery import PathFinder

hidden = os.environ["HIDDEN"].split(",")

class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if any(f"{name}.".startswith(f"{each}.") for each in hidden):
            return None
        return super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Without
"""
RUN = """
for name in [*sys.modules]:
    if any(f"{name}.".startswith(f"{each}.") for each in hidden):
        del sys.modules[name]
sys.argv.pop(0)
runpy.run_module("echostream", run_name="__main__", alter_sys=True)
"""

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def hide(tmp_path: Path) -> Path:
    folder = tmp_path / "hide"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(HIDE)
    return folder


def without(hide: Path, extras: Iterable[str], settings: dict[str, str]) -> dict[str, str]:
    """The environment of a program that lacks the libraries of some extras, unless others have
    them too."""
    missing = set(extras)
    if "whisper" in missing:  # which the other engine takes its speech detection from
        missing.add("sphinx")
    there = {name for extra in LIBRARIES.keys() - missing for name in LIBRARIES[extra]}
    hidden = {name for extra in missing for name in LIBRARIES[extra]} - there
    path = os.pathsep.join([str(hide), os.environ.get("PYTHONPATH", "")])
    return os.environ | {"PYTHONPATH": path, "HIDDEN": ",".join(hidden)} | settings


@pytest.fixture
def run_without(hide: Path) -> Run:
    """Runs Python without the libraries of some extras."""

    def run(
        extras: Iterable[str], *arguments: str, **environment: str
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, *arguments],
            env=without(hide, extras, environment),
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=False,
        )

    return run


@pytest.mark.parametrize(
    ("extra", "command", "settings"),
    [
        ("queue", "serve", {"USE_QUEUE": "true"}),
        ("queue", "serve", {"USE_QUEUE": "true", "WEB_CONCURRENCY": "2"}),
        ("queue", "worker", {}),
        ("s3", "serve", {"USE_QUEUE": "true", "STORAGE_URL": "s3://bucket/recordings"}),
        ("gemini", "serve", {"GEMINI_API_KEY": "a-key"}),
        ("gemini", "serve", {"GEMINI_API_KEY": "a-key", "WEB_CONCURRENCY": "2"}),
        ("gemini", "transcribe talk.wav", {"INSIGHTS_PROVIDER": "gemini", "GEMINI_API_KEY": "k"}),
        ("openai", "serve", {"OPENAI_BASE_URL": "http://localhost:11434/v1"}),
        ("llm", "serve", {"INSIGHTS_PROVIDER": "local", "LOCAL_LLM_MODEL": "model.gguf"}),
        ("llm", "models download llm", {}),
        ("whisper", "serve", {"ASR_ENGINE": "whisper"}),
        ("whisper", "models list", {}),
        ("whisper", "models download base", {}),
        ("sphinx", "serve", {"ASR_ENGINE": "pocketsphinx"}),
        ("sphinx", "transcribe talk.wav", {"ASR_ENGINE": "pocketsphinx"}),
        ("otel", "serve", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}),
        ("ui", "up", {}),
        ("ui", "ui", {}),
    ],
)
def test_what_needs_an_extra_names_it(
    hide: Path, extra: str, command: str, settings: dict[str, str]
) -> None:
    program = hide / "run.py"
    program.write_text(HIDE + RUN)
    env = without(hide, [extra], {"PORT": "0", **settings})
    done = forks.run([str(program), "echostream", *command.split()], env)
    assert (done.returncode, done.stdout) == (1, b"")
    said = done.stderr.decode()
    assert said.startswith("echostream: ")
    assert said.endswith(f"pip install 'echostream[{extra}]'\n")
    assert said.count("\n") == 1


def test_the_frontend_by_itself_names_its_extra(run_without: Run) -> None:
    done = run_without(["ui"], "-m", "echostream_ui")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("echostream: the web frontend needs ")
    assert done.stderr.endswith("pip install 'echostream[ui]'\n")


def test_a_worker_without_the_library_of_its_storage(run_without: Run) -> None:
    done = run_without(["s3"], "-m", "echostream", "worker", STORAGE_URL="s3://bucket")
    assert done.returncode == 1
    assert '"worker_failed"' in done.stderr
    assert "pip install 'echostream[s3]'" in done.stderr


def test_no_engine_at_all(run_without: Run) -> None:
    done = run_without(["whisper", "sphinx"], "-m", "echostream", "serve", PORT="0")
    assert done.returncode == 1
    assert done.stderr.startswith("echostream: Whisper needs libraries that are not installed (")
    assert done.stderr.endswith("pip install 'echostream[whisper]'\n")


def test_sphinx_alone_is_enough_to_transcribe(run_without: Run, tmp_path: Path) -> None:
    clip = write_wav(tmp_path / "clip.wav", sample_pcm()[: 16_000 * 4])
    without = LIBRARIES.keys() - {"sphinx", "whisper"}
    command = ("-m", "echostream", "transcribe", str(clip))
    done = run_without(without, *command, WHISPER_MODEL="tiny")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "thank you for joining the meeting let us start with the budget\n"
    assert '"stand_in": "pocketsphinx"' in done.stderr


def test_a_model_that_cannot_be_had_says_what_would_stand_in(run_without: Run) -> None:
    """`HF_HUB_OFFLINE` is set in all tests."""
    load = "from echostream.engine import load_transcriber; load_transcriber(Settings())"
    code = f"from echostream.settings import Settings; {load}"
    done = run_without(["sphinx"], "-c", code, WHISPER_MODEL="tiny")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith(
        "the model hub is switched off (HF_HUB_OFFLINE); "
        "pocketsphinx would stand in: pip install 'echostream[sphinx]'"
    )


def test_speakers_without_onnxruntime(run_without: Run) -> None:
    load = "from echostream.diarization import load_diarizer; load_diarizer(Settings())"
    code = f"from echostream.settings import Settings; {load}"
    done = run_without(["whisper"], "-c", code)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("pip install 'echostream[whisper]'")


def test_without_extras_everything_can_be_imported_but_the_worker(run_without: Run) -> None:
    modules = [
        ".".join(file.relative_to(ROOT / "src").with_suffix("").parts)
        for file in (ROOT / "src" / "echostream").rglob("*.py")
        if file.name not in ("__main__.py", "__init__.py")
    ]
    of_workers = ("echostream.worker.", "echostream.jobs.worker", "echostream.jobs.crashes")
    chosen = [name for name in modules if not name.startswith(of_workers)]
    assert len(chosen) > 80
    done = run_without(LIBRARIES, "-c", "\n".join(f"import {name}" for name in chosen))
    assert (done.returncode, done.stderr) == (0, "")


def distributions(requirements: Iterable[str]) -> set[str]:
    names = [re.match(r"[\w-]+", requirement) for requirement in requirements]
    return {name[0].lower().replace("_", "-") for name in names if name}


def locked(name: str) -> set[str]:
    text = (ROOT / name).read_text()
    return {found.lower() for found in re.findall(r"^([\w.-]+)==", text, re.MULTILINE)}


def test_the_libraries_that_are_looked_for_are_those_of_the_extras() -> None:
    assert LIBRARIES.keys() == EXTRAS.keys() - {"all"}
    brought_by = packages_distributions()
    for extra, libraries in LIBRARIES.items():
        brought = set()
        for library in libraries:
            owners = brought_by[library.partition(".")[0]]
            brought |= distributions(owners) & distributions(EXTRAS[extra])
        assert brought == distributions(EXTRAS[extra]), extra


def test_all_is_all() -> None:
    [everything] = EXTRAS["all"]
    assert everything == f"echostream[{','.join(LIBRARIES)}]"


def test_the_locks_have_what_their_programs_need() -> None:
    core = distributions(PROJECT["dependencies"])
    product, ui = locked("requirements.lock"), locked("requirements-ui.lock")
    developers = locked("requirements-dev.lock")
    frontends_own = distributions(EXTRAS["ui"])
    others = {name for extra in LIBRARIES.keys() - {"ui"} for name in distributions(EXTRAS[extra])}
    assert core | others <= product
    assert not product & frontends_own
    assert core | frontends_own <= ui
    assert not ui & others
    assert product | ui <= developers


@pytest.mark.parametrize("name", ["requirements", "requirements-ui", "requirements-dev"])
def test_a_lock_holds_on_any_machine(name: str) -> None:
    text = (ROOT / f"{name}.lock").read_text()
    assert not re.search(r"https?://|--(extra-)?index|--find-links|(?<!\w)/\w", text)
    for requirement in re.split(r"\n(?=[a-z])", text.partition("\n")[2])[1:]:
        assert "--hash=sha256:" in requirement, requirement.partition("\n")[0]


def test_every_extra_is_explained() -> None:
    """The table in the documentation names each, and the packages that it brings."""
    page = (ROOT / "docs" / "reference" / "extras.md").read_text()
    rows = dict(re.findall(r"^\| `([a-z0-9]+)` \|([^|]+)\|", page, re.MULTILINE))
    assert rows.keys() == EXTRAS.keys()
    for extra, packages in rows.items():
        named = {name.lower() for name in re.findall(r"`([\w-]+)`", packages)}
        wanted = set() if extra == "all" else distributions(EXTRAS[extra])
        assert named == wanted, extra
