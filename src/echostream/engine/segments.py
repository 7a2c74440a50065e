"""Groups words into segments: sentences or parts of them, none across a pause or over 15 s."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import floor, isinf

from echostream.domain import Segment, Word, joined
from echostream.scripts import is_unspaced, space_between

LONGEST_S = 15.0
_PAUSE_S = 1.0
_LEAST_WORD_S = 0.02
"""One time step of the decoder, which a word without a duration gets."""
_TERMINAL = (".", "!", "?", "…", "。", "！", "？", "؟", "۔", "।", "॥", "።", "។", "။")
_CLAUSE = (",", ";", ":", "，", "、", "；", "：", "،", "؛", "–", "—")
_CLOSING = "\"'”’»›)]}」』）》】"
# They end in a full stop but seldom end a sentence.
_ABBREVIATIONS = frozenset(
    (
        *("mr", "mrs", "ms", "dr", "prof", "st", "sr", "jr", "vs", "etc", "approx", "dept"),
        *("inc", "ltd", "e.g", "i.e", "a.m", "p.m", "nr", "bzw", "z.b"),
    )
)


@dataclass(frozen=True, slots=True)
class TimedWord:
    """A word with its time in the audio, and what the decoder reports about it and its window."""

    word: Word
    language: str | None = None
    tokens: tuple[int, ...] = ()
    temperature: float = 0.0
    avg_logprob: float = 0.0
    compression_ratio: float = 1.0
    no_speech_prob: float = 0.0
    begins_window: bool = False
    """It was decoded first, so the decoder could not know whether a space comes before it."""


class Segmenter:
    """Returns each segment as soon as it has ended. Words must come in order of time; their times
    are corrected so that they stay within the audio and do not overlap."""

    def __init__(self, duration_s: float, *, longest_s: float = LONGEST_S) -> None:
        self._duration_s = duration_s if isinf(duration_s) else down(duration_s)
        self._longest_s = longest_s
        self._open: list[TimedWord] = []
        self._said_until_s = 0.0
        self._last_text = ""
        self._next_id = 0

    @property
    def open_words(self) -> list[Word]:
        """The words of the segment that has not ended."""
        return [each.word for each in self._open]

    def add(self, words: Iterable[TimedWord]) -> Iterator[Segment]:
        """Takes words; yields the segments that have ended."""
        for word in words:
            following = self._in_its_place(word)
            if self._open and self._ends_before(following):
                yield self._closed(len(self._open))
            while self._open and self._length_with(following) > self._longest_s:
                yield self._closed(_best_cut(self._open))
            self._open.append(following)

    def close(self) -> Iterator[Segment]:
        """Call this after the last word; yields the last segment."""
        if self._open:
            yield self._closed(len(self._open))

    def _in_its_place(self, timed: TimedWord) -> TimedWord:
        word = timed.word
        if timed.begins_window:
            word = replace(word, space_before=self._spaced(word.text))
        self._last_text = word.text
        latest_s = self._duration_s - _LEAST_WORD_S
        start_s = max(min(down(word.start_s), latest_s), self._said_until_s)
        end_s = max(down(word.end_s), start_s + _LEAST_WORD_S)
        end_s = down(min(end_s, self._duration_s, start_s + self._longest_s))
        self._said_until_s = end_s
        return replace(timed, word=replace(word, start_s=start_s, end_s=end_s))

    def _spaced(self, text: str) -> bool:
        if self._last_text:
            return space_between(self._last_text, text)
        return not is_unspaced(text[:1])

    def _ends_before(self, following: TimedWord) -> bool:
        last = self._open[-1]
        return last.language != following.language or _are_apart(last.word, following.word)

    def _length_with(self, following: TimedWord) -> float:
        return following.word.end_s - self._open[0].word.start_s

    def _closed(self, count: int) -> Segment:
        said, self._open = self._open[:count], self._open[count:]
        words = tuple(each.word for each in said)
        first = said[0]
        segment = Segment(
            id=self._next_id,
            start_s=words[0].start_s,
            end_s=words[-1].end_s,
            text=joined(words),
            words=words,
            space_before=words[0].space_before,
            language=first.language,
            tokens=tuple(token for each in said for token in each.tokens),
            temperature=first.temperature,
            avg_logprob=first.avg_logprob,
            compression_ratio=first.compression_ratio,
            no_speech_prob=first.no_speech_prob,
        )
        self._next_id += 1
        return segment


def in_sequence(parts: Iterable[Sequence[Segment]]) -> list[Segment]:
    """The segments of parts of a recording that were read separately, numbered anew. One that goes
    on in the next part is one segment, unless that would be too long."""
    found: list[Segment] = []
    for part in parts:
        for number, segment in enumerate(part):
            if number == 0 and found:
                segment = _after(found[-1], segment)
                if _is_one(found[-1], segment):
                    segment = _both(found.pop(), segment)
            found.append(replace(segment, id=len(found)))
    return found


def _after(before: Segment, segment: Segment) -> Segment:
    """The segment with a space before it, or without one, by what stands there."""
    spaced = space_between(before.text, segment.text)
    words = segment.words and (replace(segment.words[0], space_before=spaced), *segment.words[1:])
    return replace(segment, space_before=spaced, words=words)


def _is_one(before: Segment, after: Segment) -> bool:
    if before.language != after.language or not (before.words and after.words):
        return False
    is_short = after.end_s - before.start_s <= LONGEST_S
    return is_short and not _are_apart(before.words[-1], after.words[0])


def _both(before: Segment, after: Segment) -> Segment:
    words = (*before.words, *after.words)
    tokens = (*before.tokens, *after.tokens)
    return replace(before, end_s=after.end_s, text=joined(words), words=words, tokens=tokens)


def _are_apart(word: Word, following: Word) -> bool:
    """Whether a segment ends between two words."""
    if following.start_s - word.end_s > _PAUSE_S:
        return True
    return ends_sentence(word.text, following.text)


def ends_sentence(text: str, following: str) -> bool:
    """Whether a word ends a sentence, given the word after it."""
    bare = text.rstrip(_CLOSING)
    if not bare.endswith(_TERMINAL):
        return False
    if not bare.endswith("."):
        return True
    if following[:1].islower() or bare[:-1].lower() in _ABBREVIATIONS:
        return False
    return len(bare) != 2 or not bare[0].isupper()  # the initial of a name


def _best_cut(words: list[TimedWord]) -> int:
    """After how many words to cut a sentence that is too long: at the end of a clause in its second
    half, else at the longest pause there."""
    half = len(words) // 2
    if not half:
        return len(words)

    def worth(count: int) -> tuple[bool, float, int]:
        last, following = words[count - 1].word, words[count].word
        return last.text.endswith(_CLAUSE), round(following.start_s - last.end_s, 1), count

    return max(range(half, len(words)), key=worth, default=len(words))


def down(seconds: float) -> float:
    """Rounds down to milliseconds, so that no time is after the end of the audio."""
    return floor(seconds * 1000 + 1e-6) / 1000
