"""Who spoke when. Works offline, without torch."""
