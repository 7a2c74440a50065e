"""Who spoke when. Works offline, without torch."""

from echostream.diarization.base import Diarization, Diarizer, OnShare, Samples
from echostream.diarization.loading import load_diarizer

__all__ = ["Diarization", "Diarizer", "OnShare", "Samples", "load_diarizer"]
