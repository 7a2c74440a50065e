"""Loops of the decoder, found in its tokens before their times are known. Pure."""

from collections.abc import Callable, Sequence

_LEAST_REPEATED = 12
"""Tokens. Shorter repetitions are also spoken: "no, no, no, no"."""
_COPIES = 3
_LONGEST_UNIT = 60


def before_loop(ids: list[int], is_mark: Callable[[int], bool]) -> list[int]:
    """Returns the tokens up to the end of the first copy if they end in copies of the same tokens,
    the last of which may be incomplete; else all of them. A punctuation mark after the copy stays
    with it."""
    for unit in range(1, min(_LONGEST_UNIT, len(ids) // 2) + 1):
        repeated = _repeated(ids, unit)
        if repeated >= max(_LEAST_REPEATED, (_COPIES - 1) * unit):
            end = len(ids) - repeated
            return ids[: end + is_mark(ids[end])]
    return ids


def _repeated(ids: Sequence[int], unit: int) -> int:
    """How many tokens at the end equal those one unit before."""
    count = 0
    while count < len(ids) - unit and ids[-1 - count] == ids[-1 - count - unit]:
        count += 1
    return count
