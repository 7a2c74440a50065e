"""What our files import, read from their text."""

import ast
import functools
from pathlib import Path

from conftest import ROOT

SOURCES = ROOT / "src"


@functools.cache
def imports_of(file: Path) -> frozenset[str]:
    """Every module that is imported anywhere in a file, also for its types alone."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(found)


def third_party(files: list[Path]) -> set[str]:
    """Packages that are imported by these files, or by what they import of ours."""
    seen: set[Path] = set()
    found = set()
    while files:
        if (file := files.pop()) in seen:
            continue
        seen.add(file)
        for name in imports_of(file):
            if name.partition(".")[0] == "echostream":
                files += _module_files(name)
            else:
                found.add(name.partition(".")[0])
    return found


def _module_files(name: str) -> list[Path]:
    """A module and the packages it is in; none for a name that is no module."""
    path = SOURCES / name.replace(".", "/")
    packages = [folder / "__init__.py" for folder in (path, *path.parents)]
    return [file for file in (path.with_suffix(".py"), *packages) if file.is_file()]
