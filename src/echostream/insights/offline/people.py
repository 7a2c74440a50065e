"""Who a clause is about, in text that may have neither capitals nor punctuation.

To read "finish the report sarah will call", one must know that `sarah` is a person and `report` is
not. Capitals show it if there are any; otherwise common first names, words for roles and the
position in the clause decide.
"""

import re

from echostream.insights.offline.lexicon import FIRST_NAMES, NOT_NAMES

_ROLE = (
    "team|department|group|committee|board|council|panel|crew|squad|staff|manager|managers|"
    "director|engineer|engineers|developer|developers|designer|designers|lawyer|lawyers|client|"
    "customer|supplier|vendor|contractor|accountant|analyst|assistant|administrator|architect|"
    "chair|chairman|chairwoman|president|secretary|treasurer|lead|leader|owner|supervisor|"
    "intern|recruiter|consultant|doctor|nurse|teacher|editor|writer|tester|testers|agency|"
    "company|partner|partners|boss|office|colleague|colleagues|people"
)
_GROUP = re.compile(
    rf"\b(?P<group>(?:(?:the|our|my|your|their|his|her) (?:[\w'-]+ ){{0,2}})(?:{_ROLE}))$", re.I
)
_PRONOUN = re.compile(r"\b(?:i|we|you|they|he|she|all of us|one of us)$", re.I)
_ANYONE = re.compile(r"\b(?:everyone|everybody|someone|somebody|each of us)$", re.I)
_NAME = r"[^\W\d_][\w'-]*"
_WITH_ME = re.compile(rf"\b(?P<name>{_NAME}) and i$", re.I)
_PAIR = re.compile(rf"\b(?P<first>{_NAME}) and (?P<second>{_NAME})$", re.I)


def is_first_name(word: str) -> bool:
    """Whether `word`, in any case, is a common first name."""
    return word.lower() in FIRST_NAMES


def subject_of(left: str) -> tuple[bool, str | None]:
    """The subject right before a verb: (whether it can act, its name if it has one).

    `left` is the clause up to the verb. Pronouns act but name nobody: the clause does not
    show who "I" is.
    """
    left = left.strip(" ,")
    if match := _WITH_ME.search(left):
        return True, match["name"] if is_named(match["name"]) else None
    if _PRONOUN.search(left):
        return True, None
    if match := _ANYONE.search(left):
        return True, match[0].lower() if match[0].lower().startswith("every") else None
    if match := _GROUP.search(left):
        return True, match["group"]
    name = _pair(left) or _single(left)
    return name is not None, name


def cased(owner: str | None) -> str | None:
    """`owner` capitalised like a name if the engine writes no capitals; groups stay unchanged."""
    if owner is None or owner in {"everyone", "everybody"} or _GROUP.search(owner):
        return owner
    return " ".join(w if w == "and" or not w.islower() else w.capitalize() for w in owner.split())


def _pair(left: str) -> str | None:
    match = _PAIR.search(left)
    if match and _is_name(match["first"], left, match.start()) and is_named(match["second"]):
        return match[0]
    return None


def _single(left: str) -> str | None:
    match = re.search(rf"{_NAME}$", left)
    if match is None or not _is_name(match[0], left, match.start()):
        return None
    before = re.search(r"\b([A-Z][\w'-]+) $", left[: match.start()])
    if before and match[0][0].isupper() and is_named(before[1]):
        return f"{before[1]} {match[0]}"
    return match[0]


def is_named(word: str) -> bool:
    """Whether `word` looks like a name, whatever its position."""
    if word.lower() in NOT_NAMES:
        return False
    return is_first_name(word) or (word[:1].isupper() and not word.isupper())


def _is_name(word: str, left: str, start: int) -> bool:
    """Whether `word` at `start` of `left` is a name. A word that opens a clause may be one."""
    if is_first_name(word):
        return True
    if word.lower() in NOT_NAMES:
        return False
    opens = not re.search(r"\w", left[:start]) or re.search(
        r"(?:^|[,;] |\b)(?:and|but|so|then|okay|also|well|now) $", left[:start], re.I
    )
    if opens:
        # Plurals at the start are things or groups: "sales will", "customers must".
        return not word.lower().endswith("s") or word.lower() in FIRST_NAMES
    return word[:1].isupper() and not word.isupper()
