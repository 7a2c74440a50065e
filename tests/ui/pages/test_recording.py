"""The recording page in a browser: player, transcript, insights, documents."""

import io
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docx
import pytest
from playwright.sync_api import Locator, Page, expect

from echostream_ui.library.analysis import Analysis
from echostream_ui.library.sqlite.store import SqliteStore
from ui.recordings import MEETING, add_recording, answer_of, long_answer
from ui.site import Site, settle
from web.process import ServerProcess

Open = Callable[..., str]


@pytest.fixture(scope="module")
def answer(api: ServerProcess) -> dict[str, Any]:
    return answer_of(api.url)


@pytest.fixture
def opened(page: Page, frontend: Site, store: SqliteStore, answer: dict[str, Any]) -> Open:
    """`opened(answer, …)` adds a recording and opens its page; the recording's id."""

    def add_and_open(response: dict[str, Any] | None = None, **more: Any) -> str:
        media_id = add_recording(store, response or answer, **more)
        page.goto(f"{frontend.url}/recording?id={media_id}")
        expect(page.locator(".line").first).to_be_visible(timeout=90_000)
        return media_id

    return add_and_open


def line(page: Page, number: int) -> Locator:
    return page.locator(".lines > li").nth(number)


def expect_playing_from(page: Page, start_s: float) -> None:
    """It plays, and is at that place or a few seconds later."""
    page.wait_for_function(
        """start => {
            const audio = document.querySelector('audio');
            const at = audio.currentTime;
            return !audio.paused && at > start && at < start + 6;
        }""",
        arg=start_s,
    )


def sound(page: Page, wanted: str) -> Any:
    """Something of the element that plays."""
    return page.locator("audio").evaluate(f"audio => audio.{wanted}")


def analysis_of(store: SqliteStore, media_id: str) -> Analysis:
    analysis = store.analysis(media_id)
    assert analysis is not None
    return analysis


def test_a_line_plays_from_there_and_is_marked(
    page: Page, opened: Open, answer: dict[str, Any]
) -> None:
    opened()
    expect(page.get_by_role("link", name="Library")).to_be_visible()  # opened by its address
    line(page, 4).locator(".line").click()
    expect_playing_from(page, answer["segments"][4]["start"])
    expect(line(page, 4).locator(".line")).to_have_attribute("aria-current", "true")
    # It goes on by itself, and so does the mark.
    expect(line(page, 5).locator(".line")).to_have_attribute("aria-current", "true")
    expect(page.locator("[aria-current=true]")).to_have_count(1)
    first = line(page, 0).bounding_box()
    assert first is not None
    assert first["y"] < 0.4 * 900


def test_a_word_plays_from_there_and_is_marked(
    page: Page, opened: Open, answer: dict[str, Any]
) -> None:
    opened()
    words = answer["segments"][3]["words"]
    line(page, 3).locator(".word").nth(2).click()
    expect_playing_from(page, words[2]["start"] - 0.1)
    assert sound(page, "currentTime") < words[-1]["end"] + 5
    page.keyboard.press("k")
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
    page.locator("audio").evaluate(
        "(audio, time) => { audio.currentTime = time; }", words[3]["start"] + 0.01
    )
    expect(page.locator(".said")).to_have_text(words[3]["word"])


def test_keys_and_buttons_play_seek_and_change_the_speed(
    page: Page, opened: Open, answer: dict[str, Any]
) -> None:
    media_id = opened()
    line(page, 0).locator(".line").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    page.keyboard.press("Space")  # it pauses, and does not begin again
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
    page.locator("audio").evaluate("audio => { audio.currentTime = 20; }")
    for key, time_s in (("ArrowRight", 25), ("ArrowLeft", 20), ("l", 35), ("j", 20)):
        page.keyboard.press(key)
        assert sound(page, "currentTime") == pytest.approx(time_s)
    page.get_by_role("button", name="Forward 15 seconds").click()
    assert sound(page, "currentTime") == pytest.approx(35)
    page.get_by_role("combobox", name="Speed").select_option("1.5")
    assert sound(page, "playbackRate") == 1.5
    page.get_by_role("searchbox", name="Find in the transcript").press_sequentially("j k")
    assert sound(page, "paused")
    assert sound(page, "currentTime") == pytest.approx(35)

    page.reload()  # this browser knows the speed and the place
    expect(page.get_by_role("timer", name="Now")).to_have_text("0:35")
    assert sound(page, "playbackRate") == 1.5
    word = answer["segments"][4]["words"][0]["word"].strip(".,")
    page.goto(f"{page.url.split('?')[0]}?id={media_id}&t=19.5&q={word}")
    expect(page.get_by_role("timer", name="Now")).to_have_text("0:19")
    expect(page.locator("mark.here")).to_have_text(re.compile(word, re.I))


def test_silence_is_skipped(page: Page, opened: Open, answer: dict[str, Any]) -> None:
    first, *_, last = answer["segments"]
    opened(answer | {"segments": [first, last]})
    page.get_by_role("button", name="Skip silence").click()
    line(page, 0).locator(".line").click()
    expect_playing_from(page, last["start"] - 0.5)


def test_all_that_is_found_is_replaced_and_undone(
    page: Page, opened: Open, store: SqliteStore, answer: dict[str, Any]
) -> None:
    media_id = opened()
    page.get_by_role("searchbox", name="Find in the transcript").fill("audit")
    count = int(page.locator(".count").filter(has_text="of").inner_text().split()[-1])
    page.get_by_role("button", name="Replace", exact=True).first.click()
    page.get_by_role("textbox", name="Replace with").fill("<i>check</i>")
    page.get_by_role("button", name="Replace all").click()
    expect(page.locator(".count")).to_have_text("No match")
    texts = " ".join(analysis_of(store, media_id).edits.values())
    assert texts.count("<i>check</i>") == count
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".count")).to_have_text(f"1 of {count}")
    assert analysis_of(store, media_id).edits == {}
    page.get_by_role("textbox", name="Replace with").press("Enter")
    expect(page.locator(".count")).to_have_text(f"1 of {count - 1}")


def test_lines_that_are_saved_at_once_are_all_kept(
    page: Page, opened: Open, store: SqliteStore
) -> None:
    media_id = opened()
    for number, text in enumerate(("\N{GRINNING FACE} one two", "three")):
        line(page, number).get_by_role("button", name=re.compile("Edit the text")).click()
        line(page, number).locator("textarea").fill(text)
    page.locator(".save").evaluate_all("buttons => buttons.forEach((each) => each.click())")
    expect(page.locator("textarea")).to_have_count(0)
    assert sorted(analysis_of(store, media_id).edits.values()) == [
        "three",
        "\N{GRINNING FACE} one two",
    ]
    words = line(page, 0).locator(".word")
    expect(words).to_have_text(["\N{GRINNING FACE}", "one", "two"])


def test_the_keyboard_moves_and_plays(page: Page, opened: Open, answer: dict[str, Any]) -> None:
    opened()
    line(page, 0).locator(".line").focus()
    for key in ("End", "ArrowUp", "Enter"):
        page.keyboard.press(key)
    before_last = len(answer["segments"]) - 2
    expect_playing_from(page, answer["segments"][before_last]["start"])
    expect(page.locator(".line[tabindex='0']")).to_have_count(1)


def test_evidence_moves_the_player(page: Page, opened: Open, answer: dict[str, Any]) -> None:
    opened()
    point = answer["insights"]["details"]["key_points"][0]
    start_s = answer["segments"][point["evidence"][0]]["start"]
    item = page.get_by_role("list", name="Key points").get_by_role("listitem").first
    expect(item).to_contain_text(point["text"])
    item.get_by_role("button", name=re.compile("Play from")).first.click()
    expect_playing_from(page, start_s)
    marked = line(page, point["evidence"][0]).locator(".line")
    expect(marked).to_have_attribute("aria-current", "true")


def test_find_counts_marks_and_steps(page: Page, opened: Open, answer: dict[str, Any]) -> None:
    opened()
    count = sum(segment["text"].lower().count("audit") for segment in answer["segments"])
    assert count > 1
    field = page.get_by_role("searchbox", name="Find in the transcript")
    field.fill("AUDIT")
    expect(page.locator(".count")).to_have_text(f"1 of {count}")
    expect(page.locator(".lines mark")).to_have_count(count)
    field.press("Enter")
    expect(page.locator(".count")).to_have_text(f"2 of {count}")
    page.get_by_role("button", name="Previous match").click()
    expect(page.locator(".count")).to_have_text(f"1 of {count}")
    field.fill("<b>zebra</b> (")
    expect(page.locator(".count")).to_have_text("No match")
    field.press("Escape")
    expect(page.locator(".lines mark")).to_have_count(0)


def test_an_edit_is_kept_beside_the_original(
    page: Page, opened: Open, store: SqliteStore, answer: dict[str, Any]
) -> None:
    media_id = opened()
    original = answer["segments"][1]["text"].strip()
    line(page, 1).get_by_role("button", name=re.compile("Edit the text")).click()
    page.locator("textarea").fill("A <b>better</b> text.")
    page.locator("textarea").press("Enter")
    expect(line(page, 1).locator(".text")).to_have_text("A <b>better</b> text.")
    page.reload()
    badge = line(page, 1).get_by_role("button", name=re.compile("Edited"))
    badge.click()
    expect(line(page, 1).locator("q")).to_have_text(original)
    kept = analysis_of(store, media_id)
    assert kept.edits == {1: "A <b>better</b> text."}
    assert kept.response == answer
    line(page, 1).get_by_role("button", name="Use the original text").click()
    expect(line(page, 1).locator(".text")).to_have_text(original)
    expect(badge).to_have_count(0)
    assert analysis_of(store, media_id).edits == {}


def test_playing_and_what_is_typed_survive_what_happens_elsewhere(
    page: Page, opened: Open, store: SqliteStore, answer: dict[str, Any]
) -> None:
    media_id = opened()
    line(page, 2).locator(".line").click()
    expect_playing_from(page, answer["segments"][2]["start"])
    page.locator("audio").evaluate("audio => { audio.isTheSame = true; }")
    line(page, 0).get_by_role("button", name=re.compile("Edit the text")).click()
    page.locator("textarea").fill("half of a")
    page.get_by_role("button", name="Edit details").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Title").fill("Another *title*")
    dialog.get_by_label("New tags").fill("first, of *all*")
    page.mouse.click(5, 890)  # beside the dialog: nothing is lost
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Another *title*")).to_be_visible()
    expect(page.get_by_text("of *all*")).to_be_visible()
    expect(page.locator("textarea")).to_have_value("half of a")
    assert sound(page, "isTheSame && !audio.paused")

    # What is typed is there again after another page, and is not given up without a question.
    page.get_by_role("link", name="Library").click()
    expect(page.get_by_role("heading", name="Library")).to_be_visible()
    expect(page.locator("audio")).to_have_count(0)
    page.go_back()
    expect(page.locator("textarea")).to_have_value("half of a")
    page.locator("textarea").press("Escape")
    expect(page.get_by_role("alert").get_by_text("Discard what you have typed?")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("textarea")).to_be_focused()
    page.locator("textarea").press("Escape")
    page.get_by_role("button", name="Discard").click()
    expect(page.locator("textarea")).to_have_count(0)
    kept = store.media(media_id)
    assert kept is not None
    assert kept.tags == ("first", "of *all*")


def spoken(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer in which two take turns, and one of them has something to do."""
    segments = [
        segment | {"speaker": f"Speaker {1 + segment['id'] % 2}"} for segment in answer["segments"]
    ]
    speakers = [
        {"id": f"Speaker {number}", "name": None, "seconds": seconds}
        for number, seconds in ((1, 20.0), (2, 60.0))
    ]
    item = answer["insights"]["details"]["action_items"][0] | {"owner": "Speaker 2"}
    details = answer["insights"]["details"] | {"action_items": [item]}
    insights = answer["insights"] | {"summary": "Speaker 2 is right.", "details": details}
    return answer | {"segments": segments, "speakers": speakers, "insights": insights}


def test_speakers_can_be_named(
    page: Page, opened: Open, store: SqliteStore, answer: dict[str, Any]
) -> None:
    media_id = opened(spoken(answer))
    expect(line(page, 1).locator(".speaker")).to_have_text("Speaker 2")
    page.get_by_role("button", name="Name speakers").click()
    page.get_by_label("Speaker 2", exact=True).fill("Maria")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(line(page, 1).locator(".speaker")).to_have_text("Maria")
    expect(line(page, 0).locator(".speaker")).to_have_text("Speaker 1")
    kept = analysis_of(store, media_id)
    assert kept.speakers == {"Speaker 2": "Maria"}
    assert kept.action_items[0].owner == "Maria"
    expect(page.get_by_text("Maria is right.")).to_be_visible()
    page.get_by_role("tab", name="Action items").click()
    expect(page.locator(".facts")).to_contain_text("Maria")
    shares = page.get_by_role("list", name="Talk time").get_by_role("listitem")
    expect(shares).to_have_text(["Maria 75%, 1 min", "Speaker 1 25%, 20 s"])
    colours = [
        line(page, number)
        .locator(".speaker")
        .evaluate("name => getComputedStyle(name, '::before').backgroundColor")
        for number in range(3)
    ]
    assert colours[0] == colours[2] != colours[1]


def test_speakers_are_changed_with_the_mouse_while_it_plays(
    page: Page, opened: Open, store: SqliteStore, answer: dict[str, Any]
) -> None:
    media_id = opened(spoken(answer))
    line(page, 2).locator(".line").click()
    expect_playing_from(page, answer["segments"][2]["start"])
    for part in ("audio", ".player"):
        page.locator(part).evaluate("part => { part.isTheSame = part.loop = true; }")
    naming = page.get_by_role("dialog", name=re.compile("Speaker at"))
    name = naming.get_by_label("Name of the speaker")

    # Another name everywhere, also in the insights.
    line(page, 1).locator(".speaker").click()
    name.fill("Maria")
    naming.get_by_role("button", name="Rename everywhere").click()
    expect(line(page, 3).locator(".speaker")).to_have_text("Maria")
    expect(page.get_by_text("Maria is right.")).to_be_visible()
    # One line is somebody new's.
    line(page, 3).locator(".speaker").click()
    name.fill("Cy")
    naming.get_by_role("button", name="Only this line").click()
    expect(line(page, 3).locator(".speaker")).to_have_text("Cy")
    expect(line(page, 1).locator(".speaker")).to_have_text("Maria")
    shares = page.get_by_role("list", name="Talk time")
    expect(shares).to_contain_text("Cy")
    # Two are one: their lines follow each other without a name.
    line(page, 1).locator(".speaker").click()
    naming.get_by_role("button", name="Speaker 1", exact=True).click()
    naming.get_by_role("button", name="Merge Maria with Speaker 1").click()
    expect(line(page, 1).locator(".speaker")).to_be_hidden()
    expect(line(page, 0).locator(".speaker")).to_be_visible()
    assert analysis_of(store, media_id).action_items[0].owner == "Speaker 1"

    page.get_by_role("button", name="Undo").click()
    expect(line(page, 1).locator(".speaker")).to_have_text("Maria")
    assert sound(page, "isTheSame && !audio.paused")
    assert page.locator(".player").evaluate("player => player.isTheSame")
    page.reload()
    expect(line(page, 3).locator(".speaker")).to_have_text("Cy")
    expect(line(page, 5).locator(".speaker")).to_have_text("Maria")
    expect(shares).to_contain_text("Cy")
    kept = analysis_of(store, media_id)
    assert kept.speakers == {"Speaker 2": "Maria"}
    assert kept.line_speakers == {3: "Cy"}
    assert kept.action_items[0].owner == "Maria"
    assert kept.response == spoken(answer)
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Plain text (.txt)").click()
    assert "Cy: " in Path(download.value.path()).read_text()


def test_speakers_are_changed_with_the_keyboard(
    page: Page, opened: Open, store: SqliteStore, answer: dict[str, Any]
) -> None:
    media_id = opened(spoken(answer))
    first, naming = line(page, 0), page.get_by_role("dialog", name="Speaker at 0:00")
    press = page.keyboard.press
    first.locator(".line").focus()
    press("s")
    expect(naming.get_by_label("Name of the speaker")).to_be_focused()
    page.keyboard.type("k j")  # no keys of the player here
    press("Escape")
    expect(naming).to_have_count(0)
    expect(first.locator(".line")).to_be_focused()
    assert sound(page, "paused")
    press("Shift+Tab")
    expect(first.locator(".speaker")).to_be_focused()
    press("Enter")
    page.keyboard.type("Ann")
    press("Enter")
    expect(first.locator(".speaker")).to_have_text("Ann")
    expect(line(page, 2).locator(".speaker")).to_have_text("Ann")
    expect(first.locator(".speaker")).to_be_focused()
    press("Enter")
    page.keyboard.type("Bo")
    for _ in range(3):  # past the other speaker and the button for everywhere
        press("Tab")
    expect(naming.get_by_role("button", name="Only this line")).to_be_focused()
    press("Space")
    expect(first.locator(".speaker")).to_have_text("Bo")
    expect(first.locator(".speaker")).to_be_focused()
    kept = analysis_of(store, media_id)
    assert (kept.speakers, kept.line_speakers) == ({"Speaker 1": "Ann"}, {0: "Bo"})
    undo = page.get_by_role("button", name="Undo")
    for left in ("Ann", "Speaker 1"):
        undo.focus()
        press("Enter")
        expect(first.locator(".speaker")).to_have_text(left)
    kept = analysis_of(store, media_id)
    assert (kept.speakers, kept.line_speakers) == ({}, {})


def test_action_items_are_changed_with_the_mouse(
    page: Page, opened: Open, store: SqliteStore, frontend: Site, answer: dict[str, Any]
) -> None:
    media_id = opened(spoken(answer))
    text = answer["insights"]["action_items"][0]
    page.get_by_role("tab", name="Action items").click()
    items = page.locator(".items li")
    page.get_by_role("checkbox", name=text).check()
    page.get_by_label("New action item").fill("Book a room")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(items).to_have_count(2)
    expect(page.get_by_label("New action item")).to_have_value("")
    page.get_by_role("button", name="Edit: Book a room").click()
    page.get_by_label("Action item", exact=True).fill("Book the *large* room")
    page.get_by_label("Person").fill("Ann")
    page.get_by_label("Due on").fill("2026-04-01")
    page.get_by_role("button", name="Save").click()
    expect(items.nth(1)).to_contain_text("Book the *large* room")
    expect(items.nth(1)).to_contain_text("Ann · 1 April 2026")
    page.get_by_role("button", name=f"Delete: {text}").click()
    expect(items).to_have_count(1)
    page.locator(".items").get_by_role("button", name="Undo").click()
    expect(items).to_have_count(2)

    page.reload()
    page.get_by_role("tab", name="Action items").click()
    expect(page.get_by_role("checkbox", name=text)).to_be_checked()
    done, booked = analysis_of(store, media_id).action_items
    assert (done.text, done.done, done.owner) == (text, True, "Speaker 2")
    assert (booked.text, booked.owner, booked.due_date) == (
        "Book the *large* room",
        "Ann",
        "2026-04-01",
    )
    # What is changed after the page was drawn is in documents too, and in the dashboard.
    page.get_by_role("checkbox", name="Book the *large* room").check()
    expect(page.get_by_text("2 of 2 done")).to_be_visible()
    page.get_by_role("checkbox", name=text).uncheck()
    expect(page.get_by_text("1 of 2 done")).to_be_visible()
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Markdown (.md)").click()
    document = Path(download.value.path()).read_text()
    assert "- [x] Book the \\*large\\* room (Ann, 2026-04-01)" in document
    assert [each.item.text for each in store.open_items() if each.media_id == media_id] == [text]


def test_action_items_are_changed_with_the_keyboard(
    page: Page, opened: Open, store: SqliteStore, answer: dict[str, Any]
) -> None:
    media_id = opened(spoken(answer))
    text = answer["insights"]["action_items"][0]
    press, write = page.keyboard.press, page.keyboard.type
    page.get_by_role("tab", name="Action items").click()
    box = page.get_by_role("checkbox", name=text)
    box.focus()
    press("Space")
    expect(page.get_by_text("1 of 1 done")).to_be_visible()
    expect(box).to_be_focused()
    edit = page.get_by_role("button", name=f"Edit: {text}")
    edit.focus()
    press("Enter")
    expect(page.get_by_label("Action item", exact=True)).to_be_focused()
    write(" at once")
    press("Escape")
    expect(edit).to_be_focused()
    press("Enter")
    press("End")
    write(" soon")
    press("Tab")
    press("ControlOrMeta+a")
    write("Bo")
    press("Enter")
    expect(page.get_by_role("button", name=f"Edit: {text} soon")).to_be_focused()
    new = page.get_by_label("New action item")
    new.focus()
    write("Rest")
    press("Enter")
    expect(page.get_by_role("checkbox", name="Rest")).to_be_visible()
    expect(new).to_be_focused()
    page.get_by_role("button", name="Delete: Rest").focus()
    press("Enter")
    expect(page.get_by_text("Deleted “Rest”.")).to_be_visible()
    expect(page.locator(".items").get_by_role("button", name="Undo")).to_be_focused()
    (item,) = analysis_of(store, media_id).action_items
    assert (item.text, item.owner, item.done) == (f"{text} soon", "Bo", True)


def test_without_a_language_model_pages_say_how_to_add_one(page: Page, opened: Open) -> None:
    opened()
    banner = page.get_by_test_id("stAlert").filter(has_text="Made offline, from quotes")
    expect(banner).to_contain_text("docs/how-to/insights.md")
    page.get_by_role("tab", name="Ask").click()
    settle(page)
    page.get_by_label("Your question").fill("Who is right?")
    page.get_by_label("Your question").press("Enter")
    hint = page.get_by_test_id("stAlert").filter(has_text="Questions need").last
    expect(hint).to_be_visible()
    expect(page.locator("[data-testid=stAlertContentInfo]").last).to_contain_text("LOCAL_LLM_MODEL")
    expect(page.locator("[data-testid=stAlertContentError]")).to_have_count(0)


def test_insights_are_made_again_from_the_edited_text(
    page: Page, opened: Open, store: SqliteStore, answer: dict[str, Any]
) -> None:
    media_id = opened(answer | {"insights": None})
    last = answer["segments"][-1]["id"]
    text = "Ann will send the invoice to the bank by Tuesday."
    store.update_analysis(media_id, edits={last: text})
    page.get_by_role("button", name="Generate insights").click()
    page.get_by_role("tab", name="Action items").click()
    expect(page.get_by_role("checkbox", name=text)).to_be_visible()
    kept = analysis_of(store, media_id)
    assert [item.evidence for item in kept.action_items if item.text == text] == [(last,)]
    page.get_by_role("checkbox", name=text).check()
    expect(page.get_by_text(re.compile(r"^1 of \d+ done$"))).to_be_visible()
    page.get_by_role("tab", name="Summary").click()
    page.get_by_role("button", name="Generate insights again").click()
    expect(page.get_by_text(re.compile("sections are new. Action items: .* kept"))).to_be_visible()
    expect(page.get_by_role("button", name="Generate insights again")).to_be_visible()
    assert [item.done for item in analysis_of(store, media_id).action_items if item.text == text]


def test_sentiment_is_a_chart_that_leads_to_its_places(
    page: Page, opened: Open, answer: dict[str, Any]
) -> None:
    opened()
    timeline = answer["insights"]["details"]["sentiment_timeline"]
    place = [at["label"] for at in timeline].index("negative")
    page.get_by_role("tab", name="Sentiment").click()
    expect(page.get_by_text(f"{len(timeline)} segments: ", exact=False)).to_be_visible()
    bars = page.get_by_test_id("stVegaLiteChart").locator(".mark-rect path")
    expect(bars).to_have_count(len(timeline))
    bars.nth(place).click()
    expect_playing_from(page, answer["segments"][timeline[place]["segment"]]["start"])


def test_every_document_can_be_taken_away(page: Page, opened: Open, answer: dict[str, Any]) -> None:
    opened(title="Launch: week 1")
    page.get_by_role("button", name="Export").click()

    def take(label: str) -> bytes:
        with page.expect_download() as download:
            page.get_by_role("button", name=label).click()
        suffix = label[label.index("(") + 1 : -1]
        assert download.value.suggested_filename == f"Launch week 1{suffix}"
        return Path(download.value.path()).read_bytes()

    texts = [segment["text"].strip() for segment in answer["segments"]]
    assert take("Plain text (.txt)").decode().splitlines() == texts
    subtitles = take("Subtitles (.srt)").decode()
    numbers = re.findall(r"^\d+$", subtitles, re.M)
    assert numbers == [str(number) for number in range(1, len(numbers) + 1)]
    shown = re.sub(r"^(\d+|.* --> .*)$", "", subtitles, flags=re.M).split()
    assert shown == " ".join(texts).split()
    assert take("Web subtitles (.vtt)").decode().count(" --> ") == len(numbers)
    assert json.loads(take("Data (.json)"))["segments"] == answer["segments"]
    assert take("Markdown (.md)").decode().startswith("# Launch: week 1\n")
    document = docx.Document(io.BytesIO(take("Word document (.docx)")))
    assert document.paragraphs[0].text == "Launch: week 1"


def test_a_recording_that_is_deleted_can_be_brought_back(
    page: Page, opened: Open, store: SqliteStore
) -> None:
    media_id = opened()
    address = page.url
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("moved to the bin")).to_be_visible()
    assert store.audio(media_id) is not None
    page.goto(address)
    expect(page.get_by_text("This recording is in the bin")).to_be_visible()
    page.get_by_role("button", name="Restore").click()
    expect(page.locator(".lines > li").first).to_be_visible()
    assert store.media(media_id).deleted_at is None


def test_a_long_transcript_stays_quick(page: Page, opened: Open) -> None:
    opened(long_answer())
    expect(page.locator(".lines > li")).to_have_count(5000)
    # Measured where it happens; expectations that have to wait would look at every line each time.
    count, took_ms = page.locator(".find input").evaluate(
        """(field) => {
            const find = (query) => {
                field.value = query;
                field.dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter'}));
                field.getBoundingClientRect();
                return field.getRootNode().querySelector('.count').textContent;
            };
            const begun = performance.now();
            const everywhere = find('e');
            const took_ms = performance.now() - begun;
            return [[everywhere, find('sentence 4321 ')], took_ms];
        }"""
    )
    assert count[0].startswith("1 of ")
    assert count[1] == "1 of 1"
    assert took_ms < 2000
    expect(page.locator("mark.here")).to_be_in_viewport()


def test_a_format_that_browsers_do_not_play_is_copied(
    page: Page, opened: Open, answer: dict[str, Any], tmp_path: Path
) -> None:
    recorded = tmp_path / "talk.aiff"
    subprocess.run(["ffmpeg", "-v", "error", "-i", MEETING, recorded], check=True)
    opened(audio=recorded)
    expect(page.locator("audio")).to_have_attribute("src", re.compile("copy"))
    line(page, 3).locator(".line").click()
    expect_playing_from(page, answer["segments"][3]["start"])


def test_audio_that_is_none_is_said(page: Page, opened: Open, tmp_path: Path) -> None:
    broken = tmp_path / "talk.avi"
    broken.write_bytes(b"not a film")
    opened(audio=broken)
    expect(page.get_by_text("The recording cannot be played here.")).to_be_visible()
    expect(page.get_by_role("searchbox")).to_be_visible()


def test_a_phone_shows_one_column_without_scrolling_sideways(page: Page, opened: Open) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    opened()
    expect(page.get_by_role("tab", name="Summary")).to_be_visible()
    player, tab = page.get_by_role("group", name="Player"), page.get_by_role("tab", name="Summary")
    jump = page.get_by_role("button", name="Text / insights")
    for part in (tab, line(page, 0).locator(".time")):
        jump.click()
        expect(part).to_be_in_viewport()
        expect(player).to_be_in_viewport(ratio=1)
    main = page.get_by_test_id("stMain")
    assert main.evaluate("main => main.scrollWidth <= main.clientWidth")
