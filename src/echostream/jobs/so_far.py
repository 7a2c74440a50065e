"""What has come of a job that is being worked on, kept in Redis beside the job.

It is a hash of its own: Node reads the job's progress as a number, and a job is read whole by all
who look at it, also in lists, while the text of a long recording is some 200 kB.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SoFar:
    """The stage that an attempt at a job is in, the whole seconds that are left, and the transcript
    as far as it goes. None where it is not known, as with workers that keep nothing."""

    stage: str | None = None
    left_s: int | None = None
    text: str = ""

    def dump(self, *, with_text: bool) -> dict[str, str]:
        """As fields of a hash; those left out stay as they were."""
        left = "" if self.left_s is None else str(self.left_s)
        fields = {"stage": self.stage or "", "left_s": left}
        return fields | {"text": self.text} if with_text else fields

    @classmethod
    def load(cls, fields: dict[str, str]) -> "SoFar":
        """Read what `dump` gave, also where nothing is kept."""
        left = fields.get("left_s", "")
        return cls(
            stage=fields.get("stage") or None,
            left_s=int(left) if left.isdecimal() else None,
            text=fields.get("text", ""),
        )
