"""What of a session's speech is read next, and what a reading confirms. It asks no engine and waits
for nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from echostream.domain import SAMPLE_RATE_HZ, Segment, Word, joined
from echostream.streaming.agreement import LocalAgreement
from echostream.streaming.speech import SpeechBuffer
from echostream.streaming.text import GrowingText

_WINDOW_S = 26.0
"""Longest audio the engine is given at once: Whisper's window is 30 s."""
_TRIM_AFTER_S = 14.0
"""An utterance longer than this loses the segments at its beginning that are confirmed,"""
_TRIM_ANYWHERE_AFTER_S = 22.0
"""and one longer than this all confirmed words, even in the middle of a segment."""
_UNSURE_S = 1.0
"""At the end of audio that is cut in the middle of speech, words are not to be trusted."""


@dataclass(frozen=True, slots=True)
class Window:
    """Audio to be read, in samples. `is_final`: it reaches the end of its utterance. `is_cut`: the
    utterance goes on behind it, and the engine is so far behind that it is read only once."""

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
    """What came of a window: `text` is new and certain, `tentative` stands after it for now. Times
    are those of the new text or, where there is none, of the tentative one."""

    text: str
    tentative: str
    start_s: float
    end_s: float


class SpeechReader:
    """Speech that waits to be read in `speech`, text that was read in `text`."""

    def __init__(self) -> None:
        self.speech = SpeechBuffer()
        self.text = GrowingText()
        self._agreement = LocalAgreement()
        self._read_until = 0

    def window(self, step_s: float) -> Window | None:
        """What is to be read next; None while there are less than `step_s` of new speech."""
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
        return Window(first.start, end)

    def take_in(self, window: Window, segments: Sequence[Segment]) -> Reading | None:
        """What the engine made of a window, its times relative to that. None if it has changed
        nothing."""
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
        """The newly confirmed words, and the time before which the audio has served its purpose."""
        if window.is_final:
            return self._agreement.confirm_all(words), window.end_s
        if window.is_cut:
            # Best between two segments, and not in the middle of a word.
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
        """Drop the audio before `cut_s`, all of an utterance that has been read to its end."""
        if window.is_final:
            self.speech.drop_utterance()
            self._agreement = LocalAgreement()
        elif (cut := round(cut_s * SAMPLE_RATE_HZ)) > window.start:
            self.speech.drop_before(min(cut, window.end))
            self._agreement.forget_before(cut_s)
