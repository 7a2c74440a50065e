"""Whether the transcript supports a statement that a model made about it."""

import re
import unicodedata
from collections.abc import Iterable, Sequence

from echostream.insights.prompt import Line

_TOKEN = re.compile(r"\w+")
_NEAR = 2
"""How many segments away from its evidence a due time may be said: "by when?" "Friday"."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SMALL = _words(
    """
    a an and are as at be before by due end for from her his i in is it its me my next of on or our
    she that the their them they this to until us was we will with you your he him
    """
)
"""Words that carry no content of a statement or a due time."""

_NOBODY = _words(
    """
    i me we us you he she they him her them it someone somebody anyone nobody none null unknown
    unassigned unspecified tbd
    """
)
"""Owners that name nobody."""


def fold(text: str) -> str:
    """`text` without differences of letter case, width and composed accents."""
    return unicodedata.normalize("NFKC", text).casefold()


def tokens_of(text: str) -> list[str]:
    """The folded words of `text`, in order."""
    return _TOKEN.findall(fold(text))


class Evidence:
    """The lines that a model was shown, indexed to check its answer against them."""

    def __init__(self, lines: Sequence[Line]) -> None:
        joined: dict[int, list[str]] = {}
        for line in lines:
            joined.setdefault(line.segment_id, []).append(line.text)
        self._order = list(joined)
        self._place = {segment_id: place for place, segment_id in enumerate(self._order)}
        self._text = {segment_id: fold(" ".join(texts)) for segment_id, texts in joined.items()}
        self._tokens = {segment_id: set(_TOKEN.findall(t)) for segment_id, t in self._text.items()}
        self._all_tokens = set().union(*self._tokens.values())

    def behind(self, statement: str, claimed: Iterable[int]) -> tuple[int, ...]:
        """The ids of the segments that support `statement`, in order of time; empty if none does.

        Claimed ids count if they exist. If none was claimed, the segment that shares the most
        content words counts, provided it has at least half of them: small models make correct
        statements but forget the ids.
        """
        claimed = list(claimed)
        if not claimed:
            return self._closest(statement)
        known = {segment_id for segment_id in claimed if segment_id in self._place}
        return tuple(sorted(known, key=self._place.__getitem__))

    def names(self, owner: str | None) -> bool:
        """Whether the transcript names `owner`; a pronoun names nobody."""
        if owner is None or fold(owner) in _NOBODY:
            return False
        return _said(owner, self._all_tokens, self._text.values())

    def says_near(self, phrase: str | None, ids: Sequence[int]) -> bool:
        """Whether `phrase` is said in the segments `ids` or close to them."""
        if phrase is None:
            return False
        near = {
            self._order[place]
            for segment_id in ids
            for place in range(self._place[segment_id] - _NEAR, self._place[segment_id] + _NEAR + 1)
            if 0 <= place < len(self._order)
        }
        tokens = set().union(*(self._tokens[segment_id] for segment_id in near))
        return _said(phrase, tokens, (self._text[segment_id] for segment_id in near))

    def _closest(self, statement: str) -> tuple[int, ...]:
        content = set(tokens_of(statement)) - _SMALL
        if not content:
            return ()
        best = max(self._order, key=lambda each: len(content & self._tokens[each]), default=None)
        if best is None or 2 * len(content & self._tokens[best]) < len(content):
            return ()
        return (best,)


def _said(phrase: str, tokens: set[str], texts: Iterable[str]) -> bool:
    """Whether all content words of `phrase` are among `tokens`.

    Scripts without spaces have no words to compare, so there the phrase itself is looked for.
    """
    words = set(tokens_of(phrase))
    wanted = (words - _SMALL) or words
    if wanted and wanted <= tokens:
        return True
    folded = fold(phrase).strip()
    return bool(folded) and not folded.isascii() and any(folded in text for text in texts)
