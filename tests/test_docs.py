"""Documentation that the code can check."""

import re
import runpy

import pytest

from conftest import ROOT
from echostream.settings import Settings
from echostream_ui.settings import FrontendSettings

PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("name", ["settings.md", "api.md"])
def test_the_reference_is_up_to_date(name):
    expected = runpy.run_path(str(ROOT / "scripts" / "reference.py"))["pages"]()[name]
    assert (ROOT / "docs" / "reference" / name).read_text() == expected


def test_the_map_of_the_code_is_up_to_date():
    code_map = runpy.run_path(str(ROOT / "scripts" / "code_map.py"))
    page = code_map["PAGE"].read_text()
    assert page == code_map["drawn_into"](page), "run: python scripts/code_map.py"


def test_an_upload_is_followed_through_at_most_eight_files():
    page = (ROOT / "docs" / "explanation" / "code-map.md").read_text()
    upload = page.partition("## One upload")[2].partition("\n## ")[0]
    steps = re.findall(r"^\d+\. .+(?:\n   .+)*", upload, re.MULTILINE)
    named = [re.findall(r"`([\w/]+\.py)`", step) for step in steps]
    assert [len(names) for names in named] == [1] * len(steps)
    assert len(steps) <= 8
    for [name] in named:
        assert (ROOT / "src" / "echostream" / name).is_file(), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if not target.startswith(("http:", "https:")):
            assert (page.parent / target).exists(), target


def test_the_readme_names_only_settings_that_exist():
    table = (ROOT / "README.md").read_text().partition("## Settings")[2].partition("\n## ")[0]
    named = set(
        re.findall(r"`([A-Z_]+)`", "".join(re.findall(r"^\|([^|]+)\|", table, re.MULTILINE)))
    )
    assert named
    known = {**Settings.model_fields, **FrontendSettings.model_fields}
    assert named <= {name.upper() for name in known}


def test_every_make_target_in_the_readme_exists():
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"`?make ([a-z]+)", (ROOT / "README.md").read_text())):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
