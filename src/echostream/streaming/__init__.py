"""Live transcription: sessions of clients that send audio while it is being spoken."""

from echostream.streaming.events import Event, Final, InsightsSoFar, Partial
from echostream.streaming.sessions import Limits, Live, LiveSessions

__all__ = ["Event", "Final", "InsightsSoFar", "Limits", "Live", "LiveSessions", "Partial"]
