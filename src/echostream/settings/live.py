"""Live sessions."""

from pydantic import Field

from echostream.settings.cpus import cpu_count
from echostream.settings.group import SettingsGroup


class LiveSettings(SettingsGroup):
    """Live sessions."""

    max_live_sessions: int | None = Field(None, ge=1)
    """Live sessions this host accepts; beyond that `server_busy`. A session whose channels are read
    apart counts once for each. Unset: two for each CPU."""

    live_resume_s: float = Field(60.0, gt=0)
    """How long a live session waits for a client whose connection has dropped."""

    live_idle_s: float = Field(300.0, gt=0)
    """How long a live session waits for audio before it ends."""

    live_kept_s: int | None = Field(None, ge=1, le=86_400)
    """How many seconds of a live session's audio are kept on disk until it ends, for its final pass
    and its speakers; 115 MB for an hour of each channel that is read apart. Longer sessions only
    have their live transcript. Unset: `MAX_AUDIO_SECONDS`."""

    @property
    def live_sessions(self) -> int:
        return self.max_live_sessions or 2 * cpu_count()
