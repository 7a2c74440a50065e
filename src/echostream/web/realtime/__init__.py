"""OpenAI's realtime transcription sessions at `/v1/realtime`, over a WebSocket."""
