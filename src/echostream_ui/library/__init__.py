"""The library: recordings, their transcripts and insights, and where they are stored."""
