"""The engine of a process as its live sessions see it."""

from contextlib import closing

from echostream.asr.base import Samples
from echostream.asr.lazy import LazyTranscriber
from echostream.asr.turns import Turns
from echostream.domain import Segment, TranscribeOptions


class LiveEngine:
    """Reads short stretches of audio, each in a turn of its own."""

    def __init__(self, transcriber: LazyTranscriber, turns: Turns) -> None:
        self._transcriber = transcriber
        self._turns = turns

    async def read(self, samples: Samples, options: TranscribeOptions) -> tuple[list[Segment], str]:
        """The segments of up to 30 s, and the language; raises as `Transcriber.transcribe` does."""
        return await self._turns.live(lambda: self._read(samples, options))

    def _read(self, samples: Samples, options: TranscribeOptions) -> tuple[list[Segment], str]:
        work = self._transcriber.get().transcribe(samples, options)
        with closing(work.segments):
            return list(work.segments), work.detected.code

    @property
    def name(self) -> str:
        """Of the engine; `none` until it is loaded."""
        loaded = self._transcriber.loaded
        return loaded.engine if loaded else "none"

    @property
    def model(self) -> str:
        loaded = self._transcriber.loaded
        return loaded.model if loaded else "none"
