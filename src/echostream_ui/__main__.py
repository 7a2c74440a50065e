"""`python -m echostream_ui`: the web frontend with its own settings for Streamlit."""

import os
import signal
import socket
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from pydantic import ValidationError

from echostream.checks import complaint
from echostream.errors import MissingExtra
from echostream.extras import require
from echostream.lifeline import on_parent_end
from echostream.private_files import make_private_folder
from echostream_ui.settings import FrontendSettings

_INTERRUPTED = 130
_APP = Path(__file__).parent / "app.py"


def main() -> int:
    """Runs until a signal, or with `--lifeline` until stdin ends. Returns the exit status."""
    try:
        require("ui", "the web frontend")
        settings = FrontendSettings()
        check_port(settings)
    except MissingExtra as error:
        return fail(str(error))
    except ValidationError as error:
        return fail(complaint(error))
    except OSError as error:
        address = f"{settings.frontend_host}:{settings.frontend_port}"
        return fail(f"cannot listen on {address}: {error.strerror}")
    if settings.uses_oidc and find_spec("authlib") is None:
        return fail("signing in at OIDC_URL needs authlib: pip install 'echostream[ui]'")
    try:
        check_library(settings)
    except OSError as error:
        where = f"{settings.library_path} ({error.filename})"
        return fail(f"LIBRARY_PATH: cannot write to {where}: {error.strerror}")
    if "--lifeline" in sys.argv:
        on_parent_end(lambda: os.kill(os.getpid(), signal.SIGTERM))
    return run_streamlit(settings)


def check_port(settings: FrontendSettings) -> None:
    """Raises OSError if the port is taken: Streamlit would use another one instead."""
    family = socket.AF_INET6 if ":" in settings.frontend_host else socket.AF_INET
    with socket.socket(family) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tried.bind((settings.frontend_host, settings.frontend_port))


def check_library(settings: FrontendSettings) -> None:
    """Raises OSError if the folder is not writable. With Supabase, unfinished recordings use it."""
    # Of the folder itself, which may have been there before, only its owner decides who sees it.
    make_private_folder(settings.staging_path)
    with tempfile.TemporaryFile(dir=settings.library_path):
        pass


def run_streamlit(settings: FrontendSettings) -> int:
    from click import Abort
    from streamlit.web.cli import main as streamlit

    flags = {"server.port": settings.frontend_port, "server.address": settings.frontend_host}
    arguments = [part for name, value in flags.items() for part in (f"--{name}", str(value))]
    try:
        streamlit(["run", str(_APP), *arguments], standalone_mode=False)
    except (Abort, KeyboardInterrupt):
        return _INTERRUPTED
    return 0


def fail(message: str) -> int:
    print(f"echostream: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
