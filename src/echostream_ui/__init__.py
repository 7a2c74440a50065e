"""The web frontend. It reaches the API only over the network, like any other client."""
