"""The port of the API."""

import socket
import sys

from echostream.settings import Settings


def open_listener(settings: Settings) -> socket.socket:
    """Take the port; exits with one line on stderr when it cannot be had."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family)
    except OSError as error:
        sys.exit(f"echostream: cannot listen: {error.strerror}")


def url_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
