"""Signing in, in a real browser, to a project that is shaped like Supabase's."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from conftest import SAMPLE
from postgres_server import PostgresServer
from supabase_standin.project import Project, prepare, supabase_project
from ui.site import Site, hasten, settle, site, with_microphone
from web.process import ServerProcess

PASSWORD = "a long password"
_HEAR_SECRET = """window.echostreamRecording.hear(
    { said: [[1, 0, 900, ' secret']], labels: [], tentative: '', lagMs: 0 }, true)"""


@pytest.fixture(scope="module")
def project() -> Iterator[Project]:
    with PostgresServer() as server:
        prepare(server)
        with supabase_project(server, "sign_in") as running:
            running.add_user("ada@example.com", PASSWORD)
            running.add_user("grace@example.com", PASSWORD)
            yield running


@pytest.fixture(scope="module")
def frontend(
    api: ServerProcess, project: Project, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    supabase = {"SUPABASE_URL": project.url, "SUPABASE_ANON_KEY": project.anon_key}
    folder = tmp_path_factory.mktemp("frontend") / "library"
    with site(api.url, folder, **supabase) as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """In a window of its own. In that of all tests the cookie of a visit could come after the test,
    when those were cleared, and the next one would be signed in."""
    with browser.new_context(viewport={"width": 1280, "height": 900}) as window:
        page = window.new_page()
        page.set_default_timeout(30_000)
        yield page


def sign_in(page: Page, frontend: Site, email: str, password: str = PASSWORD) -> None:
    page.goto(frontend.url)
    page.get_by_label("E-mail").first.fill(email)
    page.get_by_label("Password").first.fill(password)
    page.get_by_role("button", name="Sign in").click()


def test_each_has_their_own_library_and_stays_signed_in(
    frontend: Site, browser: Browser, page: Page
) -> None:
    sign_in(page, frontend, "ada@example.com")
    page.get_by_role("link", name="Add recordings").click()
    page.locator("input[type=file]").first.set_input_files(str(SAMPLE))
    expect(page.get_by_text("meeting.wav").first).to_be_visible()
    page.get_by_role("button", name="Add", exact=True).first.click()
    expect(page.get_by_role("link", name="Open")).to_be_visible()

    page.goto(frontend.url)  # as one who comes back tomorrow
    expect(page.get_by_text("1 recording.")).to_be_visible()
    cookies = {cookie["name"]: cookie for cookie in page.context.cookies()}
    assert cookies["echostream_visit"]["httpOnly"]

    with browser.new_context() as another:
        other = another.new_page()
        sign_in(other, frontend, "grace@example.com")
        expect(other.get_by_text("Nothing here yet")).to_be_visible()

    page.get_by_role("button", name="ada@example.com").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Password").first).to_be_visible()
    page.goto(frontend.url)
    expect(page.get_by_label("Password").first).to_be_visible()


def test_in_and_out_again_lead_to_whole_pages(frontend: Site, page: Page) -> None:
    hasten(page)
    page.goto(f"{frontend.url}/recording?id=some&reset=1")
    for place, heading in (("recording", "Recording"), ("backup", "Backup")):
        page.get_by_label("E-mail").first.fill("ada@example.com")
        page.get_by_label("Password").first.fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        if place == "backup":
            page.get_by_role("link", name="Backup").click()
        else:  # where the link led
            expect(page).to_have_url(f"{frontend.url}/recording?id=some")
        expect(page.get_by_role("heading", name=heading, exact=True)).to_be_visible()
        settle(page)
        page.get_by_role("button", name="ada@example.com").click()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("Password").first).to_be_visible()
        expect(page).to_have_url(f"{frontend.url}/")


def test_who_signs_in_next_sees_nothing_of_a_recording(frontend: Site, browser: Browser) -> None:
    with with_microphone(browser) as heard:
        page = heard.new_page()
        sign_in(page, frontend, "ada@example.com")
        page.get_by_role("link", name="Live", exact=True).click()
        page.get_by_role("button", name="Start recording").click()
        expect(page.get_by_role("button", name="Stop")).to_be_visible()
        page.evaluate(_HEAR_SECRET)
        expect(page.locator(".piece")).to_have_text(" secret")
        page.get_by_role("button", name="ada@example.com").click()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("Password").first).to_be_visible()
        bar = page.get_by_role("region", name="Recording", exact=True)
        expect(bar.get_by_role("button", name="Show the text")).to_be_hidden()
        page.evaluate(_HEAR_SECRET)

        page.get_by_label("E-mail").first.fill("grace@example.com")
        page.get_by_label("Password").first.fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("link", name="Live", exact=True).click()
        expect(page.get_by_text("What is said appears here.")).to_be_visible()
        assert page.locator(".confirmed").inner_text() == ""
        assert page.get_by_text("secret").count() == 0


def test_a_wrong_password_and_a_page_for_nobody(frontend: Site, page: Page) -> None:
    page.goto(f"{frontend.url}/dashboard")
    expect(page.get_by_label("Password").first).to_be_visible()
    sign_in(page, frontend, "ada@example.com", "wrong password")
    expect(page.get_by_role("alert")).to_contain_text("password")
    expect(page.get_by_text("Nothing here yet")).to_have_count(0)


def test_a_new_account(frontend: Site, page: Page) -> None:
    page.goto(frontend.url)
    page.get_by_role("tab", name="Create an account").click()
    panel = page.get_by_role("tabpanel")
    panel.get_by_label("E-mail").fill("new@example.com")
    panel.get_by_role("textbox", name="Password").fill(PASSWORD)
    panel.get_by_role("button", name="Create account").click()
    expect(page.get_by_text("Nothing here yet")).to_be_visible()


def test_a_forgotten_password(frontend: Site, project: Project, page: Page) -> None:
    page.goto(frontend.url)
    page.get_by_role("tab", name="Forgotten password").click()
    panel = page.get_by_role("tabpanel")
    panel.get_by_label("E-mail").fill("grace@example.com")
    panel.get_by_role("button", name="Send a link").click()
    expect(page.get_by_text("is on its way")).to_be_visible()
    (_, link) = project.mails[-1]
    page.goto(link)
    page.get_by_role("textbox", name="New password").fill("another long password")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Nothing here yet")).to_be_visible()
