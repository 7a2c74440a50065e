"""How large recordings may be, and how many are transcribed at once."""

from pydantic import Field

from echostream.settings.cpus import windows_at_once
from echostream.settings.group import SettingsGroup


class RecordingSettings(SettingsGroup):
    """Recordings."""

    max_upload_mb: int = Field(500, ge=1)
    """Largest upload or download, in MiB; above it 413 `audio_too_large`."""

    max_audio_seconds: int = Field(14_400, ge=1)
    """Longest audio; above it 413 `audio_too_long`."""

    decode_timeout_s: float = Field(600.0, gt=0)
    """Longest time ffmpeg may take for one file."""

    fetch_timeout_s: float = Field(120.0, gt=0)
    """Longest time a download of `audioUrl` may take in total."""

    allow_private_urls: bool = False
    """Let `audioUrl` and `callbackUrl` reach private addresses. For development only."""

    worker_concurrency: int | None = Field(None, ge=1)
    """Transcriptions at once on this host. Unset: two jobs, and of uploads as many as Whisper reads
    together: two for each CPU, eight at most."""

    max_waiting: int = Field(16, ge=0)
    """Requests that may wait for a free transcription; beyond that 503 `server_busy`."""

    max_wait_s: float = Field(600.0, gt=0)
    """How long a request waits for a free transcription before 503 `server_busy`. Jobs wait as long
    as it takes."""

    @property
    def jobs_at_once(self) -> int:
        return self.worker_concurrency or 2

    @property
    def recordings_at_once(self) -> int:
        return self.worker_concurrency or max(2, windows_at_once())

    @property
    def max_upload_bytes(self) -> int:
        return self.max_upload_mb * 1024 * 1024
