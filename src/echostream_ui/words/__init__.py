"""The wording of the pages: names, numbers, dates and errors."""
