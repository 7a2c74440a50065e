"""The stored result of a finished job."""

from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from echostream.domain import Insights, Transcript
from echostream.schema import TranscriptionShape


@dataclass(frozen=True, slots=True)
class StoredResult:
    """A job's result as domain objects, so that every export can be made from it later."""

    transcript: Transcript
    insights: Insights | None
    cached: bool
    audio_id: str | None = None
    with_words: bool = True
    """Whether the client asked for word times. Exports use them in any case."""

    def dump(self) -> bytes:
        """The result as JSON."""
        return _ADAPTER.dump_json(self)

    @classmethod
    def load(cls, data: bytes) -> "StoredResult | None":
        """Reads `dump`'s JSON; None for anything else, such as that of an older version."""
        try:
            return _ADAPTER.validate_json(data)
        except ValidationError:
            return None

    def shape(self) -> dict[str, Any]:
        """The result as clients see it."""
        found = TranscriptionShape.of(
            self.transcript, self.insights, cached=self.cached, with_words=self.with_words
        )
        shape = found.model_dump(exclude={"success"})
        return shape | ({"audioId": self.audio_id} if self.audio_id else {})

    def summary(self) -> dict[str, Any]:
        """The same without segments, for messages that should stay small."""
        return {name: value for name, value in self.shape().items() if name != "segments"}


_ADAPTER = TypeAdapter(StoredResult)
