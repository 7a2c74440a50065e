"""Benchmarks write their own sections of the results, and leave the others alone."""

from pathlib import Path

from benchmarks.results import BY_HAND, put

BEFORE = f"""# Results

Of a machine.

## Speed

Fast.

### Of uploads

1 s

## Insights

| right |
|---|
| 3 |

{BY_HAND}

Two of them were read by Ann.

## Queue

Long.
"""


def after(path: Path, *parts: str) -> str:
    path.write_text(BEFORE, encoding="utf-8")
    for part in parts:
        put(part, path)
    return path.read_text(encoding="utf-8")


def test_a_section_is_replaced_with_what_is_below_it(tmp_path: Path) -> None:
    text = after(tmp_path / "R.md", "## Speed\n\nFaster.\n")
    assert text == BEFORE.replace("Fast.\n\n### Of uploads\n\n1 s\n", "Faster.\n")


def test_what_was_written_by_hand_stays(tmp_path: Path) -> None:
    text = after(tmp_path / "R.md", "## Insights\n\n| right |\n|---|\n| 4 |\n")
    assert text == BEFORE.replace("| 3 |", "| 4 |")


def test_the_same_again_changes_nothing(tmp_path: Path) -> None:
    assert after(tmp_path / "R.md", "# Results\n\nOf a machine.\n", "## Queue\n\nLong.") == BEFORE


def test_a_new_section_goes_to_the_end(tmp_path: Path) -> None:
    text = after(tmp_path / "R.md", "## Memory\n\nMuch.\n")
    assert text == f"{BEFORE}\n## Memory\n\nMuch.\n"


def test_the_first_results(tmp_path: Path) -> None:
    path = tmp_path / "R.md"
    put("# Results\n\nOf a machine.\n", path)
    put("## Queue\n\nLong.\n", path)
    assert path.read_text(encoding="utf-8") == "# Results\n\nOf a machine.\n\n## Queue\n\nLong.\n"
