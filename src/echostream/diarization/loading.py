"""Chooses the diarizer that the settings ask for."""

from pathlib import Path

from echostream.diarization import models
from echostream.diarization.base import Diarizer
from echostream.diarization.onnx import OnnxDiarizer
from echostream.errors import ModelUnavailable
from echostream.settings import Settings


def load_diarizer(settings: Settings) -> Diarizer:
    """Takes a second. Raises ModelUnavailable if the models are missing, damaged or of another
    kind, or if onnxruntime is not installed."""
    folder = models.OWN_WEIGHTS
    if settings.diarization_model is not None:
        folder = Path(settings.diarization_model).expanduser()
        if not folder.is_dir():
            raise ModelUnavailable("DIARIZATION_MODEL is not a folder")
    return OnnxDiarizer(models.find(folder, "segmentation"), models.find(folder, "campplus"))
