"""The web frontend. It talks to the API over the wire alone, like any other client."""
