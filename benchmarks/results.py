"""`RESULTS.md`. Each of its sections belongs to the command that measures it, and to no other."""

import re
from pathlib import Path

RESULTS = Path(__file__).parent / "RESULTS.md"
BY_HAND = "<!-- Written by hand, and kept when the section is measured again. -->"


def put(part: str, path: Path = RESULTS) -> None:
    """Replaces the section that has the heading of `part`, or the title with what stands below it.
    What somebody wrote below the mark `BY_HAND` stays. New sections go to the end."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    parts = {_heading(each): each for each in re.split(r"^(?=##? )", text, flags=re.M) if each}
    _, mark, kept = parts.get(_heading(part), "").partition(BY_HAND)
    parts[_heading(part)] = f"{part.rstrip()}\n\n{mark}{kept}"
    written = "\n\n".join(each.strip() for each in parts.values())
    path.write_text(f"{written}\n", encoding="utf-8")


def _heading(part: str) -> str:
    return part.partition("\n")[0]
