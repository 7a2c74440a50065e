"""Whisper: turns windows of audio into words, in batches, and leaves no speech unread."""

from echostream.engine.whisper.transcriber import WhisperTranscriber, load_whisper

__all__ = ["WhisperTranscriber", "load_whisper"]
