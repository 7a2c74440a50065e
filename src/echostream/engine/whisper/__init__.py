"""Whisper: windows of audio to words, in batches, with nothing left unread."""

from echostream.engine.whisper.transcriber import WhisperTranscriber, load_whisper

__all__ = ["WhisperTranscriber", "load_whisper"]
