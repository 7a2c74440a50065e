"""In which form a live client sends its audio."""

from dataclasses import dataclass
from typing import Final, Literal

from echostream.domain import SAMPLE_RATE_HZ
from echostream.errors import InvalidRequest
from echostream.media import LEAST_RATE_HZ, MOST_RATE_HZ, TELEPHONE_RATE_HZ, Encoding

_RAW: Final[dict[str, Encoding]] = {
    "pcm": "pcm",
    "pcmu": "pcmu",
    "ulaw": "pcmu",
    "mulaw": "pcmu",
    "pcma": "pcma",
    "alaw": "pcma",
}
_OPUS = "opus"
# For a container the name says nothing that its first bytes do not say better, but a name that
# nobody knows is likely to be meant for raw audio, which would be read as noise.
_CONTAINERS = (
    *("webm", "weba", "mkv", "mka", "matroska", "x-matroska", "ogg", "oga", "ogv", "spx"),
    *("mp4", "m4a", "m4b", "m4v", "quicktime"),
    *("mov", "3gp", "3gpp", "mp3", "mpga", "mpeg", "mpg", "aac", "adts", "wav", "wave", "x-wav"),
    *("flac", "x-flac", "x-m4a", "caf", "x-caf", "aif", "aiff", "au", "amr", "awb", "wma", "wmv"),
    *("asf", "avi", "flv", "ts", "m2ts", "mts", "mxf", "ac3", "eac3", "dts", "ape", "wv", "tta"),
)
MOST_CHANNELS = 16
_MOST_OPUS_CHANNELS = 2


@dataclass(frozen=True, slots=True)
class AudioForm:
    """`encoding` is None for audio in containers, which say the rate and the number of channels
    themselves. `opus` is one packet in each piece. The channels are read apart if `apart`, which
    needs their number in any form; otherwise they are mixed."""

    encoding: Encoding | Literal["opus"] | None = None
    rate_hz: int = SAMPLE_RATE_HZ
    channels: int = 1
    apart: bool = False

    def __post_init__(self) -> None:
        """Raises InvalidRequest if there is no such audio."""
        if not LEAST_RATE_HZ <= self.rate_hz <= MOST_RATE_HZ:
            raise InvalidRequest(f"sampleRate must be {LEAST_RATE_HZ} to {MOST_RATE_HZ}")
        most = _MOST_OPUS_CHANNELS if self.encoding == _OPUS else MOST_CHANNELS
        if not 1 <= self.channels <= most:
            raise InvalidRequest(f"channelCount must be 1 to {most}")

    @property
    def bytes_per_s(self) -> int:
        """Of raw audio."""
        return self.rate_hz * self.channels * (2 if self.encoding == "pcm" else 1)

    @classmethod
    def named(
        cls,
        name: str | None,
        *,
        rate_hz: int | None = None,
        channels: int | None = None,
        apart: bool = False,
    ) -> "AudioForm":
        """The form that a client gives a name: the ending of a file or a media type, or one of the
        names of audio without a container. Raises InvalidRequest, naming the known ones."""
        plain = (name or "").lower().partition(";")[0].rpartition("/")[2].strip(" .")
        if channels is None:
            channels = 2 if apart else 1
        if plain in _RAW:
            usual_hz = SAMPLE_RATE_HZ if _RAW[plain] == "pcm" else TELEPHONE_RATE_HZ
            given_hz = usual_hz if rate_hz is None else rate_hz
            return cls(_RAW[plain], given_hz, channels, apart)
        if plain == _OPUS:
            return cls("opus", channels=channels, apart=apart)
        if plain and plain not in _CONTAINERS:
            raise InvalidRequest(
                f"ext: '{plain}' is not known; without a container: {', '.join((*_RAW, _OPUS))};"
                f" with one: {', '.join(_CONTAINERS)}"
            )
        return cls(channels=channels, apart=apart)


IN_CONTAINERS: Final = AudioForm()
PCM: Final = AudioForm("pcm")
"""Samples as the engine takes them."""
