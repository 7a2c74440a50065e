"""What the page of a live recording shows: the text with its times, who probably speaks, and the
insights so far."""

from bisect import bisect_right
from dataclasses import dataclass

from echostream_ui.library.values import Json


@dataclass(frozen=True, slots=True)
class Piece:
    """Confirmed text, which is appended to the pieces before it. `seq` counts from 1; times are in
    seconds from the start of the recording, pauses not counted."""

    seq: int
    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True, slots=True)
class Label:
    """Who speaks in the piece with this `seq`. A later label of the same piece replaces it."""

    seq: int
    speaker: str


class Said:
    """What the API has told. `pieces` and `labels` only ever grow, so that a page can be told what
    is new by counting."""

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self.labels: list[Label] = []
        self.tentative = ""
        self.lag_ms: int | None = None
        self.insights: Json | None = None
        """Those so far, as `insights_so_far` has them."""
        self.final_pass: Json | None = None
        """How far the final pass is: `stage`, `progress` in percent, `secondsLeft`."""
        self.is_revised = False
        """Whether the final pass has found other words."""

    def take_partial(self, partial: Json) -> None:
        """Takes a `partial_transcript`."""
        self.tentative = partial["tentative"]
        self.lag_ms = partial["lagMs"]
        if partial["text"]:
            self.pieces.append(
                Piece(partial["seq"], partial["start"], partial["end"], partial["text"])
            )
        for each in partial.get("labels", ()):
            self.labels.append(Label(each["seq"], each["speaker"]))

    def take_insights(self, update: Json) -> None:
        """Takes an `insights_update`."""
        self.insights = insights_so_far(update)

    def take_progress(self, progress: Json) -> None:
        """Takes an `audio_progress`."""
        self.final_pass = {name: progress[name] for name in ("stage", "progress", "secondsLeft")}

    def settle(self, final: Json) -> None:
        """Takes an `audio_final`: names the speakers as it has them. The text stays as it is."""
        self.is_revised = bool(final.get("revised"))
        segments = final["segments"]
        told = {label.seq: label.speaker for label in self.labels}
        starts = [segment["start"] for segment in segments]
        for piece in self.pieces:
            place = bisect_right(starts, (piece.start_s + piece.end_s) / 2) - 1
            speaker = segments[max(0, place)].get("speaker") if segments else None
            if speaker is not None and speaker != told.get(piece.seq):
                self.labels.append(Label(piece.seq, speaker))


def insights_so_far(update: Json) -> Json:
    """What a page shows of an `insights_update`. Statements have the `id` that they keep, and the
    time of their evidence, `at`, in seconds; None if that is not known."""
    starts = {each["id"]: each["start"] for each in update.get("segments", ())}
    details = update["insights"]["details"]

    def shown(statement: Json) -> Json:
        known = [starts[number] for number in statement["evidence"] if number in starts]
        return {
            "id": statement["id"],
            "text": statement["text"],
            "owner": statement.get("owner"),
            "due": statement.get("due"),
            "at": min(known, default=None),
        }

    return {
        "actionItems": [shown(each) for each in details["action_items"]],
        "decisions": [shown(each) for each in details["decisions"]],
    }
