"""How long each speaker speaks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from echostream_ui.components.player import component, voices_of
from echostream_ui.library.store import Json
from echostream_ui.library.transcript import Line
from echostream_ui.words import wording


@dataclass(frozen=True, slots=True)
class Share:
    """A speaker's part of the talk time. `voice` is the number of the colour in the transcript."""

    name: str
    voice: int
    seconds: float
    share: float


def show(response: Json, names: Mapping[str, str], lines: Sequence[Line]) -> None:
    """Shows each speaker's share, or nothing for a single one. `names` are the user's."""
    if shares := shares_of(response, names, lines):
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


def shares_of(response: Json, names: Mapping[str, str], lines: Sequence[Line]) -> list[Share]:
    """Returns the speakers with their shares of the talk time, the largest first. Speakers with the
    same name are one."""
    seconds: dict[str, float] = {}
    for each in response.get("speakers") or ():
        name = names.get(each["id"]) or each.get("name") or each["id"]
        seconds[name] = seconds.get(name, 0.0) + each["seconds"]
    whole_s = sum(seconds.values())
    if len(seconds) < 2 or not whole_s:
        return []
    voices = voices_of(lines)
    shares = [
        Share(name, voices.get(name, len(voices)), taken_s, taken_s / whole_s)
        for name, taken_s in seconds.items()
    ]
    return sorted(shares, key=lambda each: -each.share)
