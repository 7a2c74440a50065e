"""The partial result of an active job, stored in Redis beside the job.

It has its own hash, because Node expects a job's progress to be a number, and because jobs are
always read as a whole, even in lists, while the text of a long recording is about 200 kB.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SoFar:
    """The current stage of a job, the remaining time in whole seconds, and the transcript so far.
    None if unknown, for instance with workers that store nothing."""

    stage: str | None = None
    left_s: int | None = None
    text: str = ""

    def dump(self, *, with_text: bool) -> dict[str, str]:
        """The fields for the hash. Fields that are left out keep their value there."""
        left = "" if self.left_s is None else str(self.left_s)
        fields = {"stage": self.stage or "", "left_s": left}
        return fields | {"text": self.text} if with_text else fields

    @classmethod
    def load(cls, fields: dict[str, str]) -> "SoFar":
        """Reads what `dump` returned. The hash may be empty."""
        left = fields.get("left_s", "")
        return cls(
            stage=fields.get("stage") or None,
            left_s=int(left) if left.isdecimal() else None,
            text=fields.get("text", ""),
        )
