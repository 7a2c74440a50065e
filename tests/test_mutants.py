"""The faults that are put into the guards: `make mutants` is worth no more than they are."""

import runpy
from pathlib import Path

import pytest

FAULTS = Path(__file__).parent.parent / "scripts" / "faults.py"


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("a < b", {"a <= b"}),
        ("a and b", {"a or b", "a", "b"}),
        ("not a", {"a"}),
        ("a + 1", {"a - 1", "a + 2", "a + 0"}),
        ("a = True", {"a = False"}),
        ("a = 2.5", {"a = 6.0"}),
        ("a = 'GET'", {"a = 'GETG'"}),
        ("a = 'a sentence for people'", set()),
        ("f(a, b, c=d)", {"f(b, a, c=d)", "f(a, b)", "pass"}),
        ("max(a, b)", {"pass"}),
        ("a if b else c", {"a if False else c", "a if True else c"}),
        ("return a", {"return None"}),
        ("return None", set()),
        ("raise A('b')", {"pass"}),
        ("self.a = b", {"pass"}),
        ("while a:\n    break", {"while False:\n    break", "while a:\n    pass"}),
        ("@dataclass(frozen=True)\nclass A:\n    b: Literal['c']", set()),
    ],
)
def test_what_is_put_in_place_of_what(right: str, wrong: set[str]) -> None:
    mutants = runpy.run_path(str(FAULTS))["mutants"]
    found = {each.source for each in mutants(right)}
    assert found - {"pass"} == wrong - {"pass"}
    assert "pass" in found or "pass" not in wrong
