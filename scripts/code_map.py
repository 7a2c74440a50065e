"""Draw the packages and their imports into `docs/explanation/code-map.md`.

A test fails if the picture is out of date; run `python scripts/code_map.py` to update it.
"""

import tomllib
from pathlib import Path

import grimp

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "explanation" / "code-map.md"
PACKAGES = ("echostream", "echostream_ui")
_BEGIN, _END = "<!-- drawn from the imports of {} -->\n", "<!-- end of the drawing -->"


def main() -> None:
    PAGE.write_text(drawn_into(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def drawn_into(page: str) -> str:
    """The page with up-to-date pictures."""
    for package in PACKAGES:
        before, begin, rest = page.partition(_BEGIN.format(package))
        _, end, after = rest.partition(_END)
        page = f"{before}{begin}```mermaid\n{picture(package)}```\n{end}{after}"
    return page


def picture(package: str) -> str:
    """A Mermaid flow chart: a row per layer, and arrows from each room to those it imports. Arrows
    that follow from others are left out."""
    layers = _layers(package)
    arrows = _arrows(package, {room for layer in layers for room in layer})
    lines = ["flowchart TD"]
    for number, layer in enumerate(layers):
        lines.append(f'  subgraph layer{number}[" "]')
        lines += [f"    {room}" for room in layer]
        lines.append("  end")
    lines += [f"  {start} --> {end}" for start, end in sorted(_needed(arrows))]
    return "\n".join(lines) + "\n"


def _layers(package: str) -> list[list[str]]:
    """The rooms from top to bottom, from the import contract."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    [layers] = [each["layers"] for each in contracts if each.get("containers") == [package]]
    # `__main__` only starts the program, and Mermaid does not allow it as a name.
    rooms = [[room for room in layer.split(" | ") if room != "__main__"] for layer in layers]
    return [layer for layer in rooms if layer]


def _arrows(package: str, rooms: set[str]) -> dict[str, set[str]]:
    graph = grimp.build_graph(package)
    arrows: dict[str, set[str]] = {room: set() for room in rooms}
    for module in graph.modules:
        start = _room(module)
        for imported in graph.find_modules_directly_imported_by(module):
            end = _room(imported)
            if start in rooms and end in rooms and start != end:
                arrows[start].add(end)
    return arrows


def _room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def _needed(arrows: dict[str, set[str]]) -> set[tuple[str, str]]:
    """The arrows that do not follow from a path of other arrows."""
    return {
        (start, end)
        for start, ends in arrows.items()
        for end in ends
        if not any(end in _reached(other, arrows) for other in ends - {end})
    }


def _reached(room: str, arrows: dict[str, set[str]]) -> set[str]:
    found = set(arrows[room])
    for each in arrows[room]:
        found |= _reached(each, arrows)
    return found


if __name__ == "__main__":
    main()
