"""How voices sound: embeddings by CAM++, in which the same person's voices are close."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from echostream.diarization.base import Samples
from echostream.diarization.features import FRAMES_PER_S, fbank

Embedding = NDArray[np.float32]
"""Unit length."""
Embeddings = NDArray[np.float32]
"""Shape (n, dimensions), each of unit length."""

Span = tuple[int, int]
"""The first sample, and the one after the last."""

_SHORTEST_FRAMES = 20


class VoiceNetwork(Protocol):
    """What a `Network` of voices does."""

    output_size: int

    def __call__(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """From features, shape (n, frames, 80), to vectors, shape (n, dimensions)."""


class VoiceModel:
    def __init__(self, network: VoiceNetwork) -> None:
        self._network = network
        self.dimensions = network.output_size

    def embedding(
        self, samples: Samples, spans: Sequence[Span], *, longest_s: float
    ) -> Embedding | None:
        """How the speaker of these spans sounds, from at most `longest_s` of them; None if they
        are too short to tell."""
        pieces = [fbank(samples[start:end]) for start, end in _shortened(spans, longest_s)]
        features = np.concatenate(pieces) if pieces else np.zeros((0, 80), np.float32)
        if len(features) < _SHORTEST_FRAMES:
            return None
        features -= features.mean(axis=0)
        vector = self._network(features[None])[0]
        norm = float(np.linalg.norm(vector))
        return (vector / norm).astype(np.float32) if norm > 0 else None

    def embeddings(self, pieces: Sequence[Samples]) -> Embeddings:
        """How pieces of the same length sound; several at once take less time."""
        features = np.array([fbank(piece) for piece in pieces])
        features -= features.mean(axis=1, keepdims=True)
        vectors = self._network(features)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        units: Embeddings = vectors / np.maximum(lengths, np.float32(1e-9))
        return units


def _shortened(spans: Sequence[Span], longest_s: float) -> list[Span]:
    """The longest spans, the last of them cut."""
    left = int(longest_s * FRAMES_PER_S) * 160
    kept = []
    for start, end in sorted(spans, key=lambda span: span[0] - span[1]):
        length = min(end - start, left)
        if length <= 0:
            break
        kept.append((start, start + length))
        left -= length
    return kept
