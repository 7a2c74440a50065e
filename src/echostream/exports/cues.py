"""Subtitle cues from word times: short enough to read, and shown while the words are spoken.

A segment is a passage of speech; a cue is what fits on the screen for some seconds.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from echostream.domain import Segment, Word
from echostream.exports.escaping import one_line
from echostream.scripts import is_unspaced

_PAUSE_S = 1.0
"""Words that are further apart are never in one cue."""
_LEAST_S = 1.0
_CHARS_PER_S = 20
_SENTENCE = (".", "!", "?", "…", "。", "！", "？", "؟", "۔", "।")
_CLAUSE = (",", ";", ":", "，", "、", "；", "：", "،", "؛", "–", "—")
_CLOSING = "\"'”’»›)]}」』）》】"
# Lines may well start with these words.
_LINKS = frozenset(
    [
        "and",
        "or",
        "but",
        "so",
        "because",
        "that",
        "which",
        "who",
        "when",
        "where",
        "while",
        "if",
        "then",
        "than",
        "to",
        "of",
        "in",
        "on",
        "at",
        "for",
        "with",
        "from",
        "by",
        "und",
        "oder",
        "aber",
        "dass",
        "weil",
        "et",
        "ou",
        "mais",
        "que",
        "qui",
        "y",
        "o",
        "pero",
        "que",
        "e",
        "ma",
        "che",
    ]
)
# Characters that may not start a line in Japanese (JIS X 4051).
_NEVER_FIRST = frozenset(
    "ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶー々、。，．！？」』）】…・：；"
)


@dataclass(frozen=True, slots=True)
class CueOptions:
    """The longest line in columns, the longest cue in seconds, and the most lines of a cue. A
    Chinese or Japanese letter takes two columns."""

    max_line_chars: int = 42
    max_cue_s: float = 7.0
    max_lines: int = 2


@dataclass(frozen=True, slots=True)
class Cue:
    start_s: float
    end_s: float
    lines: tuple[str, ...]
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class _Piece:
    """Text that no line break may split."""

    text: str
    start_s: float
    end_s: float
    space_before: bool


def cues(
    segments: Sequence[Segment],
    options: CueOptions = CueOptions(),
    *,
    duration_s: float = float("inf"),
    with_names: bool = False,
) -> list[Cue]:
    """Cues in order of time, without overlaps. With `with_names`, the speaker's name is put before
    the text whenever the speaker changes."""
    found: list[Cue] = []
    for speaker, turn in groupby(segments, key=lambda one: one.speaker):
        pieces = [piece for segment in turn for piece in _pieces(segment, options)]
        if with_names and speaker and pieces:
            first = pieces[0]
            name = _Piece(one_line(f"{speaker}:"), first.start_s, first.start_s, True)
            pieces = [name, _Piece(first.text, first.start_s, first.end_s, True), *pieces[1:]]
        for passage in _between_pauses(pieces):
            found += _cues_of(passage, speaker, options)
    return list(_in_time(found, duration_s))


def _pieces(segment: Segment, options: CueOptions) -> Iterator[_Piece]:
    words = segment.words if _says_its_words(segment) else tuple(_spread(segment))
    held: _Piece | None = None
    for number, word in enumerate(words):
        text = one_line(word.text)
        if not text:
            continue
        spaced = word.space_before if number else segment.space_before
        piece = _Piece(text, word.start_s, max(word.start_s, word.end_s), spaced)
        if held and not spaced and text[0] in _NEVER_FIRST:
            held = _Piece(held.text + text, held.start_s, piece.end_s, held.space_before)
            continue
        if held:
            yield held
        held = piece
    if held:
        yield held


def _says_its_words(segment: Segment) -> bool:
    """Whether the text consists of the words, and has not been edited."""
    said = "".join(word.text for word in segment.words)
    return bool(said) and "".join(said.split()) == "".join(segment.text.split())


def _spread(segment: Segment) -> Iterator[Word]:
    """Words of a segment without word times or with edited text. Each word gets a share of the
    segment's time according to its length."""
    parts = list(_parts(segment.text))
    total = sum(len(part) for part, _spaced in parts) or 1
    length_s = segment.end_s - segment.start_s
    said = 0
    for part, spaced in parts:
        start_s = segment.start_s + length_s * said / total
        said += len(part)
        yield Word(start_s, segment.start_s + length_s * said / total, part, space_before=spaced)


def _parts(text: str) -> Iterator[tuple[str, bool]]:
    """The words of a text, or its letters in scripts without spaces."""
    for word in text.split():
        spaced = True
        for unspaced, letters in groupby(word, key=is_unspaced):
            for part in letters if unspaced else ["".join(letters)]:
                yield part, spaced
                spaced = False


def _between_pauses(pieces: Iterable[_Piece]) -> Iterator[list[_Piece]]:
    passage: list[_Piece] = []
    for piece in pieces:
        if passage and piece.start_s - passage[-1].end_s > _PAUSE_S:
            yield passage
            passage = []
        passage.append(piece)
    if passage:
        yield passage


def _cues_of(pieces: list[_Piece], speaker: str | None, options: CueOptions) -> list[Cue]:
    """The cheapest way to cut a passage into cues, computed from its end backwards."""
    best: list[tuple[float, int]] = [(0.0, 0)] * (len(pieces) + 1)
    for start in range(len(pieces) - 1, -1, -1):
        choices = []
        for end in range(start + 1, len(pieces) + 1):
            cost = _cost(pieces, start, end, options)
            if cost is None and end > start + 1:
                break
            choices.append(((cost or 0.0) + best[end][0], end))
        best[start] = min(choices)
    found, start = [], 0
    while start < len(pieces):
        end = best[start][1]
        said = pieces[start:end]
        lines = _lines(said, options) or (_text(said),)
        found.append(Cue(said[0].start_s, said[-1].end_s, lines, speaker))
        start = end
    return found


def _cost(pieces: list[_Piece], start: int, end: int, options: CueOptions) -> float | None:
    """How far the pieces are from a good cue; None if they do not fit into one."""
    said = pieces[start:end]
    length_s = said[-1].end_s - said[0].start_s
    if length_s > options.max_cue_s or _lines(said, options) is None:
        return None
    cost = 1.0
    if end < len(pieces):
        cost += _cost_of_break(said[-1], pieces[end])
        shown_s = pieces[end].start_s - said[0].start_s
        cost += 2.0 * max(0.0, _LEAST_S - shown_s)
        cost += 0.1 * max(0.0, len(_text(said)) / max(shown_s, 0.1) - _CHARS_PER_S)
    if len(said) == 1 and len(pieces) > 1:
        cost += 1.0
    return cost


def _cost_of_break(before: _Piece, after: _Piece) -> float:
    text = before.text.rstrip(_CLOSING)
    if text.endswith(_SENTENCE):
        return 0.0
    if text.endswith(_CLAUSE):
        return 0.7
    return 1.5 if after.text.casefold() in _LINKS else 2.2


def _lines(pieces: list[_Piece], options: CueOptions) -> tuple[str, ...] | None:
    """The pieces on as few lines as they need; None if they do not fit. A single piece always
    fits."""
    widest = options.max_line_chars
    if len(pieces) == 1:
        return (_text(pieces),)
    if columns(_text(pieces)) > _room(widest, options.max_lines):
        return None
    tries = (_split(pieces, widest, count) for count in range(1, options.max_lines + 1))
    return next((found for found in tries if found), None)


def _split(pieces: list[_Piece], widest: int, count: int) -> tuple[str, ...] | None:
    """The pieces on `count` lines, as even as their clauses allow; None if they do not fit."""
    if count == 1:
        whole = _text(pieces)
        return (whole,) if columns(whole) <= widest else None
    choices = []
    for place in range(1, len(pieces)):
        width, left = columns(_text(pieces[:place])), columns(_text(pieces[place:]))
        if width <= widest and left <= _room(widest, count - 1):
            uneven = abs(width * (count - 1) - left) / widest
            choices.append((uneven + _cost_of_break(pieces[place - 1], pieces[place]) / 4, place))
    for _cost_here, place in sorted(choices):
        if rest := _split(pieces[place:], widest, count - 1):
            return (_text(pieces[:place]), *rest)
    return None


def _room(widest: int, lines: int) -> int:
    """The most columns of a text that may fit: each line break takes the place of a space."""
    return widest * lines + lines - 1


def _text(pieces: list[_Piece]) -> str:
    return "".join(
        f"{' ' if piece.space_before and number else ''}{piece.text}"
        for number, piece in enumerate(pieces)
    )


def columns(text: str) -> int:
    """Columns of a text on a screen: two for a wide letter, none for a combining mark."""
    return sum(
        0
        if unicodedata.combining(letter)
        else 2
        if unicodedata.east_asian_width(letter) in "WF"
        else 1
        for letter in text
    )


def _in_time(found: list[Cue], duration_s: float) -> Iterator[Cue]:
    """Shows each cue long enough to be read, unless the next one starts earlier."""
    in_order = sorted(found, key=lambda cue: cue.start_s)
    ended_s = 0.0
    for number, cue in enumerate(in_order):
        following = in_order[number + 1].start_s if number + 1 < len(in_order) else duration_s
        start_s = max(cue.start_s, ended_s)
        reading_s = max(_LEAST_S, sum(len(line) for line in cue.lines) / _CHARS_PER_S)
        end_s = min(max(cue.end_s, start_s + reading_s), max(following, start_s), duration_s)
        ended_s = end_s = max(end_s, min(start_s + 0.001, duration_s))
        yield Cue(start_s, end_s, cue.lines, cue.speaker)
