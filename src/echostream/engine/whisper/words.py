"""Turns Whisper's tokens into words, with their times and the spaces between them.

Whisper puts a space at the start of the token after it. Languages use spaces differently, even
within one text (`est-ce`, `70 %`, Latin names in Japanese), so the tokens decide and never the
language.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from echostream.scripts import is_unspaced, needs_no_space

_OPENING = frozenset("\"'“‘„‚«‹¿¡([{<「『（《〈【〔#$€£¥@~+")
_ALWAYS_OPENING = frozenset("“‘„‚«‹¿¡([{「『（《〈【〔")
_DASH = re.compile(r"[-–—]+")


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of text made of whole characters, with its token ids. Times are in seconds from the
    start of the window."""

    text: str
    ids: tuple[int, ...]
    start_s: float
    end_s: float
    probability: float


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """A word from the decoder. `text` is stripped; times are in seconds."""

    text: str
    space_before: bool
    start_s: float
    end_s: float
    probability: float
    tokens: tuple[int, ...]

    def moved(self, start_s: float, end_s: float) -> "SpokenWord":
        return replace(self, start_s=start_s, end_s=end_s)


def words_of(tokens: Sequence[Token]) -> list[SpokenWord]:
    """Joins tokens into words. Joined by their `space_before`, they give the tokens' text."""
    groups: list[_Group] = []
    opening: list[Token] = []
    for token in tokens:
        if _opens(token, is_first=not groups):
            opening.append(token)
        elif not opening and groups and not groups[-1].is_ended_by(token):
            groups[-1].tokens.append(token)
        else:
            groups.append(_Group([*opening, token]))
            opening = []
    if opening:  # no word follows it
        if groups:
            groups[-1].tokens += opening
        else:
            groups.append(_Group(opening))
    words: list[SpokenWord] = []
    had_space = False
    for group in groups:
        word = group.word(had_space=had_space)
        had_space = group.text[-1:].isspace()
        if word.text:
            if words and needs_no_space(words[-1].text, word.text):
                word = replace(word, space_before=False)
            words.append(word)
    return words


def _opens(token: Token, *, is_first: bool) -> bool:
    """Returns True for punctuation that belongs to the word after it."""
    text = token.text.strip()
    if not text or _is_said(text):
        return False
    if set(text) <= _ALWAYS_OPENING:
        return True
    stands_off = token.text[0].isspace() or is_first
    return stands_off and (set(text) <= _OPENING or (is_first and bool(_DASH.fullmatch(text))))


@dataclass(slots=True)
class _Group:
    """The tokens of one word, in order."""

    tokens: list[Token]

    @property
    def text(self) -> str:
        return "".join(token.text for token in self.tokens)

    def is_ended_by(self, token: Token) -> bool:
        text = token.text.strip()
        if not text or not _is_said(text):
            return False  # white space and punctuation stay with the word before them
        if token.text[0].isspace() or self.tokens[-1].text[-1].isspace():
            return True
        return is_unspaced(text[0]) or is_unspaced(self.tokens[-1].text[-1])

    def word(self, *, had_space: bool) -> SpokenWord:
        text = self.text
        said = [token for token in self.tokens if _is_said(token.text)] or self.tokens
        return SpokenWord(
            text=text.strip(),
            space_before=had_space or text[:1].isspace(),
            start_s=said[0].start_s,
            end_s=said[-1].end_s,
            probability=sum(token.probability for token in said) / len(said),
            tokens=tuple(number for token in self.tokens for number in token.ids),
        )


def _is_said(text: str) -> bool:
    """Returns True for letters, digits and signs of any script, False for punctuation."""
    return any(letter.isalnum() for letter in text)
