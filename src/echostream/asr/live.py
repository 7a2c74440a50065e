"""The engine of a process as its live sessions see it."""

from contextlib import closing

from echostream.asr.base import Report, Samples
from echostream.asr.lazy import LazyTranscriber
from echostream.asr.turns import Turns
from echostream.domain import Segment, TranscribeOptions


class LiveEngine:
    """Reads short stretches of audio, each in a turn of its own."""

    def __init__(
        self, transcriber: LazyTranscriber, turns: Turns, vocabulary: tuple[str, ...] = ()
    ) -> None:
        """`vocabulary` are names and terms that are likely in any session."""
        self._transcriber = transcriber
        self._turns = turns
        self._vocabulary = vocabulary

    async def read(
        self, samples: Samples, options: TranscribeOptions
    ) -> tuple[list[Segment], Report]:
        """The segments of up to 30 s, and what is to be said of them; raises as
        `Transcriber.transcribe` does."""
        return await self._turns.live(lambda: self._read(samples, options))

    def _read(self, samples: Samples, options: TranscribeOptions) -> tuple[list[Segment], Report]:
        options = options.with_vocabulary(self._vocabulary)
        work = self._transcriber.get().transcribe(samples, options)
        with closing(work.segments):
            return list(work.segments), work.report

    @property
    def name(self) -> str:
        """Of the engine; `none` until it is loaded."""
        loaded = self._transcriber.loaded
        return loaded.engine if loaded else "none"

    @property
    def model(self) -> str:
        loaded = self._transcriber.loaded
        return loaded.model if loaded else "none"
