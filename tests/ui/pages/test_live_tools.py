"""What can be done during a live recording, by mouse and by keyboard: pause, bookmarks, insights,
and the sound of a tab."""

import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

from echostream_ui.library.analysis import Analysis, Bookmark
from echostream_ui.library.media import Media
from echostream_ui.library.sqlite.store import SqliteStore
from ui.microphone import QUESTION, LivePage, hearing
from ui.site import Site, settle
from web.support import wait_until

PROMISES = slice(8, 10)
_PAUSE_MS = 3000

# Keeps what the recorder says of the last reading: it may be over before a test looks.
_KEEP_PASS = """(words) => {
    window.told = [];
    new MutationObserver(() => window.told.push(words.textContent))
        .observe(words, { childList: true });
}"""

# What the microphone hears, as if a tab played it: no browser without a screen shares one.
_SHARE = """
navigator.mediaDevices.getDisplayMedia = async (wanted) => {
    window.wanted = wanted;
    const picture = document.createElement("canvas").captureStream();
    if (window.isMute) return picture;
    const sound = await navigator.mediaDevices.getUserMedia({ audio: wanted.audio });
    return new MediaStream([...picture.getTracks(), ...sound.getTracks()]);
};
"""


# A browser tells it so when the user presses its own button.
_END_SHARING = """() => {
    const [track] = window.echostreamRecording.sound.streams.shared.getAudioTracks();
    track.stop();
    track.dispatchEvent(new Event("ended"));
}"""


def opened(page: Page, store: SqliteStore) -> tuple[Media, Analysis]:
    """The recording whose page is shown."""
    page.wait_for_url("**/recording?id=*")
    [media_id] = parse_qs(urlsplit(page.url).query)["id"]
    media, analysis = store.media(media_id), store.analysis(media_id)
    assert media is not None
    assert analysis is not None
    return media, analysis


def wait_for_audio(page: Page, store: SqliteStore) -> None:
    """It is moved into the library after the text."""
    media_id = page.evaluate("window.echostreamRecording.id")
    wait_until(lambda: store.audio(media_id) is not None, "the audio is in the library")


def marked(page: Page, store: SqliteStore) -> tuple[Bookmark, ...]:
    return opened(page, store)[1].bookmarks


def bookmarks(page: Page) -> Locator:
    return page.get_by_role("region", name="Bookmarks")


def expect_playing_from(page: Page, start_s: float) -> None:
    page.wait_for_function(
        "start => document.querySelector('audio')?.currentTime > start", arg=start_s
    )


def test_pause_bookmark_and_insights_by_mouse(
    frontend: Site, store: SqliteStore, tmp_path: Path
) -> None:
    with hearing(PROMISES, tmp_path) as browser:
        page = browser.new_page()
        live = LivePage(page, frontend)
        page.get_by_text("Insights while I speak").click()
        page.get_by_label("Speakers").click()
        page.get_by_role("option", name="Find out how many").click()
        settle(page)
        live.start_button.click()
        page.locator(".piece").first.wait_for()
        page.get_by_role("button", name="Bookmark", exact=True).click()
        page.keyboard.type("The report")
        page.get_by_role("button", name="Bookmark", exact=True).click()
        live.wait_for_end(PROMISES)
        page.get_by_role("button", name="Pause").click()
        expect(live.notice).to_contain_text("Paused: what is said now is not recorded.")
        before_ms = page.evaluate("window.echostreamRecording.ms")
        page.wait_for_timeout(_PAUSE_MS)
        assert page.evaluate("window.echostreamRecording.ms") == before_ms
        page.get_by_role("button", name="Resume").click()
        bookmarks(page).get_by_role("button", name=re.compile("Remove")).last.click()
        page.locator(".pass-words").evaluate(_KEEP_PASS)
        text = live.text
        live.stop()
        length_ms = page.evaluate("window.echostreamRecording.ms")

        so_far = page.get_by_role("region", name="Insights so far")
        so_far.get_by_role("button", name=re.compile("Show the evidence")).first.click()
        expect(page.locator(".line:focus")).to_be_visible()
        expect(page.locator(".settled .speaker").first).to_have_text(re.compile(r"\w"))
        assert live.text.startswith(text)
        assert any("is read once more: " in words for words in page.evaluate("window.told"))

        page.get_by_text("Topics: ").wait_for()  # before, the button is drawn anew
        wait_for_audio(page, store)
        settle(page)
        page.get_by_role("link", name="Open the recording").click()
        media, analysis = opened(page, store)
        [mark] = analysis.bookmarks
        assert mark.note == "The report"
        assert media.duration_s == pytest.approx(length_ms / 1000, abs=1)
        expect(page.get_by_role("group", name="Player")).to_be_visible()
        bookmarks(page).get_by_role("link").click()
        expect_playing_from(page, mark.at_s)


def test_pause_and_bookmark_by_keyboard(frontend: Site, store: SqliteStore, tmp_path: Path) -> None:
    with hearing(QUESTION, tmp_path) as browser:
        page = browser.new_page()
        live = LivePage(page, frontend)
        page.get_by_label("Sound from").focus()
        page.keyboard.press("ArrowDown")
        expect(page.get_by_text("The browser asks what to share.")).to_be_visible()
        page.keyboard.press("ArrowUp")
        live.start_button.focus()
        page.keyboard.press("Enter")
        live.wait_for("ready")
        page.get_by_role("button", name="Pause").focus()
        page.keyboard.press("Enter")
        expect(live.notice).to_contain_text("Paused")
        page.keyboard.press("Enter")
        expect(live.notice).not_to_contain_text("Paused")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.keyboard.type("crucial")  # r and c are shortcuts of Streamlit
        page.keyboard.press("Enter")
        expect(page.locator(".mark:focus")).to_have_text("Bookmark")
        so_far_ms = page.evaluate("echostreamRecording.ms")  # there is something to hear after it
        page.wait_for_function("ms => echostreamRecording.ms > ms + 1000", arg=so_far_ms)
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Enter")
        page.get_by_text("Topics: ").wait_for()  # before, the button is drawn anew
        wait_for_audio(page, store)
        settle(page)
        page.get_by_role("link", name="Open the recording").focus()
        page.keyboard.press("Enter")

        [mark] = marked(page, store)
        assert mark.note == "crucial"
        expect(page.get_by_role("group", name="Player")).to_be_visible()
        place = bookmarks(page).get_by_role("link")
        place.focus()
        page.keyboard.press("Enter")
        expect_playing_from(page, mark.at_s)
        place.focus()
        page.keyboard.press("Tab")
        page.keyboard.type("Ask again")
        page.keyboard.press("Enter")
        wait_until(lambda: "Ask again" in marked(page, store)[0].note, "the note is kept")
        settle(page)
        bookmarks(page).get_by_role("button").focus()
        page.keyboard.press("Enter")
        expect(bookmarks(page).get_by_role("link")).to_have_count(0)
        assert marked(page, store) == ()


def test_the_sound_of_a_tab(frontend: Site, tmp_path: Path) -> None:
    with hearing(QUESTION, tmp_path) as browser:
        page = browser.new_page()
        page.add_init_script(_SHARE)
        live = LivePage(page, frontend)
        page.evaluate("window.isMute = true")
        page.get_by_label("Sound from").select_option("both")
        live.start_button.click()
        expect(page.get_by_role("alert").filter(has_text="no sound")).to_be_visible()
        page.evaluate("window.isMute = false")
        page.get_by_label("Sound from").select_option("a tab or screen")
        live.record_all(QUESTION, "ready")
        assert page.evaluate("window.wanted.video") is not False  # browsers refuse sound alone
        page.evaluate(_END_SHARING)  # that ends the recording: there is no other sound
        page.get_by_text("Topics: ").wait_for()


def test_a_browser_that_shares_no_sound(frontend: Site, page: Page) -> None:
    page.add_init_script("delete MediaDevices.prototype.getDisplayMedia")
    live = LivePage(page, frontend)
    expect(page.get_by_text("cannot share the sound of a tab")).to_be_visible()
    expect(page.get_by_role("option", name="both")).to_be_disabled()
    expect(live.start_button).to_be_enabled()
