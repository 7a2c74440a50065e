"""Live recordings: from the browser's microphone to the API."""
