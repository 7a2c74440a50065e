"""Finds the file of a language model, and says what fits: names on the Hub, and its context."""

from dataclasses import dataclass
from pathlib import Path

from echostream.errors import ModelUnavailable
from echostream.extras import require
from echostream.llm.base import InsightsError
from echostream.llm.local.gguf import Header, read_header
from echostream.memory import total_bytes
from echostream.settings import Settings

_SUFFIX = ".gguf"
_INSTRUCTIONS_TOKENS = 1_500
"""The most that our instructions and a template take of a context."""
_MOST_ANSWER_TOKENS = 3_072
_CONTEXT_TOKENS = 16_384
"""More than this takes many minutes on a CPU, and small models lose the thread."""
_FEWEST_TOKENS = 4_096
_SHARE_OF_MEMORY = 0.5
"""For weights and context. The rest is for Whisper and all others."""


@dataclass(frozen=True, slots=True)
class Recommended:
    """A model on the Hub. `machine_gb` is the memory of a machine that it suits."""

    hub_id: str
    size_gb: float
    licence: str
    machine_gb: int


RECOMMENDED = (
    Recommended(
        "unsloth/Qwen3-4B-Instruct-2507-GGUF/Qwen3-4B-Instruct-2507-Q4_K_M.gguf",
        2.5,
        "Apache 2.0",
        8,
    ),
    Recommended("Qwen/Qwen3-8B-GGUF/Qwen3-8B-Q4_K_M.gguf", 5.0, "Apache 2.0", 16),
)
"""The smallest first."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model on this machine. Of its `context_tokens`, a part of a transcript may take up
    `part_tokens`, and an answer `answer_tokens`."""

    path: Path
    context_tokens: int

    @property
    def name(self) -> str:
        """What clients see, which is never a local path."""
        return self.path.stem

    @property
    def answer_tokens(self) -> int:
        return min(_MOST_ANSWER_TOKENS, self.context_tokens // 4)

    @property
    def part_tokens(self) -> int:
        left = self.context_tokens - self.answer_tokens - _INSTRUCTIONS_TOKENS
        return max(left, self.context_tokens // 4)


def open_model(settings: Settings) -> ModelFile:
    """The model in the settings. Raises InsightsError if it is not on this machine, and
    MissingExtra without llama.cpp."""
    require("llm", "a language model on this machine")
    if settings.local_llm_model is None:
        raise InsightsError(
            "INSIGHTS_PROVIDER=local needs LOCAL_LLM_MODEL; see: echostream models download llm"
        )
    path = find_file(settings.local_llm_model)
    if path is None:
        raise InsightsError(
            f"the language model {_shown(settings.local_llm_model)!r} is not on this machine; "
            "get it with: echostream models download llm"
        )
    try:
        header = read_header(path)
    except ModelUnavailable as error:
        raise InsightsError(f"LOCAL_LLM_MODEL: {error}") from error
    return ModelFile(path, context_tokens(header, path.stat().st_size, settings))


def find_file(model: str) -> Path | None:
    """The file of a model: at this path, or downloaded from the Hub before."""
    path = Path(model).expanduser()
    if path.is_file():
        return path
    found = hub_name(model)
    if found is None:
        return None
    from echostream import model_hub

    try:
        return model_hub.cached_file(*found)
    except (ModelUnavailable, ModuleNotFoundError):
        return None


def hub_name(model: str) -> tuple[str, str] | None:
    """The repository and the file of a Hub id `owner/repository/file.gguf`; None for a path."""
    parts = model.split("/", 2)
    is_path = model.startswith((".", "/", "~"))
    if is_path or len(parts) < 3 or not model.endswith(_SUFFIX):
        return None
    return f"{parts[0]}/{parts[1]}", parts[2]


def recommended(memory_bytes: int | None = None) -> Recommended:
    """The largest model that suits a machine with so much memory, by default this one."""
    memory_gb = (total_bytes() if memory_bytes is None else memory_bytes) / 1e9
    # A machine sold with 16 GB reports a little less.
    fitting = [each for each in RECOMMENDED if each.machine_gb * 0.9 <= memory_gb]
    return fitting[-1] if fitting else RECOMMENDED[0]


def context_tokens(
    header: Header, size_bytes: int, settings: Settings, memory_bytes: int | None = None
) -> int:
    """How long a context to open: no longer than the model was trained for, than
    INSIGHTS_CONTEXT_TOKENS wants, and than a machine with so much memory can hold."""
    wanted = settings.insights_context_tokens
    most = wanted + _MOST_ANSWER_TOKENS + _INSTRUCTIONS_TOKENS if wanted else _CONTEXT_TOKENS
    memory = total_bytes() if memory_bytes is None else memory_bytes
    room = (memory * _SHARE_OF_MEMORY - size_bytes) / header.token_bytes
    fitting = max(_FEWEST_TOKENS, int(room))
    return min(header.trained_tokens, most, fitting)


def _shown(model: str) -> str:
    return model if hub_name(model) else Path(model).name
