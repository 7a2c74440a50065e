"""The page that a link shows, as HTML: whatever is written in a recording is text there."""

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

from hypothesis import given, settings
from hypothesis import strategies as st

from echostream_ui.library.analysis import ActionItem, Analysis
from echostream_ui.library.media import Media
from echostream_ui.sharing.page import CONTENT_SECURITY_POLICY, Sound, missing, page
from recordings import MONDAY, answer, media

RUDE = "</style><script>alert(1)</script> <img src=x onerror=alert(1)> &amp; \"'`{{ 7 * 7 }}"


def recording(text: str) -> tuple[Media, Analysis]:
    """A completed recording in which everything that people write is this text."""
    response = answer("one", "two")
    for segment in response["segments"]:
        segment["speaker"] = "A"
    insights = response["insights"] | {"summary": text}
    analysis = Analysis(
        media_id="m1",
        request={},
        response=response,
        insights=insights,
        edits={1: text},
        speakers={"A": text},
        action_items=(
            ActionItem(text, text, text, True, due_date="2026-11-27"),
            ActionItem("Rest"),
        ),
    )
    return media(title=text, duration_s=61.0, language="en", tags=("private tag",)), analysis


class Seen(HTMLParser):
    """Tags, attributes and text of a page, as a browser finds them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


PLAIN = Seen(page(*recording("plain"), Sound("secret/audio", False), MONDAY))


def test_the_page_says_what_the_recording_does() -> None:
    html = page(*recording("Ann & Bob"), Sound("secret/audio", False), MONDAY)
    text = " ".join(Seen(html).text.split())
    assert "Ann & Bob 2 November 2026 · 1 min 1 s · English" in text
    assert "Summary Ann & Bob Action items" in text
    assert "☑ Done: Ann & Bob Ann & Bob, Ann & Bob, 27 November 2026" in text
    assert "☐ To do: Rest" in text
    assert "0:00 Ann & Bob one Ann & Bob" in text  # the name, and the edited line
    assert "works until 2 November 2026" in text
    assert '<audio controls preload="metadata" src="secret/audio"' in html
    assert "private tag" not in text
    assert "talk.mp3" not in text


def test_sound_and_an_end_are_only_named_if_there_are_any() -> None:
    html = page(*recording("x"), None, None)
    assert "<audio" not in html
    assert "until" not in html
    assert "<video" in page(*recording("x"), Sound("secret/audio", True), None)


def test_a_recording_without_insights_or_speech() -> None:
    media, analysis = recording("x")
    bare = replace(analysis, response={"segments": []}, insights=None, action_items=())
    text = Seen(page(media, bare, None, None)).text
    assert "No speech was found" in text
    assert "Summary" not in text
    assert "Action items" not in text


@settings(max_examples=25, deadline=None)
@given(st.text(st.characters() | st.sampled_from("<>&\"'{}%\0\ud800\u202e"), max_size=40))
def test_no_text_becomes_markup(text: str) -> None:
    for rude in (text, f"{RUDE}{text}"):
        html = page(*recording(rude or "x"), Sound("secret/audio", False), MONDAY)
        seen = Seen(html.encode(errors="replace").decode())
        assert seen.tags == PLAIN.tags
        assert {name for name, _ in seen.attributes} == {name for name, _ in PLAIN.attributes}
    assert "{{ 7 * 7 }}" in seen.text


def test_nothing_but_the_own_style_and_sound_may_load() -> None:
    policy = CONTENT_SECURITY_POLICY
    for html in (page(*recording(RUDE), None, None), missing()):
        assert "<script" not in html
        assert "http" not in html
        [style] = re.findall("<style>(.*?)</style>", html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert f"style-src 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert "script" not in policy
