"""Writing systems without spaces between words, and how texts are joined."""

import re
from collections.abc import Iterable

_UNSPACED = re.compile(
    "["
    "\u0e00-\u0eff"  # Thai and Lao
    "\u0f00-\u0fff"  # Tibetan
    "\u1000-\u109f\uaa60-\uaa7f"  # Myanmar
    "\u1780-\u17ff"  # Khmer
    "\u2e80-\u303f"  # radicals, and the punctuation of Chinese and Japanese
    "\u3040-\u30ff\u31f0-\u31ff"  # kana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
    "\uff00-\uffef"  # full-width forms
    "]"
)


_SPACELESS = re.compile(
    "[\u2e80-\u303f\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff\uff00-\uffef]"
)


def is_unspaced(letter: str) -> bool:
    """Whether a letter or punctuation mark belongs to a script without spaces between words."""
    return bool(_UNSPACED.fullmatch(letter))


def space_between(before: str, after: str) -> bool:
    """Whether a space belongs between two texts: not if either side of the seam has a script
    without spaces, and not if one text is empty."""
    before, after = before.rstrip(), after.lstrip()
    if not before or not after:
        return False
    return not (is_unspaced(before[-1]) or is_unspaced(after[0]))


def joined_texts(texts: Iterable[str]) -> str:
    """Joins texts, such as the sentences of a summary, with a space where one belongs."""
    whole = ""
    for text in texts:
        whole += f"{' ' if space_between(whole, text) else ''}{text}"
    return whole


def needs_no_space(before: str, after: str) -> bool:
    """Whether a space that an engine wrote between two texts must be removed. Chinese and Japanese
    have no spaces at all; Thai and its neighbours have them between sentences."""
    return bool(_SPACELESS.match(before[-1:]) and _SPACELESS.match(after[:1]))
