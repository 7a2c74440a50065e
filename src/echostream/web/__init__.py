"""The HTTP side: REST and the OpenAI-compatible API."""
