"""Texts that nobody says, each of which may be repeated for ever."""

TEXTS = {
    "short words": "a ",
    "dots": ". ",
    "questions": "? ",
    "exclamations": "! ",
    "ellipses": "\u2026 ",
    "initials": "A. ",
    "titles": "Mr. ",
    "lower titles": "dr. dr. a ",
    "abbreviations": "U.S.A. ",
    "versions": "1.2.3 ",
    "one word": "a",
    "lines": "a\n",
    "empty lines": "\n \n.",
    "continuations": "and a! ",
    "was": "was a.\n",
    "brackets": "( ",
    "open brackets": "([{ a. ",
    "quotes": '" ',
    "quoted ends": '." a ',
    "dashes": "- ",
    "commas": "a, ",
    "marks": ",;: ",
    "apostrophes": "a'",
    "apostrophes and spaces": "a' a' ",
    "tasks": "We will do it by Friday. ",
    "tasks of one": "i will ",
    "tasks of many": "Sarah and David will, and the whole big team will ",
    "long words and clauses": "so " + "a" * 300 + " ",
    "openings": "so and but well okay ",
    "fillers": "um, uh, er. ",
    "you know": ", you know, ",
    "again": "the same again the same ",
    "asked": "could you could you please please ",
    "due": "by the end of the end of the ",
    "what about": "what about which what how ",
    "happy": "good happy great not bad ",
    "emojis": "\U0001f600 ",
    "emojis without spaces": "\U0001f600",
    "Chinese": "你好。",
    "Chinese without an end": "你好",
    "Arabic": "مرحبا؟ ",
    "combining": "e\u0301\u0301\u0301 ",
    "nothing to see": "\u200b\u200b ",
    "underscores": "_ __ ",
}


def long(name: str, chars: int) -> str:
    """The text repeated until it has so many characters."""
    text = TEXTS[name]
    return (text * (chars // len(text) + 1))[:chars]
