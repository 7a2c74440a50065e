"""Subtitle cues from the times of words: short enough to be read, and where the words are said.

A segment is what somebody says; a cue is what fits on a screen for some seconds. Pure.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from echostream.domain import Segment, Word
from echostream.scripts import is_unspaced

_MAX_LINES = 2
_PAUSE_S = 1.0
"""Words further apart are never in one cue."""
_LEAST_S = 1.0
_CHARS_PER_S = 20
_SENTENCE = (".", "!", "?", "…", "。", "！", "？", "؟", "۔", "।")
_CLAUSE = (",", ";", ":", "，", "、", "；", "：", "،", "؛", "–", "—")
_CLOSING = "\"'”’»›)]}」』）》】"
# Lines begin with these rather than end before them.
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
# What may not begin a line in Japanese (JIS X 4051).
_NEVER_FIRST = frozenset(
    "ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶー々、。，．！？」』）】…・：；"
)


@dataclass(frozen=True, slots=True)
class CueOptions:
    """Columns of a line, of which there are two at most, and seconds of a cue. A letter of Chinese
    or Japanese takes two columns."""

    max_line_chars: int = 42
    max_cue_s: float = 7.0


@dataclass(frozen=True, slots=True)
class Cue:
    start_s: float
    end_s: float
    lines: tuple[str, ...]
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class _Piece:
    """What no line break may part."""

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
    """Cues in order of time, none over another. `with_names` puts a speaker's name before what they
    say, where the speaker changes."""
    found: list[Cue] = []
    for speaker, turn in groupby(segments, key=lambda one: one.speaker):
        pieces = [piece for segment in turn for piece in _pieces(segment, options)]
        if with_names and speaker and pieces:
            first = pieces[0]
            name = _Piece(f"{speaker}:", first.start_s, first.start_s, True)
            pieces = [name, _Piece(first.text, first.start_s, first.end_s, True), *pieces[1:]]
        for passage in _between_pauses(pieces):
            found += _cues_of(passage, speaker, options)
    return list(_in_time(found, duration_s))


def _pieces(segment: Segment, options: CueOptions) -> Iterator[_Piece]:
    words = segment.words if _says_its_words(segment) else tuple(_spread(segment))
    held: _Piece | None = None
    for number, word in enumerate(words):
        text = " ".join(word.text.split())
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
    """Whether the text is that of the words, and not one that somebody has edited."""
    said = "".join(word.text for word in segment.words)
    return bool(said) and "".join(said.split()) == "".join(_said_in(segment).split())


def _said_in(segment: Segment) -> str:
    """The text without the name of who says it, which some write before it."""
    return segment.text.strip().removeprefix(f"{segment.speaker}: ")


def _spread(segment: Segment) -> Iterator[Word]:
    """Words of a segment whose engine timed none, or whose text was edited: each has a share of the
    segment's time by its letters."""
    parts = list(_parts(_said_in(segment)))
    total = sum(len(part) for part, _spaced in parts) or 1
    length_s = segment.end_s - segment.start_s
    said = 0
    for part, spaced in parts:
        start_s = segment.start_s + length_s * said / total
        said += len(part)
        yield Word(start_s, segment.start_s + length_s * said / total, part, space_before=spaced)


def _parts(text: str) -> Iterator[tuple[str, bool]]:
    """The words of a text; of scripts without spaces, its letters."""
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
    """The cheapest way to cut a passage, found from its end backwards."""
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
        lines = _lines(said, options.max_line_chars) or (_text(said),)
        found.append(Cue(said[0].start_s, said[-1].end_s, lines, speaker))
        start = end
    return found


def _cost(pieces: list[_Piece], start: int, end: int, options: CueOptions) -> float | None:
    """How far pieces are from a good cue; None where they do not fit in one."""
    said = pieces[start:end]
    length_s = said[-1].end_s - said[0].start_s
    if length_s > options.max_cue_s or _lines(said, options.max_line_chars) is None:
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


def _lines(pieces: list[_Piece], widest: int) -> tuple[str, ...] | None:
    """The pieces on one line or two, as even as their clauses allow; None where they do not fit. A
    single piece always does."""
    whole = _text(pieces)
    if columns(whole) <= widest or len(pieces) == 1:
        return (whole,)
    choices = []
    for place in range(1, len(pieces)):
        first, second = _text(pieces[:place]), _text(pieces[place:])
        widths = columns(first), columns(second)
        if max(widths) <= widest:
            uneven = abs(widths[0] - widths[1]) / widest
            broken = _cost_of_break(pieces[place - 1], pieces[place]) / 4
            choices.append((uneven + broken, (first, second)))
    return min(choices)[1] if choices else None


def _text(pieces: list[_Piece]) -> str:
    return "".join(
        f"{' ' if piece.space_before and number else ''}{piece.text}"
        for number, piece in enumerate(pieces)
    )


def columns(text: str) -> int:
    """Columns of a text on a screen: two for a wide letter, none for a mark on another one."""
    return sum(
        0
        if unicodedata.combining(letter)
        else 2
        if unicodedata.east_asian_width(letter) in "WF"
        else 1
        for letter in text
    )


def _in_time(found: list[Cue], duration_s: float) -> Iterator[Cue]:
    """Each cue for as long as it takes to read, where nothing else is said meanwhile."""
    in_order = sorted(found, key=lambda cue: cue.start_s)
    ended_s = 0.0
    for number, cue in enumerate(in_order):
        following = in_order[number + 1].start_s if number + 1 < len(in_order) else duration_s
        start_s = max(cue.start_s, ended_s)
        reading_s = max(_LEAST_S, sum(len(line) for line in cue.lines) / _CHARS_PER_S)
        end_s = min(max(cue.end_s, start_s + reading_s), max(following, start_s), duration_s)
        ended_s = end_s = max(end_s, min(start_s + 0.001, duration_s))
        yield Cue(start_s, end_s, cue.lines, cue.speaker)
