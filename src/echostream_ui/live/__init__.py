"""Recordings that are still being spoken: from the browser's microphone to the API."""
