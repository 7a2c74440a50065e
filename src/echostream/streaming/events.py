"""What a live session tells its client."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from echostream.domain import Insights, Step, Transcript
from echostream.errors import EchoStreamError


@dataclass(frozen=True, slots=True)
class Label:
    """Who probably speaks in the partial with this `seq`. The final transcript may differ."""

    seq: int
    speaker: str


@dataclass(frozen=True, slots=True)
class Partial:
    """The result of one turn of the engine.

    `text` is appended to the transcript unchanged; `tentative` follows it until the next partial.
    `seq` counts the partials with text. `lag_ms` is how long ago the end of the new text (or of the
    tentative text, if there is no new text) arrived here. `labels` are the speakers of this and
    earlier partials that have become known. `channel` counts from 0 and is set if channels are read
    apart: then `tentative` is of that channel alone, and so is `speaker`, who is known once the
    channel has text.
    """

    text: str
    start_s: float
    end_s: float
    seq: int
    tentative: str
    lag_ms: int
    labels: tuple[Label, ...] = ()
    channel: int | None = None
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class Final:
    """The end of a session. If there is an error, the transcript may be incomplete.

    `live_text` is the text of all partials. The transcript differs from it if a final pass has
    read something else.
    """

    transcript: Transcript
    insights: Insights | None
    error: EchoStreamError | None = None
    live_text: str = ""

    @property
    def is_revised(self) -> bool:
        return self.transcript.text != self.live_text


@dataclass(frozen=True, slots=True)
class InsightsSoFar:
    """Insights into what was said so far. The ids are those of action items and decisions, in their
    order; one that is found again keeps its id. `said` is the transcript whose segments are their
    evidence."""

    insights: Insights
    action_item_ids: tuple[int, ...]
    decision_ids: tuple[int, ...]
    said: Transcript


Event = Partial | InsightsSoFar | Step | Final | EchoStreamError
"""A `Step` is the progress of the final pass."""
Listener = Callable[[Event], Awaitable[None]]
