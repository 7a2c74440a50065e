"""The library in a local folder."""
