"""The forms in which English promises, asks for and fixes things."""
import re
from collections.abc import Iterator
from echostream.insights.offline.commitments import _read_request,_read_handed,_read_acts,_read_passive,_DECIDED,_DUE,is_question
_ACT=re.compile(r"\b(i|we|you|he|she|they|it|<name>) (?:will|'ll|are going to|am going to|'re going to|'re gonna|should|must|need to|have to|can|could)\b",re.I)
def forms_of(text: str) -> Iterator[str]:
    text = text.replace("\u2019", "'").replace("'ll ", " will ")
    if is_question(text):
        yield "question"
    if _DUE.search(text):
        yield "due"
        d=True
    else: d=False
    if _DECIDED.search(text):
        yield "decided"
    for read in (_read_request, _read_handed, _read_acts, _read_passive):
        if (r := read(text)) is not None:
            yield read.__name__
            if r[1]:
                yield read.__name__+":named"
                yield "named"
            if d:
                yield read.__name__+":due"
            return
