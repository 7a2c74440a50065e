"""Live transcription: sessions of clients that send audio while it is being spoken."""

from echostream.streaming.events import Event, Final, InsightsSoFar, Partial
from echostream.streaming.forms import AudioForm
from echostream.streaming.items import (
    Committed,
    Completed,
    Delta,
    ItemEvent,
    Items,
    SpeechStarted,
    SpeechStopped,
)
from echostream.streaming.live import Live
from echostream.streaming.sessions import Limits, LiveSessions
from echostream.streaming.turn_detection import TurnDetection

__all__ = [
    "AudioForm",
    "Committed",
    "Completed",
    "Delta",
    "Event",
    "Final",
    "InsightsSoFar",
    "ItemEvent",
    "Items",
    "Limits",
    "Live",
    "LiveSessions",
    "Partial",
    "SpeechStarted",
    "SpeechStopped",
    "TurnDetection",
]
