"""Where the diarizer's models are, and how they are loaded."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from echostream.errors import ModelUnavailable

OWN_WEIGHTS = Path(__file__).parent / "weights"
"""The models that come with the package; their licences are beside them."""

SEGMENTATION = "pyannote-segmentation-3.0.onnx"
VOICE = "3dspeaker_speech_campplus_sv_zh_en_16k-common_advanced.int8.onnx"
_OWN_SHA256: Mapping[str, str] = {
    SEGMENTATION: "03307f0030d4074c8441acec1bc5cfa2c089d2ca5e037f6df94175164a6ae72e",
    VOICE: "ec17d68edaeafe0c2c7b90436e1d1bdea70b68cd3e89acf0ff181727f61270e3",
}


def find(folder: Path, kind: str) -> Path:
    """Returns the one model in `folder` whose name contains `kind`; raises ModelUnavailable if
    there is none. Of several, the float one is used."""
    found = sorted(folder.glob("*.onnx"))
    matching = [path for path in found if kind in path.name]
    if not matching:
        raise ModelUnavailable(f"DIARIZATION_MODEL has no file *{kind}*.onnx")
    return min(matching, key=lambda path: (".int8." in path.name, path.name))


def check_hash(path: Path) -> str:
    """Returns the SHA-256 of a model; raises ModelUnavailable if one of ours was damaged."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if path.parent == OWN_WEIGHTS and digest != _OWN_SHA256[path.name]:
        raise ModelUnavailable(f"the model {path.name} is damaged; install EchoStream again")
    return digest


class Network:
    """A loaded model of one input and one output. Thread-safe."""

    def __init__(self, path: Path, threads: int) -> None:
        """Raises ModelUnavailable if the file is not a model that onnxruntime can run."""
        # Slow to import, and only needed if speakers are asked for.
        try:
            import onnxruntime
        except ImportError as error:
            raise ModelUnavailable(
                "telling speakers apart needs onnxruntime: pip install 'echostream[whisper]'"
            ) from error

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # The arena would keep the memory of the largest batch for ever.
        options.enable_cpu_mem_arena = False
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                path, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's errors have no root of their own
            raise ModelUnavailable(f"the model {path.name} cannot be loaded") from error
        self._input = self._session.get_inputs()[0].name
        self.output_size = int(self._session.get_outputs()[0].shape[-1])

    def __call__(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        output: NDArray[np.float32] = self._session.run(None, {self._input: batch})[0]
        return output
