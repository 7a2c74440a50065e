"""The controls that say what insights look for, and in which language they are written."""

from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from echostream_ui.library.values import Json
from echostream_ui.recording.insights_again import Wanted
from echostream_ui.services import services
from echostream_ui.words.languages import NAMES

_OWN = "own"
_MOST_SECTIONS = 12
_LONGEST_TITLE = 100
_LONGEST_INSTRUCTIONS = 500


def ask(left: DeltaGenerator, right: DeltaGenerator, before: Wanted, *, key: str) -> Wanted:
    """Shows the controls in two columns, and below them the fields of a template of one's own.
    `before` is what is chosen at first."""
    offered = {str(each["name"]): each for each in services().templates.offered}
    options = [*offered, _OWN]
    first = _first(before.template, offered)
    chosen = left.selectbox(
        "Template",
        options,
        index=options.index(first) if first else None,
        format_func=lambda name: "Your own" if name == _OWN else offered[name]["title"],
        placeholder=_default(offered),
        key=f"{key}-template",
        persist_state="session",
        help="What the insights look for. Sections of a template need a language model.",
    )
    languages = sorted(NAMES, key=NAMES.__getitem__)
    language = right.selectbox(
        "Language of the insights",
        languages,
        index=languages.index(before.language) if before.language in NAMES else None,
        format_func=NAMES.__getitem__,
        placeholder="As spoken",
        key=f"{key}-language",
        persist_state="session",
    )
    if chosen == _OWN:
        return Wanted(_own(before.template if first == _OWN else None, key), language)
    # While the API is away nobody knows what it offers: then it stays as it was set.
    unknown = None if offered else st.session_state.get(f"{key}-unknown")
    return Wanted(offered.get(chosen or "") or unknown, language)


def put(key: str, before: Wanted) -> None:
    """Sets the controls to what was wanted before. Call it before `ask`, which then is given no
    other `before`."""
    state = st.session_state
    offered = {str(each["name"]): each for each in services().templates.offered}
    first = _first(before.template, offered)
    state[f"{key}-template"] = first
    state[f"{key}-unknown"] = before.template if first is None else None
    state[f"{key}-language"] = before.language if before.language in NAMES else None
    own = (before.template or {}) if first == _OWN else {}
    state[f"{key}-name"] = own.get("name", "")
    state[f"{key}-instructions"] = own.get("instructions", "")
    state[f"{key}-sections"] = sections_text(own)


def _first(template: Json | None, offered: dict[str, Json]) -> str | None:
    """What is chosen at first. The API's templates have a title, one's own has none."""
    if template is None:
        return None
    if "title" not in template:
        return _OWN
    return template["name"] if template["name"] in offered else None


def titles() -> dict[str, str]:
    """The titles of the API's templates, by name."""
    return {str(each["name"]): str(each["title"]) for each in services().templates.offered}


def own_template(name: str, instructions: str, sections: str) -> Json:
    """Returns a template from what was typed; each line of `sections` is `Title: what to find`."""
    lines = [line.partition(":") for line in sections.splitlines() if line.strip(" :")]
    return {
        "name": name.strip() or "Your own",
        "instructions": instructions.strip(),
        "sections": [
            {
                "key": f"section_{number}",
                "title": (title.strip() or wanted.strip())[:_LONGEST_TITLE],
                "instructions": wanted.strip()[:_LONGEST_INSTRUCTIONS],
            }
            for number, (title, _, wanted) in enumerate(lines[:_MOST_SECTIONS], start=1)
        ],
    }


def sections_text(template: Json) -> str:
    """Returns the sections of a template as they are typed."""
    return "\n".join(
        f"{each['title']}: {each['instructions']}" if each.get("instructions") else each["title"]
        for each in template.get("sections", ())
    )


def _default(offered: dict[str, Json]) -> str:
    title = offered.get(services().templates.default, {}).get("title")
    return f"{title}, as the server is set" if title else "As the server is set"


def _own(before: Json | None, key: str) -> Json:
    """Shows the fields of one's own template."""
    before = before or {}
    keep: dict[str, Any] = {"persist_state": "session"}
    name = st.text_input(
        "Name", before.get("name", ""), max_chars=_LONGEST_TITLE, key=f"{key}-name", **keep
    )
    instructions = st.text_area(
        "What kind of recording it is",
        before.get("instructions", ""),
        max_chars=2000,
        height=80,
        key=f"{key}-instructions",
        placeholder="A meeting of the board of a housing cooperative.",
        **keep,
    )
    sections = st.text_area(
        f"Sections to fill, one a line, up to {_MOST_SECTIONS}",
        sections_text(before),
        height=120,
        key=f"{key}-sections",
        placeholder="Repairs: what is broken, and who sees to it",
        **keep,
    )
    if len([line for line in sections.splitlines() if line.strip(" :")]) > _MOST_SECTIONS:
        st.warning(f"Only the first {_MOST_SECTIONS} sections are used.")
    return own_template(name, instructions, sections)
