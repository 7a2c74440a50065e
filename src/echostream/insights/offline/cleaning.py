"""Speech as one would write it down: without fillers, repetitions and false starts."""

import re

from echostream.insights.offline.vocabulary import FILLERS

_ANNOTATION = re.compile(r"[{\[]\w+[}\]]")
_FILLER = re.compile(rf"(?<![\w'-])(?:{'|'.join(sorted(FILLERS))})(?![\w'-])\s*[,.]?", re.I)
_PHRASE = re.compile(
    r"(?:^|(?<=[,.]))\s*(?:you know|i mean|sort of|kind of|let's see|i guess)\s*,"
    r"|(?<=[ ,])(?:you know|sort of|kind of)\s*,?(?=\s)",
    re.I,
)
_OPENING = re.compile(
    r"^(?:(?:and|so|but|well|okay|ok|yeah|yes|right|now|then|alright|anyway|oh|no|like|because)"
    r"\b\s*[,.!]?\s*)+(?=\S+\s+\S+\s+\S+)",
    re.I,
)
_AGAIN = re.compile(r"\b((?:[\w']+ ){0,3}[\w']+)(?:\s*,?\s+\1\b)+", re.I)
_STUTTER = re.compile(r"\b(?!a\b|i\b|d\b)([^\W\d_]{1,2}) (?=\1[^\W\d_])", re.I)
_LOOSE_MARK = re.compile(r"\s+([,.;:!?'\u2019])")
_MARKS = re.compile(r"([,;:])(?:\s*[,;:])+|[,;:]\s*([.!?])")


def cleaned(text: str) -> str:
    """`text` without what is only said while thinking. Its words stay in their order."""
    text = _ANNOTATION.sub(" ", text)
    text = _FILLER.sub(" ", text)
    text = " ".join(text.split())
    text = _PHRASE.sub(" ", text)
    text = _LOOSE_MARK.sub(r"\1", " ".join(text.split()))
    text = _STUTTER.sub("", text)
    text = _AGAIN.sub(r"\1", text)
    text = _MARKS.sub(r"\1\2", text).strip(" ,;:-")
    text = _OPENING.sub("", text)
    return " ".join(text.split()).strip(" ,;:-")
