"""The part of a live session's audio that is still needed, and where it has speech."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from echostream.domain import SAMPLE_RATE_HZ
from echostream.engine import Samples
from echostream.engine.vad import FRAME_SAMPLES

# Silero's own thresholds: speech starts above the first and continues until below the second.
_SPEECH, _STILL_SPEECH = 0.5, 0.35
_END_OF_UTTERANCE = int(0.6 * SAMPLE_RATE_HZ)
_PAD = int(0.3 * SAMPLE_RATE_HZ)
_SAMPLE_BYTES = 2


@dataclass(slots=True)
class Utterance:
    """Speech between two pauses, in samples from the start of the session. `end` is None while it
    continues. `start` moves forward as its text is confirmed."""

    start: int
    end: int | None = None


class SpeechBuffer:
    """Finds utterances in samples. The audio between utterances is dropped at once, the audio of
    utterances when the caller asks for it."""

    def __init__(self) -> None:
        self._pcm = bytearray()
        self._start = 0
        self.seen = 0
        """How many samples speech has been looked for in."""
        self._last_speech = 0
        self.utterances: deque[Utterance] = deque()
        """Utterances that have not been dropped, in order; only the last may still continue."""

    @property
    def end(self) -> int:
        """The number of samples received so far."""
        return self._start + len(self._pcm) // _SAMPLE_BYTES

    @property
    def held(self) -> int:
        """The number of samples in memory."""
        return len(self._pcm) // _SAMPLE_BYTES

    @property
    def pause(self) -> int:
        """The number of samples without speech at the end of those that were looked at."""
        return self.seen - self._last_speech

    def append(self, samples: Samples) -> None:
        """Takes the next samples; speech is detected in them later."""
        self._pcm += samples.astype("<i2", copy=False).tobytes()

    @property
    def new(self) -> Samples:
        """Whole frames that have not been looked at."""
        whole = (self.end - self.seen) // FRAME_SAMPLES * FRAME_SAMPLES
        return self.samples(self.seen, self.seen + whole)

    def look(self, chances: Sequence[float]) -> None:
        """Find speech by how likely it is in each of the next frames."""
        for chance in chances:
            self._note(chance, self.seen, self.seen + FRAME_SAMPLES)
            self.seen += FRAME_SAMPLES
        self._drop()

    def close(self) -> None:
        """Call this after the last samples: it ends an utterance that still continues."""
        if self._speaking:
            self.utterances[-1].end = self.end

    def samples(self, start: int, end: int) -> Samples:
        """A copy of the samples from `start` to before `end`, which must not have been dropped."""
        first, last = ((at - self._start) * _SAMPLE_BYTES for at in (start, end))
        return np.frombuffer(bytes(self._pcm[first:last]), "<i2")

    def drop_utterance(self) -> None:
        """Drops the first utterance and its audio."""
        self.utterances.popleft()
        self._drop()

    def drop_before(self, start: int) -> None:
        """Moves the start of the first utterance to `start`."""
        self.utterances[0].start = start
        self._drop()

    @property
    def _speaking(self) -> bool:
        return bool(self.utterances) and self.utterances[-1].end is None

    def _note(self, chance: float, start: int, end: int) -> None:
        if self._speaking:
            if chance >= _STILL_SPEECH:
                self._last_speech = end
            elif end - self._last_speech >= _END_OF_UTTERANCE:
                self.utterances[-1].end = self._last_speech + _PAD
        elif chance >= _SPEECH:
            before = self.utterances[-1].end if self.utterances else None
            self.utterances.append(Utterance(max(before or self._start, start - _PAD)))
            self._last_speech = end

    def _drop(self) -> None:
        keep = self.utterances[0].start if self.utterances else self.seen - _PAD
        if keep > self._start:
            del self._pcm[: (keep - self._start) * _SAMPLE_BYTES]
            self._start = keep
