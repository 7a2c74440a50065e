"""Pages that everybody can read, whatever others have written: axe-core looks at each of them, in a
light and a dark window and on a phone, while titles, tags and names are full of markup."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from echostream_ui.library.analysis import Bookmark
from echostream_ui.library.sqlite.store import SqliteStore
from node_packages import installed
from ui.recordings import MEETING, add_recording, long_answer
from ui.site import Site, settle, site, with_microphone

NOWHERE = "http://127.0.0.1:1"
RUDE = '<img src=x onerror="window.ran = 1"> **b** [l](http://x.test) :red[r] $x$ `c` 1. <script>'
COMPLAINT = RUDE.replace("`c` ", "")  # errors may quote a command
# Colours change slowly with the theme. What shows that something is at work never ends.
_STILL = """document.getAnimations().every(
    (one) => one.playState !== 'running' || one.effect.getComputedTiming().iterations === Infinity
)"""
_LOOKS = 5
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def axe(pytestconfig: pytest.Config) -> str:
    place = installed(pytestconfig, Path(__file__).parent.parent / "axe")
    return (place / "node_modules" / "axe-core" / "axe.min.js").read_text()


def answer() -> dict[str, Any]:
    spoken = long_answer(6)
    for segment in spoken["segments"]:
        segment["text"] += f" {RUDE}"
        segment["speaker"] = f"{segment['id'] % 2} {RUDE}"
        segment["words"] = [{"word": "This", "start": 0.0, "end": 0.1, "probability": 0.2}]
    point = {"text": f"A point. {RUDE}", "evidence": [1]}
    details = {
        "title": RUDE,
        "key_points": [point],
        "decisions": [point],
        "action_items": [point | {"owner": RUDE, "due": RUDE}],
        "sections": [{"key": "one", "title": RUDE, "items": [point]}],
        "sentiment_timeline": [
            {"segment": number, "label": label, "score": 0.5}
            for number, label in enumerate(("positive", "neutral", "negative"))
        ],
        "meta": {"provider": "local", "model": RUDE, "degraded": True, "degraded_reason": RUDE},
    }
    insights = {
        "summary": RUDE,
        "topics": [RUDE, "budget"],
        "sentiment": {"label": "neutral", "score": 0.5},
        "details": details,
    }
    speakers = [{"id": f"{number} {RUDE}", "seconds": 5.0} for number in range(2)]
    gap = {"code": "other", "message": RUDE, "start": 0.0, "end": 1.0}
    return spoken | {"insights": insights, "speakers": speakers, "warnings": [gap]}


@pytest.fixture(scope="module")
def recordings(frontend: Site) -> dict[str, str]:
    with closing(SqliteStore(frontend.library)) as store:
        now = {"created_at": datetime.now(UTC)}
        done = _done(store, now)
        store.update_analysis(done, bookmarks=(Bookmark(1.0, RUDE),))
        return {
            "done": done,
            "failed": add_recording(
                store, None, audio=None, title=RUDE, state="failed", message=COMPLAINT
            ),
            "in the bin": add_recording(
                store, answer(), title=RUDE, tags=(RUDE,), deleted_at=now["created_at"]
            ),
            "under way": add_recording(store, None, audio=None, title=RUDE, state="active"),
        }


def _done(store: SqliteStore, now: dict[str, Any]) -> str:
    media_id = add_recording(store, answer(), title=RUDE, tags=(RUDE, "team"), **now)
    analysis = store.analysis(media_id)
    assert analysis is not None
    store.versions.replace(replace(analysis, response=answer() | {"engine": RUDE}))
    store.versions.replace(analysis)
    return media_id


@pytest.fixture(scope="module")
def frontend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Without an API, which every page says."""
    library = tmp_path_factory.mktemp("everybody") / "library"
    with site(NOWHERE, library, PUBLIC_URL="http://shared.test") as running:
        yield running


def violations(page: Page, within: str) -> list[tuple[str, list[str]]]:
    found = page.evaluate("part => axe.run(part, { resultTypes: ['violations'] })", within)
    return [
        (each["id"], [node["html"][:200] for node in each["nodes"][:3]])
        for each in found["violations"]
        if each["impact"] != "minor"  # those are in Streamlit's own parts
    ]


def look(page: Page, axe: str, *, within: str = "html") -> None:
    """axe-core finds nothing, as a page is and on a dark phone; and no markup has become any."""
    for scheme, size in (("light", WIDE), ("dark", PHONE)):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size(size)
        app = page.get_by_test_id("stApp")
        expect(app).to_have_css("color-scheme", scheme)
        page.wait_for_function(_STILL)
        page.evaluate(axe)
        for _look in range(_LOOKS):  # a part that is drawn anew is pale for a moment
            if not (serious := violations(page, within)):
                break
            page.wait_for_function(_STILL)
        assert serious == [], f"{page.url} in a {scheme} window"
        main = page.get_by_test_id("stMain")
        assert main.evaluate("main => main.scrollWidth <= main.clientWidth"), page.url
    assert page.evaluate("window.ran") is None
    assert page.locator("img[src=x]").count() == 0
    # An address becomes a link, to what it says and with nothing else as its text.
    links = page.locator("a[href*='x.test']").evaluate_all("all => all.map(a => a.textContent)")
    assert set(links) <= {"http://x.test"}


@pytest.mark.parametrize("path", ["", "bin", "add", "live", "dashboard", "ask", "backup"])
def test_a_page(
    page: Page, frontend: Site, recordings: dict[str, str], axe: str, path: str
) -> None:
    page.goto(f"{frontend.url}/{path}")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    if path in ("", "bin", "add", "dashboard"):
        expect(page.get_by_text(RUDE.replace("  ", " ")).first).to_be_visible()
    look(page, axe)


@pytest.mark.parametrize("state", ["done", "failed", "under way", "in the bin"])
def test_a_recording(
    page: Page, frontend: Site, recordings: dict[str, str], axe: str, state: str
) -> None:
    page.goto(f"{frontend.url}/recording?id={recordings[state]}")
    expect(page.get_by_role("heading", level=1)).to_have_text(RUDE)
    expect(page).to_have_title(f"{RUDE} · EchoStream")
    if state == "failed":
        expect(page.get_by_role("alert").get_by_text(COMPLAINT)).to_be_visible()
    look(page, axe)
    if state == "done":
        page.get_by_role("button", name="Name speakers").click()
        expect(page.get_by_role("dialog").get_by_text(f"0 {RUDE}")).to_be_visible()
        look(page, axe, within="[role=dialog]")
        page.get_by_role("button", name="Cancel").click()
        expect(page.get_by_role("dialog")).to_have_count(0)
        page.get_by_role("button", name="Transcribe again").click()
        expect(page.get_by_role("dialog").get_by_text("Earlier transcripts")).to_be_visible()
        look(page, axe, within="[role=dialog]")
        page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
        expect(page.get_by_role("dialog")).to_have_count(0)
        page.get_by_role("tab", name="Action items").click()
        page.get_by_role("button", name="Edit: ").click()
        expect(page.get_by_label("Person")).to_have_value(RUDE)
        page.locator(".speaker").first.click()
        expect(page.get_by_role("dialog", name="Speaker at 0:00")).to_be_visible()
        look(page, axe)


DIALOG, POPOVER = "[role=dialog]", "[data-testid=stPopoverBody]"


def button(page: Page | Locator, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def look_into(page: Page, axe: str, opener: Locator, part: str) -> Locator:
    """The same for a dialog or a popover, which stays open; a dark phone is what comes last."""
    settle(page)
    opener.click()
    expect(page.locator(part)).to_be_visible()
    look(page, axe, within=part)
    return page.locator(part)


def test_what_opens_in_the_library(
    page: Page, frontend: Site, recordings: dict[str, str], axe: str
) -> None:
    with closing(SqliteStore(frontend.library)) as store:
        folder = store.folders.add(RUDE[:100])
        store.folders.move([recordings["failed"]], folder)
        store.filters.save(RUDE[:100], {})
    page.goto(frontend.url)
    expect(page.get_by_text("Ask about these")).to_be_visible()
    popover = look_into(page, axe, page.get_by_role("button", name="Filter"), POPOVER)
    page.keyboard.press("Escape")
    expect(popover).to_have_count(0)
    look_into(page, axe, page.get_by_role("button", name="Saved"), POPOVER)
    page.keyboard.press("Escape")
    expect(popover).to_have_count(0)
    dialog = look_into(page, axe, button(page, "Folders"), DIALOG)
    dialog.get_by_role("radio").first.click()
    expect(button(dialog, "Rename")).to_be_visible()
    look(page, axe, within=DIALOG)
    button(dialog, "Close").click()
    expect(dialog).to_have_count(0)
    page.get_by_role("checkbox", name="Select all on this page").check()
    for name in ("Tag", "Move", "Export"):
        look_into(page, axe, button(page, name), DIALOG)
        button(dialog, "Close" if name == "Export" else "Cancel").click()
        expect(dialog).to_have_count(0)
    page.goto(f"{frontend.url}/bin")
    look_into(page, axe, button(page, "Empty the bin"), DIALOG)
    button(dialog, "Keep").click()
    expect(dialog).to_have_count(0)


def test_what_opens_on_a_recording(
    page: Page, frontend: Site, recordings: dict[str, str], axe: str
) -> None:
    page.goto(f"{frontend.url}/recording?id={recordings['done']}")
    expect(page.locator(".lines > li").first).to_be_visible()
    dialog = look_into(page, axe, button(page, "Share"), DIALOG)
    button(dialog, "Make a link").click()
    expect(button(dialog, "End link")).to_be_visible()
    look(page, axe, within=DIALOG)
    button(dialog, "Close").click()
    expect(dialog).to_have_count(0)
    for name in ("Copy", "Export"):
        opener = page.get_by_test_id("stPopoverButton").filter(has_text=name)
        popover = look_into(page, axe, opener, POPOVER)
        page.keyboard.press("Escape")
        expect(popover).to_have_count(0)
    look_into(page, axe, button(page, "Edit details"), DIALOG)
    button(dialog, "Cancel").click()
    expect(dialog).to_have_count(0)
    page.locator(".lines > li").first.hover()
    page.get_by_role("button", name="Replace").first.click()
    expect(page.locator(".replace")).to_be_visible()
    page.get_by_role("button", name="Edit").first.click()
    look(page, axe)


def add_the_meeting(page: Page, frontend: Site) -> None:
    page.goto(f"{frontend.url}/add")
    page.locator("input[type=file]").first.set_input_files(str(MEETING))
    expect(page.get_by_text(MEETING.name).first).to_be_visible()
    page.get_by_role("button", name="Add", exact=True).first.click()


def test_what_is_there_already_on_add(page: Page, frontend: Site, axe: str) -> None:
    add_the_meeting(page, frontend)
    expect(page.locator("strong", has_text=MEETING.name)).to_be_visible()
    add_the_meeting(page, frontend)
    expect(page.get_by_text("is in the library already")).to_be_visible()
    look(page, axe)
    button(page, "Leave out").click()
    expect(page.get_by_text("is in the library already")).to_have_count(0)


def test_options_presets_and_podcasts(page: Page, frontend: Site, axe: str) -> None:
    with closing(SqliteStore(frontend.library)) as store:
        store.presets.keep(RUDE[:100], {"prompt": RUDE})
    page.goto(f"{frontend.url}/add")
    page.get_by_text("Options", exact=True).click()
    name = page.get_by_role("textbox", name="Keep these options as a preset")
    expect(name).to_have_value(RUDE[:100])
    page.get_by_role("tab", name="Podcasts").click()
    expect(page.get_by_label("Address of a podcast's feed")).to_be_visible()
    look(page, axe)


# As a server tells it, so that all of the page is there at once.
_HEAR = """(rude) => window.echostreamRecording.hear({
    said: [[1, 0, 4000, ` ${rude}.`], [2, 9000, 9500, ' Yes.'], [3, 9500, 9900, ' No.']],
    labels: [[1, rude], [2, 'B'], [3, rude]], tentative: rude, lagMs: 900, notice: rude,
    finalPass: { stage: 'diarizing', progress: 95, secondsLeft: 4 },
    insights: {
        actionItems: [{ id: 1, text: rude, owner: rude, due: null, at: 9.2 }],
        decisions: [{ id: 1, text: rude, owner: null, due: null, at: null }],
    },
}, true)"""


def test_a_live_recording(browser: Browser, frontend: Site, axe: str) -> None:
    with with_microphone(browser) as heard:
        page = heard.new_page()
        page.set_default_timeout(30_000)
        page.goto(f"{frontend.url}/live")
        page.get_by_role("button", name="Start recording").click()
        page.get_by_role("button", name="Bookmark", exact=True).click()
        page.keyboard.type(RUDE)
        expect(page.get_by_text("There is no live text")).to_be_visible()
        page.evaluate(_HEAR, RUDE)
        lines = page.locator(".line .said")
        expect(lines).to_have_text([f" {RUDE}.", " Yes.", " No."])
        look(page, axe, within=".st-key-live_recorder")  # Streamlit's disabled controls are pale
        page.get_by_role("button", name="Show the evidence at 0:09").focus()
        page.keyboard.press("Enter")
        expect(page.locator(".line:focus .said")).to_have_text(" Yes.")
        page.evaluate(_HEAR, RUDE)  # the whole again, as after a broken connection
        expect(lines).to_have_count(3)


def test_an_empty_library_and_a_recording_that_is_gone(
    page: Page, axe: str, tmp_path: Path
) -> None:
    with site(NOWHERE, tmp_path / "library") as frontend:
        page.goto(frontend.url)
        expect(page.get_by_text("Nothing here yet")).to_be_visible()
        look(page, axe)
        page.goto(f"{frontend.url}/recording?id=gone")
        expect(page.get_by_text("is not in the library")).to_be_visible()
        look(page, axe)


def test_the_page_to_sign_in(page: Page, axe: str, tmp_path: Path) -> None:
    supabase = {"SUPABASE_URL": NOWHERE, "SUPABASE_ANON_KEY": "a key"}
    supabase["WATCH_FOLDER"] = str(tmp_path / "in")
    with site(NOWHERE, tmp_path / "library", **supabase) as frontend:
        assert "Watch folder" in (said := (tmp_path / "library.log").read_text())
        assert "off: with Supabase" in said
        page.goto(frontend.url)
        expect(page.get_by_label("Password").first).to_be_visible()
        look(page, axe)
