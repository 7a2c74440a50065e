"""The words that the models of action items, decisions and questions may know.

They were trained on meetings about one product, and must not learn that product. Only words that
people use in any meeting are kept as they are; names, dates, numbers and roles become classes, and
everything else becomes a blank with the ending of the word.
"""

import re
from functools import lru_cache

from echostream.insights.offline.lexicon import FIRST_NAMES, word_set

_TOKEN = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?|\d+")

FILLERS = word_set("um uh uhm umm er erm ah oh hmm hm mm mhm mmm huh eh")
"""Sounds that carry nothing."""

_SPELLED_OUT = {
    "gonna": ("going", "to"), "wanna": ("want", "to"), "gotta": ("got", "to"),
    "hafta": ("have", "to"), "lemme": ("let", "me"), "lets": ("let", "us"), "let's": ("let", "us"),
    "can't": ("can", "not"), "cannot": ("can", "not"), "won't": ("will", "not"),
    "shan't": ("shall", "not"), "ok": ("okay",), "yep": ("yeah",), "yes": ("yeah",),
    "'cause": ("because",), "cause": ("because",), "cos": ("because",),
}  # fmt: skip
_CLITICS = {"ll": "will", "m": "am", "re": "are", "ve": "have", "d": "would", "s": "is"}

_KEPT = word_set(
    """
    a about above across actually after afternoon again agree agreed agreement all almost already
    also although always am an and another any anybody anyone anything anyway approve approved are
    around arrange as ask asked at away back basically be because become been before begin being
    best better between big bit book both bring but buy by call came can case certainly change
    check choose chose chosen clear clearly close come coming complete conclusion consider contact
    continue could create day days deadline decide decided decision definitely deliver did
    different discuss discussed do document does doing done down draft during each early either
    else email emails end enough even evening ever every everybody everyone everything exactly far
    feel few fill final finalise finalize finally find fine finish finished first fix follow for
    forget forward from full get getting give go goes going good got great group guess guys had
    happen happens has have having he hello help her here him his hold home hope hour hours how
    however i idea ideas if important in include information instead into is issue it item its job
    just keep kind know last late later lead least leave let like list little long look looked
    looking lot lunch made mail make makes making many matter may maybe me mean meet meeting
    meetings might mind minute minutes moment month months more morning most move much must my
    myself need needed needs never new next nice no nobody none not note notes nothing now of off
    offer often okay on once one only open or order organise organize other others otherwise our
    out over own paper part people perhaps place plan please point points possible post prepare
    prepared present presentation presentations presented probably problem problems process
    project promise promised propose proposed proposal provide put question questionnaire
    questions quick quickly quite rather read ready really reason remember remind repeat reply
    report reports research review right run said same save say saying schedule second see seem
    seems send sent set several shall share she should show shown sign since sit so some somebody
    someone something soon sort speak speaking start started stay still stop stuff such suggest
    suggested summarise summarize summary suppose supposed sure take taken taking talk talked
    talking task tasks tell test than thank thanks that the their them themselves then there these
    they thing things think this those though thought through time to together told too took
    towards try trying turn two under understand until up update upload us use used using very
    wait want wanted wants was way we week weeks well went were what whatever when where whether
    which while who whole why will wish with without work worked working works would write writing
    wrong yeah year years yet you your yours yourself yourselves
    """
)
_DATES = word_set(
    """
    monday tuesday wednesday thursday friday saturday sunday today tomorrow tonight weekend january
    february march april june july august september october november december noon midnight
    """
)
_NUMBERS = word_set(
    """
    three four five six seven eight nine ten eleven twelve thirteen fifteen twenty thirty forty
    fifty sixty seventy eighty ninety hundred thousand million half
    """
)
_ROLES = word_set(
    """
    team department committee board council panel staff manager managers director engineer
    engineers developer developers designer designers expert experts lawyer client customer
    supplier vendor accountant analyst assistant administrator architect chair chairman president
    secretary treasurer leader supervisor intern consultant doctor nurse teacher editor writer
    tester agency boss colleague colleagues marketing minister officer student students professor
    """
)
_ENDINGS = ("ing", "ed", "ly", "s")


def spoken_words(text: str) -> list[str]:
    """The lower-case words of `text`, contractions spelled out, fillers and stutters left out."""
    found: list[str] = []
    for token in _TOKEN.findall(text.replace("_", "").replace("\u2019", "'").lower()):
        for word in _spelled_out(token):
            if word not in FILLERS and (not found or found[-1] != word):
                found.append(word)
    return found


@lru_cache(maxsize=20_000)
def _spelled_out(token: str) -> tuple[str, ...]:
    if token in _SPELLED_OUT:
        return _SPELLED_OUT[token]
    if token.endswith("n't"):
        return (token[:-3], "not")
    stem, apostrophe, clitic = token.partition("'")
    if apostrophe and clitic in _CLITICS:
        return (stem, _CLITICS[clitic])
    return (stem,) if apostrophe else (token,)


@lru_cache(maxsize=20_000)
def class_of(word: str) -> str:
    """`word` itself if any meeting may use it, else the class it belongs to."""
    if word in _KEPT:
        return word
    if word in _DATES:
        return "<date>"
    if word in FIRST_NAMES:
        return "<name>"
    if word in _ROLES:
        return "<role>"
    if word in _NUMBERS or word.isdigit():
        return "<number>"
    ending = next((end for end in _ENDINGS if word.endswith(end) and len(word) > 4), "")
    return f"<{ending}>"
