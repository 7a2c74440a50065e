"""How the pages say what they show."""
