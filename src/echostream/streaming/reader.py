"""Decides which part of a session's speech is read next, and which words a reading confirms. It
calls no engine and never waits."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from echostream.domain import SAMPLE_RATE_HZ, Segment, Word, joined
from echostream.streaming.agreement import LocalAgreement
from echostream.streaming.speech import SpeechBuffer
from echostream.streaming.text import GrowingText

_WINDOW_S = 26.0
"""The longest audio that the engine gets at once; Whisper's window is 30 s."""
_TRIM_AFTER_S = 14.0
"""If an utterance is longer than this, confirmed segments at its start are cut off."""
_TRIM_ANYWHERE_AFTER_S = 22.0
"""If it is longer than this, all confirmed words are cut off, even in the middle of a segment."""
_PAUSE_S = 0.2
"""In a longer pause nothing is read: either the utterance ends soon, and its last reading confirms
everything, or it goes on."""
_UNSURE_S = 1.0
"""Where audio is cut in the middle of speech, the last words are unreliable."""


@dataclass(frozen=True, slots=True)
class Window:
    """Audio to be read, in samples. `is_final`: it reaches the end of its utterance. `is_cut`: the
    utterance continues after it, and the engine is so far behind that it reads this only once."""

    start: int
    end: int
    is_final: bool = False
    is_cut: bool = False

    @property
    def start_s(self) -> float:
        return self.start / SAMPLE_RATE_HZ

    @property
    def end_s(self) -> float:
        return self.end / SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True)
class Reading:
    """The result of reading a window: `text` is new and final, `tentative` follows it and may still
    change. Times are those of `text` or, if it is empty, of `tentative`."""

    text: str
    tentative: str
    start_s: float
    end_s: float


class SpeechReader:
    """`speech` holds what is still to be read, `text` what has been read."""

    def __init__(self) -> None:
        self.speech = SpeechBuffer()
        self.text = GrowingText()
        self._agreement = LocalAgreement()
        self._read_until = 0

    def window(self, step_s: float) -> Window | None:
        """The next window to read; None if there are less than `step_s` of new speech."""
        if not self.speech.utterances:
            return None
        first = self.speech.utterances[0]
        end = self.speech.seen if first.end is None else first.end
        limit = first.start + int(_WINDOW_S * SAMPLE_RATE_HZ)
        if end > limit:
            return Window(first.start, limit, is_cut=True)
        if first.end is not None:
            return Window(first.start, end, is_final=True)
        if end - max(first.start, self._read_until) < step_s * SAMPLE_RATE_HZ:
            return None
        if self.speech.pause > _PAUSE_S * SAMPLE_RATE_HZ:
            return None
        return Window(first.start, end)

    def take_in(self, window: Window, segments: Sequence[Segment]) -> Reading | None:
        """Takes the engine's segments of a window, with times relative to it. Returns None if
        nothing has changed."""
        words = [
            replace(word, start_s=word.start_s + window.start_s, end_s=word.end_s + window.start_s)
            for segment in segments
            for word in segment.words
        ]
        before = self._agreement.tentative
        ends_s = [segment.end_s + window.start_s for segment in segments]
        confirmed, cut_s = self._confirm(window, words, ends_s)
        self._read_until = window.end
        self._forget(window, cut_s)
        text = self.text.add(confirmed)
        if window.is_final:
            self.text.end_segment()
        tentative = self._agreement.tentative
        if not text and before == tentative:
            return None
        told = confirmed or tentative
        return Reading(
            text=text,
            tentative=joined(tentative),
            start_s=told[0].start_s if told else window.start_s,
            end_s=min(told[-1].end_s, window.end_s) if told else window.end_s,
        )

    def _confirm(
        self, window: Window, words: list[Word], segment_ends_s: list[float]
    ) -> tuple[list[Word], float]:
        """The newly confirmed words, and the time before which the audio is no longer needed."""
        if window.is_final:
            return self._agreement.confirm_all(words), window.end_s
        if window.is_cut:
            # Preferably between two segments, so that no word is cut.
            half_s = (window.start_s + window.end_s) / 2
            last_s = window.end_s - _UNSURE_S
            cut_s = max((one for one in segment_ends_s[:-1] if one > half_s), default=last_s)
            return self._agreement.confirm_all(words, until_s=cut_s), cut_s
        confirmed = self._agreement.confirm(words)
        until_s = self._agreement.confirmed_until_s
        length_s = window.end_s - window.start_s
        if until_s is None or length_s < _TRIM_AFTER_S:
            return confirmed, window.start_s
        ends_s = [one for one in segment_ends_s[:-1] if window.start_s < one <= until_s]
        if not ends_s and length_s > _TRIM_ANYWHERE_AFTER_S:
            return confirmed, until_s
        return confirmed, max(ends_s, default=window.start_s)

    def _forget(self, window: Window, cut_s: float) -> None:
        """Drops the audio before `cut_s`, or the whole utterance if it has been read completely."""
        if window.is_final:
            self.speech.drop_utterance()
            self._agreement = LocalAgreement()
        elif (cut := round(cut_s * SAMPLE_RATE_HZ)) > window.start:
            self.speech.drop_before(min(cut, window.end))
            self._agreement.forget_before(cut_s)
