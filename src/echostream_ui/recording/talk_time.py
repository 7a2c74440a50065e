"""How long each speaker speaks."""

from collections.abc import Sequence
from dataclasses import dataclass

from echostream_ui.components.player import component, voices_of
from echostream_ui.library.analysis import Analysis
from echostream_ui.library.speakers import talk_times
from echostream_ui.library.transcript import Line
from echostream_ui.words import wording


@dataclass(frozen=True, slots=True)
class Share:
    """A speaker's part of the talk time. `voice` is the number of the colour in the transcript."""

    name: str
    voice: int
    seconds: float
    share: float


def show(analysis: Analysis, lines: Sequence[Line]) -> None:
    """Shows each speaker's share, or nothing for a single one. `lines` are the analysis's."""
    if shares := shares_of(analysis, lines):
        people = [
            {
                "name": each.name,
                "voice": each.voice,
                "share": each.share,
                "told": f"{each.share:.0%}, {wording.duration(each.seconds)}",
            }
            for each in shares
        ]
        component("talk_time")(key="talk-time", data={"label": "Talk time", "people": people})


def shares_of(analysis: Analysis, lines: Sequence[Line]) -> list[Share]:
    """Returns the speakers with their shares of the talk time, the largest first."""
    times = talk_times(analysis)
    whole_s = sum(each.seconds for each in times)
    if len(times) < 2 or not whole_s:
        return []
    voices = voices_of(lines)
    shares = [
        Share(each.name, voices.get(each.name, len(voices)), each.seconds, each.seconds / whole_s)
        for each in times
    ]
    return sorted(shares, key=lambda each: -each.share)
