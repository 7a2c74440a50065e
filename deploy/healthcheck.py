"""Whether the program in this container answers: `healthcheck.py PORT_VARIABLE DEFAULT PATH`."""

import os
import sys
import urllib.request

variable, default, path = sys.argv[1:]
port = os.environ.get(variable) or default
urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=4).close()
