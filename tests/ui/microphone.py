"""A browser whose microphone hears the sample, and the Live page in it."""

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Locator, Page

from conftest import sample_pcm, sample_turns, write_wav
from ui.site import Site, chromium

_RATE_HZ = 16_000
_SILENCE_S = 60.0

QUESTION = slice(3, 4)
"""Turns of the sample that the tests' small model reads without a fault at any pace: one short
sentence, and three."""
SURVEY = slice(2, 4)


def spoken(turns: slice) -> str:
    """What these turns of the sample say."""
    return " ".join(turn["text"] for turn in sample_turns()[turns])


@contextmanager
def hearing(turns: slice, folder: Path) -> Iterator[Browser]:
    """A browser that hears these turns of the sample, once, from when a page listens; then silence.
    It asks nobody for leave."""
    heard = sample_turns()[turns]
    start_s, end_s = heard[0]["start_s"] - 0.3, heard[-1]["end_s"] + 0.4
    speech = sample_pcm()[int(start_s * _RATE_HZ) : int(end_s * _RATE_HZ)]
    silence = np.zeros(int(_SILENCE_S * _RATE_HZ), np.int16)
    sound = write_wav(folder / "microphone.wav", np.concatenate([speech, silence]))
    with chromium(
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={sound}%noloop",
    ) as browser:
        yield browser


class LivePage:
    """The page as a user has it before them."""

    def __init__(self, page: Page, site: Site) -> None:
        self.page = page
        page.set_default_timeout(30_000)
        page.goto(f"{site.url}/live")
        self.start_button.wait_for()

    @property
    def start_button(self) -> Locator:
        return self.page.get_by_role("button", name="Start recording")

    @property
    def text(self) -> str:
        """All that is confirmed."""
        return "".join(self.page.locator(".confirmed .piece").all_text_contents())

    @property
    def tentative(self) -> Locator:
        return self.page.locator(".tentative")

    @property
    def notice(self) -> Locator:
        return self.page.locator(".recorder .notice")

    def record_all(self, turns: slice, until: str) -> None:
        """Start, and wait until these words are confirmed, and all of the turns recorded."""
        self.start_button.click()
        self.wait_for(until)
        self.wait_for_end(turns)

    def wait_for(self, words: str) -> None:
        self.page.locator(".confirmed .said").filter(has_text=words).first.wait_for()

    def wait_for_end(self, turns: slice) -> None:
        """Until the clock is past the last word, whatever was made of it."""
        heard = sample_turns()[turns]
        least_s = math.ceil(heard[-1]["end_s"] - heard[0]["start_s"]) + 1
        times = "|".join(f"0:{second:02}" for second in range(least_s, 60))
        self.page.get_by_role("timer").filter(has_text=re.compile(f"^({times})$")).wait_for()

    def stop(self) -> None:
        self.page.get_by_role("button", name="Stop", exact=True).click()

    def picture(self, path: Path) -> None:
        """As it stands, for the documentation; in whatever size and scheme the page has."""
        self.page.screenshot(path=path)
