"""A frontend with a password, in a real browser and asked directly."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path
from uuid import uuid4

import httpx2 as httpx
import pytest
from playwright.sync_api import Page, expect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from echostream_ui.library.sqlite.store import SqliteStore
from echostream_ui.settings import FrontendSettings
from echostream_ui.words.problems import open_to_all
from node_packages import installed
from ui.recordings import add_recording, long_answer
from ui.site import Site, site

NOWHERE = "http://127.0.0.1:1"
PASSWORD = "correct horse, <battery> & staple"
COOKIE = "echostream_door"


@pytest.fixture(scope="module")
def frontend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    library = tmp_path_factory.mktemp("password") / "library"
    names = {"FRONTEND_PASSWORD": PASSWORD, "PUBLIC_URL": "https://notes.example.com"}
    with site(NOWHERE, library, **names) as running:
        yield running


@pytest.fixture(scope="module")
def recording(frontend: Site) -> str:
    store = SqliteStore(frontend.library)
    media_id = add_recording(store, long_answer(3), title="Behind the door")
    store.close()
    return media_id


def client(frontend: Site, address: str, cookie: str = "") -> httpx.Client:
    """Somebody at another address, as a proxy on this machine tells it."""
    headers = {"X-Forwarded-For": address}
    if cookie:
        headers["Cookie"] = f"{COOKIE}={cookie}"
    return httpx.Client(base_url=frontend.url, headers=headers, trust_env=False, timeout=60)


def signed_in(frontend: Site, address: str) -> str:
    with client(frontend, address) as browser:
        answer = browser.post("/sign-in", data={"password": PASSWORD, "next": "/"})
    assert answer.status_code == 303
    return str(answer.cookies[COOKIE])


def asked_as_written(frontend: Site, path: str, accept: str) -> int:
    """The status for a path that no client has tidied up."""
    host, port = frontend.url.removeprefix("http://").split(":")
    connection = HTTPConnection(host, int(port), timeout=60)
    connection.request("GET", path, headers={"Accept": accept})
    status = connection.getresponse().status
    connection.close()
    return status


def _read_to_the_end(socket: ClientConnection) -> None:
    while True:
        socket.recv(timeout=60)


def test_nothing_answers_without_the_password(frontend: Site, recording: str) -> None:
    paths = [
        *("/", "/recording", "/index.html", "/favicon.png", "/_stcore/host-config"),
        *("/_stcore/metrics", "/_stcore/health/", "/_stcore/HEALTH", "//_stcore/health"),
        *("/_stcore/health/../host-config", "/%5Fstcore/host-config", "/_stcore/health%00"),
        *(f"/audio/{recording}", f"/audio/{uuid4()}", "/media/any.wav", "/live/socket"),
        *("/static/js/index.js", "/component/any/index.html", "/_stcore/bidi-components/any"),
        *("/auth/login", "/oauth2callback", "/nowhere", "/library.zip", "/share"),
    ]
    for path in paths:
        for accept in ("*/*", "text/html"):
            assert asked_as_written(frontend, path, accept) in (400, 401), path
    with client(frontend, "192.0.2.10") as stranger:
        for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"):
            for path in ("/visit", "/_stcore/upload_file/any/any", "/sign-out", "/"):
                assert stranger.request(method, path).status_code == 401, (method, path)
        assert stranger.get("/_stcore/health").text == "ok"
        forged = {"Cookie": f"{COOKIE}=forged.aaaaaa.bbbb"}
        assert stranger.get(f"/audio/{recording}", headers=forged).status_code == 401
    cookie = signed_in(frontend, "192.0.2.11")
    with client(frontend, "192.0.2.11", cookie) as visitor:
        assert visitor.get(f"/audio/{recording}").status_code == 200
        assert visitor.get("/_stcore/host-config").status_code == 200


def test_a_link_to_a_recording_needs_no_password_and_leads_nowhere_else(
    frontend: Site, recording: str
) -> None:
    with closing(SqliteStore(frontend.library)) as store:
        secret = store.shares.add(recording, timedelta(days=1), has_sound=True)
    with client(frontend, "192.0.2.15") as stranger:
        assert "Behind the door" in stranger.get(f"/share/{secret}").text
        assert stranger.get(f"/share/{secret}/audio").status_code == 200
    beside = ("", "../_stcore/host-config", f"../audio/{recording}", f"{secret}/../../", "%2e%2e/")
    for path in beside:
        assert asked_as_written(frontend, f"/share/{path}", "text/html") in (400, 404), path


def test_a_websocket_needs_the_cookie_and_ends_with_it(frontend: Site) -> None:
    stream = f"{frontend.url.replace('http', 'ws', 1)}/_stcore/stream"
    for path in (stream, f"{frontend.url.replace('http', 'ws', 1)}/live/socket"):
        with pytest.raises(InvalidStatus) as refused, connect(path, proxy=None):
            pass
        assert refused.value.response.status_code == 403
    cookie = signed_in(frontend, "192.0.2.12")
    headers = {"Cookie": f"{COOKIE}={cookie}"}
    with (
        connect(stream, proxy=None, additional_headers=headers) as socket,
        client(frontend, "192.0.2.12", cookie) as visitor,
    ):
        assert visitor.post("/sign-out").status_code == 204
        with pytest.raises(ConnectionClosed):
            _read_to_the_end(socket)
        assert visitor.get("/").status_code == 401
    with pytest.raises(InvalidStatus), connect(stream, proxy=None, additional_headers=headers):
        pass


def test_guesses_have_to_wait_and_a_right_one_too(frontend: Site) -> None:
    with client(frontend, "192.0.2.13") as guesser:
        tries = [
            guesser.post("/sign-in", data={"password": f"guess {number}"}) for number in range(8)
        ]
        assert [each.status_code for each in tries[:5]] == [401] * 5
        assert tries[-1].status_code == 429
        assert 1 <= int(tries[-1].headers["Retry-After"]) <= 60
        assert "Try again in" in tries[-1].text
        late = guesser.post("/sign-in", data={"password": PASSWORD})
        assert (late.status_code, COOKIE in late.cookies) == (429, False)
    assert signed_in(frontend, "192.0.2.14")  # others do not wait


@pytest.mark.parametrize(
    ("wanted", "leads_to"),
    [
        ("/recording?id=1&q=a%20b", "/recording?id=1&q=a%20b"),
        ("//elsewhere.test/", "/"),
        ("/\\elsewhere.test", "/"),
        ("https://elsewhere.test", "/"),
        ("/a\r\nSet-Cookie: x=y", "/"),
        ("", "/"),
        ("/sign-in", "/"),
    ],
)
def test_signing_in_leads_to_a_page_of_ours(frontend: Site, wanted: str, leads_to: str) -> None:
    with client(frontend, "192.0.2.15") as browser:
        answer = browser.post("/sign-in", data={"password": PASSWORD, "next": wanted})
        assert (answer.status_code, answer.headers["Location"]) == (303, leads_to)


def test_the_cookie_and_the_page_are_careful(frontend: Site) -> None:
    with client(frontend, "192.0.2.16") as browser:
        https = {"X-Forwarded-Proto": "https"}
        answer = browser.post("/sign-in", data={"password": PASSWORD}, headers=https)
        kept = answer.headers["Set-Cookie"].lower()
        for part in ("httponly", "samesite=strict", "secure", "path=/", f"max-age={14 * 86400}"):
            assert part in kept
        page = browser.get('/?q="><script>alert(1)</script>', headers={"Accept": "text/html"})
        assert "<script>alert" not in page.text
        assert page.headers["Cache-Control"] == "no-store"
        assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
        huge = browser.post("/sign-in", data={"password": "x" * 20_000})
        assert huge.status_code == 400
        elsewhere = {"Sec-Fetch-Site": "cross-site"}
        forced = browser.post("/sign-in", data={"password": PASSWORD}, headers=elsewhere)
        assert (forced.status_code, COOKIE in forced.cookies) == (400, False)


def test_in_and_out_by_mouse(frontend: Site, recording: str, page: Page) -> None:
    page.goto(f"{frontend.url}/recording?id={recording}")
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("This is not the password.")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Behind the door")).to_be_visible()
    [cookie] = [each for each in page.context.cookies() if each["name"] == COOKIE]
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Strict"

    # Browsers hold the cookie back when a page of another site leads here.
    page.goto(f"data:text/html,<a href='{frontend.url}/recording?id={recording}'>here</a>")
    page.get_by_role("link", name="here").click()
    expect(page.get_by_role("heading", name="Behind the door")).to_be_visible()

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Password")).to_be_visible()
    page.goto(f"{frontend.url}/recording?id={recording}")
    expect(page.get_by_label("Password")).to_be_visible()
    with client(frontend, "192.0.2.17", cookie["value"]) as thief:
        assert thief.get(f"/audio/{recording}").status_code == 401


def test_in_by_keyboard_on_a_phone_as_everybody_can(
    frontend: Site, page: Page, pytestconfig: pytest.Config
) -> None:
    place = installed(pytestconfig, Path(__file__).parent.parent / "axe")
    axe = (place / "node_modules" / "axe-core" / "axe.min.js").read_text()
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(frontend.url)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.evaluate(axe)
        assert page.evaluate("axe.run().then(found => found.violations)") == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    expect(page.get_by_label("Password")).to_be_focused()
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Sign in")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Library")).to_be_visible()
    out = page.get_by_role("button", name="Sign out")
    out.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Password")).to_be_focused()


def test_an_open_frontend_is_warned_of() -> None:
    alone = FrontendSettings(_env_file=None)  # type: ignore[call-arg]
    asks = alone.model_copy(update={"frontend_password": PASSWORD})
    for address in ("0.0.0.0", "::", "192.0.2.1", "", None):
        assert "FRONTEND_PASSWORD" in (open_to_all(alone, address) or "")
        assert open_to_all(asks, address) is None
    for address in ("127.0.0.1", "::1", "localhost"):
        assert open_to_all(alone, address) is None
