"""Counts what becomes of requests, and tells it as a table."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.clips import Clip, is_of, words

STALLED = "job_stalled"


@dataclass
class Tally:
    """What became of requests of one kind.

    `refused` counts the codes of errors. `cut` counts connections that broke because their process
    was killed or stopped, `stalled` jobs that had cost two workers and were tried again, `repeated`
    webhooks that came again with the id they had. The last three must stay empty; each entry says
    in words what happened.
    """

    asked: int = 0
    accepted: int = 0
    completed: int = 0
    exact: int = 0
    cut: int = 0
    stalled: int = 0
    repeated: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)

    def complete(self, clip: Clip, text: str, clips: Sequence[Clip]) -> None:
        """Counts the text of a clip, which is one of `clips`."""
        self.completed += 1
        self.exact += words(clip.text) == words(text)
        if not is_of(clip, text, clips):
            self.wrong.append(f"{clip.name} says {clip.text!r}, not {text!r}")

    @property
    def faults(self) -> list[str]:
        kinds = {"lost": self.lost, "wrong": self.wrong, "doubled": self.doubled}
        return [f"{kind}: {what}" for kind, found in kinds.items() for what in found]


def deliveries(
    messages: Iterable[tuple[str, Mapping[str, Any]]],
    accepted: Mapping[str, Clip],
    clips: Sequence[Clip],
) -> Tally:
    """Compares webhooks, each an id and its content, with the accepted jobs, by their id. A message
    may come twice if it has the same id, so that its receiver can tell. A job that has stalled is
    tried again, and has another message then."""
    tally = Tally(asked=len(accepted), accepted=len(accepted))
    ids: dict[str, str] = {}
    for message_id, content in messages:
        data = content["data"]
        job_id = data["jobId"]
        if job_id not in accepted:
            tally.doubled.append(f"a webhook about {job_id}, which nobody was given")
        elif data.get("error") == STALLED:
            tally.stalled += 1
        elif job_id not in ids:
            ids[job_id] = message_id
            result = data.get("result") or {}
            tally.complete(accepted[job_id], result.get("transcript", ""), clips)
        elif ids[job_id] == message_id:
            tally.repeated += 1
        else:
            tally.doubled.append(f"{job_id} has the webhooks {ids[job_id]} and {message_id}")
    tally.lost += [f"no webhook about {job_id}" for job_id in accepted if job_id not in ids]
    return tally


def table(tallies: Mapping[str, Tally]) -> str:
    """A Markdown table with a row for each kind, and the codes of what was refused below it."""
    names = ("asked", "accepted", "completed", "word for word", "refused by code", "cut off")
    heads = (*names, "stalled", "repeated", "lost", "wrong", "doubled")
    rows = [f"| | {' | '.join(heads)} |", f"|---{'|---' * len(heads)}|"]
    codes: Counter[str] = Counter()
    for kind, tally in tallies.items():
        codes += tally.refused
        found = (
            *(tally.asked, tally.accepted, tally.completed, tally.exact),
            *(tally.refused.total(), tally.cut, tally.stalled, tally.repeated),
            *(len(tally.lost), len(tally.wrong), len(tally.doubled)),
        )
        rows.append(f"| {kind} | {' | '.join(map(str, found))} |")
    told = ", ".join(f"`{code}` {count}" for code, count in codes.most_common())
    return "\n".join([*rows, "", f"Refused: {told or 'nothing'}."])
