"""Voices that are known by name, and who in a recording sounds like one of them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, Protocol, get_args

from echostream.domain import Voice
from echostream_ui.library.analysis import Analysis
from echostream_ui.library.values import Json

Sureness = Literal["very likely", "likely", "possible"]
SURENESS: tuple[Sureness, ...] = get_args(Sureness)

LEAST: Mapping[Sureness, float] = {"very likely": 0.75, "likely": 0.65, "possible": 0.6}
"""The cosine from which a voice is a known one, and how sure that is: the section on known voices
in `benchmarks/RESULTS.md` says how often each is wrong."""
_CLEARLY = 0.15
"""By so much the likeness must be above that of anybody else, or it is only possible."""


@dataclass(frozen=True, slots=True)
class KnownVoice:
    """How somebody sounds whom the user wants to be recognised. `voice` is that of `speaker` in the
    API's answer, computed from `seconds` of speech; the recording may have been deleted since."""

    name: str
    voice: str
    seconds: float
    media_id: str
    speaker: str
    created_at: datetime


class Voices(Protocol):
    """Voices that are known by name. Methods behave like those of `Store`."""

    def known(self) -> list[KnownVoice]:
        """Returns the voices in the order of their names, the oldest of each name first."""

    def remember(self, voice: KnownVoice) -> None:
        """Saves a voice. It replaces one saved earlier for the same speaker of its recording."""

    def forget(self, media_id: str, speaker: str) -> None:
        """Deletes what is saved about a speaker of a recording."""

    def forget_names(self, names: Collection[str]) -> None:
        """Forgets all voices of these names, and that they were refused anywhere."""

    def forget_all(self) -> None:
        """Forgets everything about voices."""

    def refused(self, media_id: str) -> frozenset[tuple[str, str]]:
        """Returns the speakers of a recording with the names that the user refused for them."""

    def refuse(self, media_id: str, speaker: str, name: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A name for one of a recording's speakers. `speaker` is what the API calls them, `likeness`
    the cosine of the two voices."""

    speaker: str
    name: str
    likeness: float
    sureness: Sureness


def suggestions(
    analysis: Analysis,
    known: Iterable[KnownVoice],
    refused: Collection[tuple[str, str]] = (),
) -> list[Suggestion]:
    """Returns a suggestion at most for each speaker without a name, the surest first. Each name is
    suggested once, and none that somebody has already or that the user refused."""
    taken = set(analysis.speakers.values())
    unnamed = {
        speaker: voice
        for speaker, voice in voices_of(analysis.response).items()
        if speaker not in analysis.speakers
    }
    known = [each for each in known if each.name not in taken]
    likest = {speaker: likenesses(voice, known) for speaker, voice in unnamed.items()}
    pairs = [
        (likeness, speaker, name)
        for speaker, names in likest.items()
        for name, likeness in names.items()
        if (speaker, name) not in refused
    ]
    found: dict[str, Suggestion] = {}
    for likeness, speaker, name in sorted(pairs, reverse=True):
        others = [each for other, each in likest[speaker].items() if other != name]
        sureness = sureness_of(likeness, others)
        is_free = speaker not in found and name not in {each.name for each in found.values()}
        if sureness and is_free:
            found[speaker] = Suggestion(speaker, name, likeness, sureness)
    return list(found.values())


def likenesses(voice: Voice, known: Iterable[KnownVoice]) -> dict[str, float]:
    """Returns how like each name's likest voice is. Voices of other models say nothing."""
    found: dict[str, float] = {}
    for each in known:
        other = _loaded(each.voice)
        if other and (other.model, len(other.embedding)) == (voice.model, len(voice.embedding)):
            # Both are of unit length.
            cosine = sum(a * b for a, b in zip(voice.embedding, other.embedding, strict=True))
            found[each.name] = max(cosine, found.get(each.name, -1.0))
    return found


def sureness_of(likeness: float, others: Sequence[float]) -> Sureness | None:
    """Returns how sure it is that two voices are one person's; None if it is not worth saying.
    `others` are the likenesses of other people whose voices are known."""
    reached = next((each for each in SURENESS if likeness >= LEAST[each]), None)
    is_clear = likeness - max(others, default=-1.0) >= _CLEARLY
    return reached if is_clear or reached is None else "possible"


def voices_of(response: Json | None) -> dict[str, Voice]:
    """Returns the voices of an answer's speakers whom the API does not know by name."""
    speakers = (response or {}).get("speakers") or ()
    loaded = {
        str(each["id"]): _loaded(each.get("voice")) for each in speakers if not each.get("name")
    }
    return {speaker: voice for speaker, voice in loaded.items() if voice is not None}


def remembered(analysis: Analysis, speaker: str, name: str) -> KnownVoice | None:
    """Returns the voice of a recording's speaker as one to remember; None if there is none."""
    speakers = (analysis.response or {}).get("speakers") or ()
    found: Json = next((each for each in speakers if each["id"] == speaker), {})
    if _loaded(found.get("voice")) is None:
        return None
    now, seconds = datetime.now(UTC), float(found.get("seconds") or 0.0)
    return KnownVoice(name, found["voice"], seconds, analysis.media_id, speaker, now)


def _loaded(text: object) -> Voice | None:
    try:
        return Voice.load(text) if isinstance(text, str) else None
    except ValueError:
        return None
