"""EchoStream: local transcription and checked insights for recordings."""
