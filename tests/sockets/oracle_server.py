"""A server in a process of its own whose engine knows the sample by heart; says its URL on stdout.

python -m sockets.oracle_server MAX_LIVE_SESSIONS
"""

import socket
import sys

from echostream.logs import configure_logging
from echostream.settings import Settings
from echostream.web.app import create_app
from echostream.web.server import Server
from streaming.oracle import OracleTranscriber
from web.support import around


def main() -> None:
    configure_logging("warning")
    settings = Settings.model_validate({"max_live_sessions": int(sys.argv[1])})
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        Server(create_app(settings, around(OracleTranscriber())), settings).run([listener])


if __name__ == "__main__":
    main()
