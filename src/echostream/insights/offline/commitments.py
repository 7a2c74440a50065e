"""The phrases that English has for tasks, decisions and questions."""

import re
from dataclasses import dataclass

from echostream.insights.offline.due_phrases import is_for_later
from echostream.insights.offline.lexicon import STATES, STEERING, word_set
from echostream.insights.offline.people import cased, is_named, subject_of
from echostream.insights.offline.sentences import TERMINAL

_SOON = r"(?:also |then |now |just |probably |definitely |please |still |each )*"
_MODAL = (
    r"(?:will|shall|must|should|ought to|needs? to|ha(?:s|ve) (?:got )?to|agreed to|promised to|"
    r"volunteered to|offered to|(?:is|are|am|'s|'re|'m) (?:going to|supposed to|to)|gonna|"
    r"plans? to)"
)
_ACTS = re.compile(
    rf"(?P<left>^|^.*?[\w,] ?)(?<!\w)(?P<modal>{_MODAL}) {_SOON}(?P<verb>[^\W\d_]+)(?P<rest>.*)$",
    re.I,
)
_ASKED = re.compile(
    rf"^(?P<left>.*?)\b(?:can|could|would|will) you {_SOON}(?P<verb>[^\W\d_]+)(?P<rest>.*)$", re.I
)
_PLEASE = re.compile(r"^(?P<left>.*?)\bplease (?P<verb>[^\W\d_]+)(?P<rest>.*)$", re.I)
_LETS = re.compile(r"\b(?:let's|lets|let us) (?P<verb>[^\W\d_]+)(?P<rest>.*)$", re.I)
_REMIND = re.compile(
    r"\b(?:remember to|do not forget to|don't forget to|make sure to) (?P<verb>\w+)(?P<rest>.*)$",
    re.I,
)
_HANDED = re.compile(
    r"(?:\b(?:i|we|you|they|please) )?\b"
    r"(?:ask|asked|remind|tell|told|want|wants|need|would like|get) "
    r"(?P<owner>(?:the [\w'-]+(?: team)?|[^\W\d_][\w'-]*)) to (?P<verb>[^\W\d_]+)(?P<rest>.*)$",
    re.I,
)
_LISTED = re.compile(
    r"\baction items? (?:for (?P<owner>[^\W\d_][\w'-]*) ?)?(?:is |are |: ?)?(?:to )?"
    r"(?P<verb>[^\W\d_]+)(?P<rest>.*)$",
    re.I,
)
_PASSIVE = re.compile(
    rf"\b(?:must|should|needs? to|ha(?:s|ve) to) (?:also )?be {_SOON}"
    r"(?:\w+ed|done|sent|made|written|ready|built|paid|bought|chosen|taken|given|put|set|cut|sold|"
    r"found|told|held|kept|run|read)\b",
    re.I,
)

_PROMISE = re.compile(
    rf"\bi(?:'m going to| am going to| will| shall| promise to) {_SOON}(?:\w+ly )*"
    r"(?P<verb>[^\W\d_]+)\b",
    re.I,
)
_SPEAKS = word_set("come continue discuss explain show speak talk")
"""What lecturers promise to do next week."""

_GROUP = (
    r"(?:we|they|everyone|everybody|all|(?:the|our) (?:[\w'-]+ ){0,2}(?:team|board|group|committee|"
    r"company|management|client|council|panel|director|manager))"
)
_DECIDED = re.compile(
    rf"\b(?:{_GROUP}(?: have| has| had|'ve| all| also| just| finally| then| now| unanimously)* "
    r"(?:agreed?|decided|approved|chose|chosen|settled on|voted|resolved|signed off|opted|"
    r"concluded|rejected|selected|committed|decide (?:for|against))|"
    r"it (?:was|is|has been) (?:agreed|decided|approved|resolved)|"
    r"(?:the|our|a|final|that) decision (?:is|was|has been)|"
    r"(?:let's|let us|we will|we'll|we are going to) (?:go|stick) with)\b",
    re.I,
)
_AUX = (
    "(?:is|are|was|were|do|does|did|will|would|can|could|should|shall|has|have|had|isn't|aren't|"
    "don't|doesn't|didn't|won't|can't)"
)
_ASKS = re.compile(
    rf"^(?:so |and |but |okay |ok |well |now |then )*(?:(?:when|where|why|who) {_AUX}\b|"
    rf"(?:what|which|how|whose)(?: (?!(?:we|i|you|they|it|he|she|the|a)\b)[\w'-]+){{0,3}}? {_AUX}\b"
    rf"|(?:what|how) about\b|{_AUX} (?:we|you|they|i|he|she|it|there|the|this|that|these|those|"
    r"any|anyone|anybody|someone|everyone|our|your)\b)",
    re.I,
)
QUESTION_MARKS = ("?", "\uff1f", "\u061f")


@dataclass(frozen=True, slots=True)
class Reading:
    """How a sentence gives somebody a task: where its clause starts, and who is named."""

    form: str
    start: int
    owner: str | None


def plainly(text: str) -> str:
    """`text` with the marks and contractions that the patterns know."""
    return text.replace("\u2019", "'").replace("'ll ", " will ")


def reading_of(text: str) -> Reading | None:
    """The task in one sentence, as `plainly` gives it, or None."""
    for form, read in _FORMS.items():
        if (read_as := read(text)) is not None:
            start, owner = read_as
            return Reading(form, start, cased(owner))
    return None


def promises(text: str) -> bool:
    """Whether it says in so many words that who speaks will do something by a later day."""
    if is_question(text) or not is_for_later(text):
        return False
    verbs = (each["verb"].lower() for each in _PROMISE.finditer(text))
    return any(verb not in STATES | _SPEAKS for verb in verbs)


def decides(text: str) -> bool:
    """Whether it says in so many words that something was decided."""
    return _DECIDED.search(text) is not None and not is_question(text)


def is_question(text: str) -> bool:
    """Judged by the question mark if there is punctuation, else by how the text starts."""
    if text.endswith(QUESTION_MARKS):
        return True
    return not text.endswith((".", "!")) and _ASKS.match(text) is not None


def as_sentence(text: str) -> str:
    """`text` with a capital letter at its start and punctuation at its end."""
    text = text.strip()
    if not text:
        return ""
    ended = text.endswith(TERMINAL)
    return text[0].upper() + text[1:] + ("" if ended else "?" if is_question(text) else ".")


def _read_request(text: str) -> tuple[int, str | None] | None:
    """ "sarah can you send …", "please send …", "let's send …", "don't forget to send …"."""
    for pattern in (_ASKED, _PLEASE):
        if (match := pattern.search(text)) and match["verb"].lower() not in STATES:
            start = match.end("left")
            called = re.search(r"([^\W\d_][\w'-]*),? ?$", match["left"])
            if called and is_named(called[1]):
                return called.start(), called[1]
            return start, None
    match = _LETS.search(text)
    if match and match["verb"].lower() not in STEERING and match["rest"].strip(" ."):
        return match.start(), None
    match = _REMIND.search(text)
    return (match.start(), None) if match else None


def _read_handed(text: str) -> tuple[int, str | None] | None:
    """ "ask sarah to send …", "we need david to send …", "action item for maria …"."""
    if is_question(text):
        return None
    if match := _HANDED.search(text):
        owner = match["owner"]
        if (owner.lower().startswith("the ") or is_named(owner)) and subject_of(owner)[0]:
            return match.start(), owner
    if (match := _LISTED.search(text)) and match["verb"].lower() not in STATES:
        owner = match["owner"]
        return match.start(), owner if owner and is_named(owner) else None
    return None


def _read_acts(text: str) -> tuple[int, str | None] | None:
    """ "sarah will send …", "the design team needs to send …", "we should send …"."""
    if is_question(text):
        return None
    match = _ACTS.search(text)
    if match is None or match["verb"].lower() in STATES:
        return None
    acts, owner = subject_of(match["left"])
    if not acts or (owner is None and match["modal"].lower().endswith("agreed to")):
        return None
    if owner is not None:
        return match["left"].rfind(owner), owner
    return _start_of_pronoun(match["left"]), None


def _read_passive(text: str) -> tuple[int, str | None] | None:
    """ "the report must be sent …": without saying by whom."""
    if is_question(text) or not _PASSIVE.search(text):
        return None
    return 0, None


def _start_of_pronoun(left: str) -> int:
    match = re.search(r"[\w']+\W*$", left)
    return match.start() if match else 0


_FORMS = {
    "request": _read_request,
    "handed": _read_handed,
    "acts": _read_acts,
    "passive": _read_passive,
}
