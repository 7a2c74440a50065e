"""Measures the web frontend in a real browser on loopback: how long every page takes to open in a
window without a cache, how much of it moves meanwhile, and how quick a long recording is.

It starts its own API and frontend, and needs the development dependencies and chromium.

    python -m benchmarks.frontend [--rounds 5] [--write]
"""

import argparse
import os
import statistics
import sys
import tempfile
import wave
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import results

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "tests")]

from playwright.sync_api import Browser, Page  # noqa: E402

from echostream_ui.library.sqlite.store import SqliteStore  # noqa: E402
from echostream_ui.library.values import Json  # noqa: E402
from ui.conftest import whisper_api  # noqa: E402
from ui.recordings import add_recording, long_answer  # noqa: E402
from ui.seeded import seed  # noqa: E402
from ui.shifts import OPENED, WATCH, WORST_SHIFT  # noqa: E402
from ui.site import Site, chromium, site, streamlit_site  # noqa: E402

MOST_LOAD_S = 3.0
MOST_SHIFT = 0.1
_RECORDINGS = 200
_SEGMENTS = 3000
_WORDS = 10
_RATE_HZ = 8000
_SIZE = {"width": 1440, "height": 900}
_STILL_MS = 2000
"""How long a page is watched after it has opened: what moves late moves under the reader's eyes."""


@dataclass(frozen=True, slots=True)
class Look:
    """A page: its name, its address, and what it has when it has opened (a CSS selector)."""

    name: str
    path: str
    wanted: str


@dataclass(frozen=True, slots=True)
class Opened:
    """Medians of several loads, and the largest shift among them."""

    load_s: float
    slowest_s: float
    shift: float


def report(rounds: int) -> str:
    """Returns a section of Markdown."""
    with (
        tempfile.TemporaryDirectory() as name,
        running(Path(name)) as (frontend, bare_url, (short, long)),
        chromium() as browser,
    ):
        looks = (
            Look("Library", "", ".recordings tbody tr"),
            Look("Add", "add", "input[type=file]"),
            Look("Live", "live", ".toggle"),
            Look("Dashboard", "dashboard", "[data-testid=stVegaLiteChart]"),
            Look("Ask", "ask", "textarea, input"),
            Look("A recording", f"recording?id={short}", ".lines > li"),
            Look(f"{_SEGMENTS:,} segments", f"recording?id={long}", ".lines > li"),
        )
        found = {look.name: opened(browser, frontend.url, look, rounds) for look in looks}
        bare = Look("a bare Streamlit page", "", "h1")
        found[bare.name] = opened(browser, bare_url, bare, rounds)
        deeds = long_recording(browser, f"{frontend.url}/recording?id={long}", rounds)
    return section(found, deeds, rounds)


@contextmanager
def running(folder: Path) -> Iterator[tuple[Site, str, tuple[str, str]]]:
    """A frontend with recordings, the address of a Streamlit page with nothing but a title, and the
    ids of a short and of the long recording."""
    script = folder / "bare.py"
    script.write_text('import streamlit as st\nst.title("Bare")\n')
    with closing(SqliteStore(folder / "library")) as store:
        short = seed(store, _RECORDINGS)[0].id
        long = add_recording(store, _long(), audio=_silence(folder), title="A long meeting")
    with (
        whisper_api() as api,
        site(api.url, folder / "library") as frontend,
        streamlit_site(script, folder / "bare.log") as (bare_url, _),
    ):
        yield frontend, bare_url, (short, long)


def _long() -> Json:
    """An answer with times of words."""
    answer = long_answer(_SEGMENTS)
    for segment in answer["segments"]:
        step_s = (segment["end"] - segment["start"]) / _WORDS
        words = [f"word{segment['id'] % 97}", *(["budget", "meeting", "plan"] * 3)]
        segment["text"] = f" {' '.join(words)}"
        segment["words"] = [
            {
                "word": word,
                "start": segment["start"] + place * step_s,
                "end": segment["start"] + (place + 1) * step_s,
                "probability": 0.9,
            }
            for place, word in enumerate(words)
        ]
    return answer


def _silence(folder: Path) -> Path:
    path = folder / "long.wav"
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 1, _RATE_HZ, 0, "NONE", ""))
        for _ in range(4 * 60):  # minutes
            sound.writeframes(b"\x80" * (60 * _RATE_HZ))
    return path


def opened(browser: Browser, url: str, look: Look, rounds: int) -> Opened:
    loads, shifts = [], []
    for _ in range(rounds):
        with browser.new_context(viewport=_SIZE) as context:
            page = context.new_page()
            page.add_init_script(WATCH)
            page.goto(f"{url}/{look.path}", wait_until="commit")
            loads.append(_ms(page, OPENED, look.wanted) / 1000)
            page.wait_for_timeout(_STILL_MS)
            shifts.append(float(page.evaluate(WORST_SHIFT)))
    return Opened(statistics.median(loads), max(loads), max(shifts))


def _ms(page: Page, until: str, given: object = None) -> float:
    return float(page.wait_for_function(until, arg=given, timeout=60_000).json_value())


_FIND = """(field) => {
  const begun = performance.now();
  field.value = "word17 budget";
  field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter" }));
  field.getBoundingClientRect();
  return performance.now() - begun;
}"""

_PLAY = """(line) => new Promise((done) => {
  const begun = performance.now();
  const audio = document.querySelector("audio");
  audio.addEventListener("playing", () => done(performance.now() - begun), { once: true });
  line.click();
})"""

_BEGIN_EDIT = """(line) => {
  window.begun = performance.now();
  line.parentElement.querySelector(".edit").click();
  line.getBoundingClientRect();
  return performance.now() - window.begun;
}"""

_SAVED = """(item) => new Promise((done) => {
  const begun = performance.now();
  const field = item.querySelector("textarea");
  field.value = field.value + " again";
  field.dispatchEvent(new Event("input", { bubbles: true }));
  new MutationObserver((_, watch) => {
    if (item.querySelector("textarea")) return;
    watch.disconnect();
    done(performance.now() - begun);
  }).observe(item, { childList: true, subtree: true });
  field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
})"""


def long_recording(browser: Browser, url: str, rounds: int) -> dict[str, float]:
    """Returns the medians of what a reader does there, in milliseconds."""
    took: dict[str, list[float]] = {}

    def note(deed: str, ms: float) -> None:
        took.setdefault(deed, []).append(ms)

    with browser.new_context(viewport=_SIZE) as context:
        page = context.new_page()
        page.goto(url)
        _ms(page, OPENED, ".lines > li")
        for round_ in range(rounds):
            line = page.locator(".lines > li").nth(700 * (round_ + 1) % _SEGMENTS)
            note("find a word in all lines", page.locator(".find input").evaluate(_FIND))
            line.scroll_into_view_if_needed()
            note("play from a line", line.locator(".line").evaluate(_PLAY))
            page.locator("audio").evaluate("audio => audio.pause()")
            note("open a line to edit it", line.locator(".line").evaluate(_BEGIN_EDIT))
            note("save the line", line.evaluate(_SAVED))
    return {deed: statistics.median(each) for deed, each in took.items()}


def section(found: dict[str, Opened], deeds: dict[str, float], rounds: int) -> str:
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    rows = [
        f"| {name} | {each.load_s:.2f} | {each.slowest_s:.2f} | {each.shift:.3f} |"
        for name, each in found.items()
    ]
    return "\n".join(
        [
            "## Web frontend\n",
            "`python -m benchmarks.frontend --write`\n",
            f"Chromium without a screen, {_SIZE['width']} × {_SIZE['height']}, API and frontend on",
            f"the same machine, {_RECORDINGS} recordings in the library. Loads of each",
            f"page: {rounds}, each in a window of its own without a cache. The shift is",
            "Cumulative Layout Shift, the worst of the loads, until",
            f"{_STILL_MS // 1000} s after the page has opened. Wanted:",
            f"under {MOST_LOAD_S:.0f} s and under {MOST_SHIFT}. The bare page is `st.title` alone:",
            f"what Streamlit itself takes. Load averages at the end: {load}.\n",
            "| page | opens in s, median | slowest | layout shift |",
            "|---|---|---|---|",
            *rows,
            "",
            f"A recording of {_SEGMENTS:,} segments and {_SEGMENTS * _WORDS:,} words:\n",
            "| what | ms, median |",
            "|---|---|",
            *(f"| {deed} | {ms:.0f} |" for deed, ms in deeds.items()),
            "",
        ]
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="put it into RESULTS.md")
    args = parser.parse_args(arguments)
    part = report(args.rounds)
    print(part)
    if args.write:
        results.put(part)


if __name__ == "__main__":
    main()
