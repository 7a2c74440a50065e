"""Voices that are known by name, in a real browser: remembered, suggested, forgotten."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from echostream.domain import Voice
from echostream_ui.library.sqlite.store import SqliteStore
from node_packages import installed
from ui.recordings import add_recording, long_answer
from ui.site import Site, settle, site

ANN = Voice("model", (1.0, 0.0, 0.0, 0.0)).dump()
BO = Voice("model", (0.0, 1.0, 0.0, 0.0)).dump()
NEAR_ANN = Voice("model", (0.9, 0.0, 0.43589, 0.0)).dump()
NEAR_BO = Voice("model", (0.0, 0.62, 0.0, 0.7846)).dump()


@pytest.fixture
def frontend(tmp_path: Path) -> Iterator[Site]:
    with site("http://127.0.0.1:1", tmp_path / "library") as running:
        yield running


def spoken(first: str, second: str) -> dict[str, Any]:
    answer = long_answer(4)
    for segment in answer["segments"]:
        segment["speaker"] = "AB"[segment["id"] % 2]
    speakers = [
        {"id": speaker, "name": None, "seconds": 20.0, "voice": voice}
        for speaker, voice in (("A", first), ("B", second))
    ]
    return answer | {"speakers": speakers}


def speaker(page: Page, line: int) -> Any:
    return page.locator(".lines > li").nth(line).locator(".speaker")


def test_a_voice_by_mouse(frontend: Site, store: SqliteStore, page: Page) -> None:
    first, *later = [
        add_recording(store, spoken(*each)) for each in [(ANN, BO)] + [(NEAR_BO, NEAR_ANN)] * 3
    ]
    page.goto(f"{frontend.url}/recording?id={first}")
    page.get_by_role("button", name="Name speakers").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("A", exact=True).fill("Ann")
    dialog.get_by_label("B", exact=True).fill("Bo")
    dialog.get_by_text("Remember the voice of A").click()
    dialog.get_by_role("button", name="Save").click()
    expect(speaker(page, 0)).to_have_text("Ann")
    assert [each.name for each in store.voices.known()] == ["Ann"]

    page.goto(f"{frontend.url}/recording?id={later[0]}")
    expect(page.get_by_text("B sounds like Ann (very likely)")).to_be_visible()
    expect(page.get_by_text("sounds like")).to_have_count(1)
    page.get_by_role("button", name="Use Ann").click()
    expect(speaker(page, 1)).to_have_text("Ann")
    expect(page.get_by_text("sounds like")).to_have_count(0)

    page.goto(f"{frontend.url}/recording?id={later[1]}")
    page.get_by_role("button", name="Ignore").click()
    expect(page.get_by_text("sounds like")).to_have_count(0)
    page.goto(f"{frontend.url}/recording?id={later[1]}")
    expect(speaker(page, 1)).to_have_text("B")
    settle(page)
    expect(page.get_by_text("sounds like")).to_have_count(0)

    page.get_by_role("link", name="Voices").click()
    page.get_by_role("button", name="Forget Ann").click()
    expect(page.get_by_text("No voice is known yet.")).to_be_visible()
    assert store.voices.known() == []
    page.goto(f"{frontend.url}/recording?id={later[2]}")
    expect(speaker(page, 1)).to_have_text("B")
    settle(page)
    expect(page.get_by_text("sounds like")).to_have_count(0)


def test_a_voice_by_keyboard_as_everybody_can(
    frontend: Site, store: SqliteStore, page: Page, pytestconfig: pytest.Config
) -> None:
    place = installed(pytestconfig, Path(__file__).parent.parent / "axe")
    axe = (place / "node_modules" / "axe-core" / "axe.min.js").read_text()

    def look() -> None:
        settle(page)
        page.evaluate(axe)
        found = page.evaluate("axe.run({ resultTypes: ['violations'] })")["violations"]
        assert [each["id"] for each in found if each["impact"] != "minor"] == []

    first, later = (
        add_recording(store, spoken(*each)) for each in ((ANN, BO), (NEAR_ANN, NEAR_BO))
    )
    page.goto(f"{frontend.url}/recording?id={first}")
    settle(page)
    page.get_by_role("button", name="Name speakers").press("Enter")
    names = page.get_by_role("dialog").get_by_role("textbox")
    expect(names).to_have_count(2)
    settle(page)
    names.first.focus()
    for name in ("Ann", "Bo"):
        page.keyboard.type(name)
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
        page.keyboard.press("Tab")
    look()
    page.get_by_role("dialog").get_by_role("button", name="Save").press("Enter")
    expect(speaker(page, 1)).to_have_text("Bo")
    assert [each.name for each in store.voices.known()] == ["Ann", "Bo"]

    page.set_viewport_size({"width": 390, "height": 844})
    page.emulate_media(color_scheme="dark")
    page.goto(f"{frontend.url}/recording?id={later}")
    expect(page.get_by_text("A sounds like Ann (very likely)")).to_be_visible()
    expect(page.get_by_text("B sounds like Bo (possible)")).to_be_visible()
    look()
    page.get_by_role("button", name="Use Ann").press("Enter")
    expect(speaker(page, 0)).to_have_text("Ann")
    expect(page.get_by_role("button", name="Ignore")).to_have_count(1)
    page.get_by_role("button", name="Ignore").press("Enter")
    expect(page.get_by_text("sounds like")).to_have_count(0)

    page.goto(f"{frontend.url}/voices")
    expect(page.get_by_role("button", name="Forget Bo")).to_be_visible()
    look()
    page.get_by_role("button", name="Forget all voices").press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Forget all").press("Enter")
    expect(page.get_by_text("No voice is known yet.")).to_be_visible()
    assert store.voices.known() == []
