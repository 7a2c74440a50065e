"""Asks the engine what is said in the windows of one live session."""

from dataclasses import replace

import structlog

from echostream.domain import SAMPLE_RATE_HZ, Caution, Segment, TranscribeOptions, Transcript
from echostream.engine import LivePlace, Report, Samples
from echostream.errors import EngineError
from echostream.streaming.parts import moved_caution
from echostream.streaming.reader import Window
from echostream.streaming.text import GrowingText

log = structlog.get_logger(__name__)

_LEAST_SAMPLES = SAMPLE_RATE_HZ // 10


class WindowReader:
    """Gives each reading what is known from those before it: the language, and how the unfinished
    sentence began."""

    def __init__(self, engine: LivePlace, options: TranscribeOptions) -> None:
        self._engine = engine
        self._options = options
        self._warnings: list[Caution] = []

    def expect(self, language: str) -> None:
        """Expects this language from now on."""
        self._options = replace(self._options, expected_language=language)

    async def read(self, samples: Samples, window: Window, text: GrowingText) -> list[Segment]:
        """The segments in the samples of a window, which continues `text`. Raises EngineError."""
        if len(samples) < _LEAST_SAMPLES:
            return []
        # The prompt only has the part of the current sentence that is no longer in the audio. With
        # more, Whisper leaves out text that the prompt has, and repeats whole sentences.
        before = text.unfinished_before(window.start_s)
        prompt = " ".join(part for part in (self._options.prompt, before) if part)
        is_last = window.is_final or window.is_cut
        options = replace(self._options, prompt=prompt or None, draft=not is_last)
        segments, report = await self._ask(samples, options)
        if segments and report.language != "und":
            text.language = report.language
        if is_last:
            self._warnings += (moved_caution(each, window.start_s) for each in report.warnings)
        return segments

    def transcript(self, text: GrowingText, duration_s: float) -> Transcript:
        """What was said so far, in whole segments."""
        used = self._engine.used
        return Transcript(
            segments=text.segments,
            language=text.language,
            duration_s=duration_s,
            engine=used.engine,
            model=used.model,
            languages=text.languages,
            warnings=tuple(self._warnings),
        )

    async def _ask(
        self, samples: Samples, options: TranscribeOptions
    ) -> tuple[list[Segment], Report]:
        try:
            return await self._engine.read(samples, options)
        except EngineError as error:  # a second attempt may succeed
            log.warning("live_read_failed", reason=str(error))
            return await self._engine.read(samples, options)
