"""The library: recordings, what was found in them, and where they are kept."""
