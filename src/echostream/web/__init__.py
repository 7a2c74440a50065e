"""The API over HTTP: REST, OpenAI-compatible endpoints and Socket.IO."""
