"""The only reader of the environment. Built once in an entry point and passed down.

Each group of settings has a file of its own; `Settings` has the fields of all groups.
"""

from echostream.settings.access import AccessSettings
from echostream.settings.insights import InsightsSettings
from echostream.settings.jobs import JobSettings
from echostream.settings.live import LiveSettings
from echostream.settings.recordings import RecordingSettings
from echostream.settings.server import ServerSettings
from echostream.settings.speech import SpeechSettings


class Settings(
    ServerSettings,
    AccessSettings,
    SpeechSettings,
    InsightsSettings,
    RecordingSettings,
    LiveSettings,
    JobSettings,
):
    """Every setting; its environment variable is the field's name in capitals, `.env` read too."""

    @property
    def live_audio_kept_s(self) -> int:
        return self.live_kept_s or min(self.max_audio_seconds, 86_400)
