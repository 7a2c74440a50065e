"""EchoStream: local transcription and checked insights for recordings."""

__version__ = "0.1.0"
