"""The watched folder: its files come into the library, and their results beside them."""
