"""Defaults that suit the machine. The figures behind them are in `benchmarks/RESULTS.md`."""

from echostream.memory import available_bytes
from echostream.settings.cpus import windows_at_once

_MIB = 1024 * 1024
_WINDOW_MIB = 160
"""Roughly the memory of one more window in a batch with a large model; base needs 40."""
_MOST_ON_GPU = 16


def best_compute_type(device: str) -> str:
    """Returns int8 for a CPU, where it is the fastest and loses no words that float32 gets, and
    float16 for a GPU that supports it."""
    wanted = ("float16", "int8_float16", "float32") if _is_gpu(device) else ("int8", "float32")
    known = compute_types(device)
    return next((each for each in wanted if each in known), "default")


def compute_types(device: str) -> list[str]:
    """Returns the compute types that this machine supports, in alphabetical order."""
    import ctranslate2

    known = ctranslate2.get_supported_compute_types("cuda" if _is_gpu(device) else "cpu")
    return sorted({"auto", *known})


def _is_gpu(device: str) -> bool:
    import ctranslate2

    return device == "cuda" or (device == "auto" and ctranslate2.get_cuda_device_count() > 0)


def best_batch_size(device: str, *, cpus: int | None = None, free_bytes: int | None = None) -> int:
    """Returns how many windows to decode at once: two per core, in at most 1/8 of the memory."""
    if device != "cpu":
        return _MOST_ON_GPU
    free_bytes = free_bytes if free_bytes is not None else available_bytes()
    affordable = free_bytes // 8 // (_WINDOW_MIB * _MIB)
    return int(max(1, min(windows_at_once(cpus), affordable)))
