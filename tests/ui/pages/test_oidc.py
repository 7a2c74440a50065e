"""Signing in with an OpenID Connect provider, in a real browser, to a stand-in for one."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx2 as httpx
import pytest
from playwright.sync_api import Page, expect

from echostream_ui.library.sqlite.store import SqliteStore
from ui.oidc_provider import CLIENT, SECRET, Provider, oidc_provider
from ui.recordings import add_recording, long_answer
from ui.site import Site, free_port, settle, site

pytest.importorskip("authlib", reason="Streamlit signs in with it: install the extra `ui`")

ANN = {"email": "ann@example.com", "email_verified": True}


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with oidc_provider() as running:
        yield running


@pytest.fixture(scope="module")
def frontend(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    library = tmp_path_factory.mktemp("oidc") / "library"
    port = free_port()
    oidc = {
        "OIDC_URL": provider.metadata_url,
        "OIDC_CLIENT_ID": CLIENT,
        "OIDC_CLIENT_SECRET": SECRET,
        "OIDC_ALLOWED": "ann@example.com",
        "FRONTEND_URL": f"http://127.0.0.1:{port}",
    }
    with site("http://127.0.0.1:1", library, port=port, **oidc) as running:
        yield running


def test_who_is_allowed_sees_the_library_and_signs_out(
    frontend: Site, provider: Provider, page: Page
) -> None:
    store = SqliteStore(frontend.library)
    media_id = add_recording(store, long_answer(3), title="Behind the provider")
    store.close()
    page.goto(f"{frontend.url}/recording?id={media_id}")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    provider.person = ANN
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("1 recording.")).to_be_visible()
    page.goto(f"{frontend.url}/recording?id={media_id}")  # as one who comes back tomorrow
    expect(page.get_by_role("heading", name="Behind the provider")).to_be_visible()
    page.wait_for_function("document.querySelector('audio')?.readyState > 0")
    page.get_by_role("link", name="Backup").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename.startswith("echostream-library-")

    page.get_by_role("button", name="ann@example.com").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    page.goto(frontend.url)
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_others_see_nothing_by_keyboard_either(
    frontend: Site, provider: Provider, page: Page
) -> None:
    for person, told in (
        ({"email": "bo@example.com", "email_verified": True}, "bo@example.com may not see"),
        (ANN | {"email_verified": False}, "ann@example.com may not see"),
    ):
        provider.person = person
        page.goto(frontend.url)
        expect(page.get_by_role("button", name="Sign in")).to_be_visible()
        settle(page)
        page.get_by_role("button", name="Sign in").press("Enter")
        expect(page.get_by_role("alert").get_by_text(told)).to_be_visible()
        expect(page.get_by_role("link", name="Dashboard")).to_have_count(0)
        page.get_by_role("button", name="Sign out").press("Enter")
        expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_the_provider_refuses(frontend: Site, provider: Provider, page: Page) -> None:
    provider.person = None
    page.goto(frontend.url)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{frontend.url}/")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_recordings_are_not_served_to_strangers(frontend: Site, tmp_path: Path) -> None:
    media_id = str(uuid4())
    file = tmp_path / "secret.wav"
    file.write_bytes(b"sound")
    store = SqliteStore(frontend.library)
    store.keep_audio(media_id, file)
    store.close()
    for query in ("", "?key=", "?key=" + "0" * 64, "?copy"):
        answer = httpx.get(f"{frontend.url}/audio/{media_id}{query}", trust_env=False)
        assert answer.status_code == 401
        assert b"sound" not in answer.content
        assert httpx.get(f"{frontend.url}/library.zip{query}", trust_env=False).status_code == 403
    assert httpx.post(f"{frontend.url}/visit", trust_env=False).status_code == 403
