"""What is said: words, segments and the transcript, and what callers may ask of an engine."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from echostream.domain.speakers import Speaker

Task = Literal["transcribe", "translate"]

SPEECH_WITHOUT_TEXT = "speech_without_text"
DIARIZATION_FAILED = "diarization_failed"
FINAL_PASS_FAILED = "final_pass_failed"  # noqa: S105 - no password


@dataclass(frozen=True, slots=True)
class TranscribeOptions:
    """What a caller may ask of an engine.

    `model` is a name that the engine offers, or None for its default. `language` is an ISO 639-1
    code, or None to detect it for each part of the audio; then parts that are too short or unclear
    get `expected_language`. `hotwords` are names and terms that are likely to be said; every part
    gets them. A `draft` will be replaced by a later reading of the same audio, so no part of it is
    tried twice.
    """

    language: str | None = None
    expected_language: str | None = None
    task: Task = "transcribe"
    prompt: str | None = None
    hotwords: tuple[str, ...] = ()
    temperature: float = 0.0
    draft: bool = False
    model: str | None = None

    def with_vocabulary(self, words: Iterable[str]) -> "TranscribeOptions":
        """The same options, with more names and terms after their own."""
        return replace(self, hotwords=tuple(dict.fromkeys((*self.hotwords, *words))))


@dataclass(frozen=True, slots=True)
class Word:
    """One spoken word with its punctuation. `text` has no surrounding spaces; `space_before` says
    whether the engine wrote a space between the previous word and this one."""

    start_s: float
    end_s: float
    text: str
    probability: float = 1.0
    space_before: bool = True


@dataclass(frozen=True, slots=True)
class Segment:
    """A sentence or a part of one, and how confident the decoder was.

    `words` is only empty if the engine cannot time words. `channel` counts from 0 and is set if
    channels were transcribed separately. `language` is None if it is that of the transcript. The
    last five fields are Whisper's; other engines leave the neutral values.
    """

    id: int
    start_s: float
    end_s: float
    text: str
    words: tuple[Word, ...] = ()
    space_before: bool = True
    language: str | None = None
    channel: int | None = None
    speaker: str | None = None
    tokens: tuple[int, ...] = ()
    temperature: float = 0.0
    avg_logprob: float = 0.0
    compression_ratio: float = 1.0
    no_speech_prob: float = 0.0


def joined(pieces: Iterable[Word | Segment]) -> str:
    """Words or segments as text. Text is only joined here, so that French `C'est`, `70 %` and
    Japanese stay as the engine wrote them."""
    text: list[str] = []
    for piece in pieces:
        if stripped := piece.text.strip():
            if text and piece.space_before:
                text.append(" ")
            text.append(stripped)
    return "".join(text)


@dataclass(frozen=True, slots=True)
class Caution:
    """Something that readers of a transcript should know, such as speech without text. `code` is
    for programs, `message` is a sentence. Times are None if it concerns the whole transcript."""

    code: str
    message: str
    start_s: float | None = None
    end_s: float | None = None


@dataclass(frozen=True, slots=True)
class Transcript:
    """All segments of some audio, in order of time. `duration_s` is the length of the audio.

    `language` is the most used language; `languages` are all, the most used first.
    """

    segments: tuple[Segment, ...]
    language: str
    duration_s: float
    engine: str
    model: str
    languages: tuple[str, ...] = ()
    warnings: tuple[Caution, ...] = ()
    speakers: tuple[Speaker, ...] = ()

    @property
    def text(self) -> str:
        return joined(self.segments)

    def with_cautions(self, cautions: Iterable[Caution]) -> "Transcript":
        """The same with further warnings after its own."""
        return replace(self, warnings=(*self.warnings, *cautions))

    @property
    def unread_s(self) -> float:
        """Seconds of speech without text."""
        return sum(
            each.end_s - each.start_s
            for each in self.warnings
            if each.code == SPEECH_WITHOUT_TEXT
            and each.start_s is not None
            and each.end_s is not None
        )

    @property
    def is_diarization_failed(self) -> bool:
        return any(each.code == DIARIZATION_FAILED for each in self.warnings)

    @property
    def words(self) -> tuple[Word, ...]:
        return tuple(word for segment in self.segments for word in segment.words)
