"""A connection to a server that can become slow, and stuck."""

import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_BLOCK_BYTES = 65_536


class SlowProxy(socketserver.ThreadingTCPServer):
    """Passes everything on to a local port. Each piece that comes from a client first waits
    `delay_s`, and as long as it is `stuck()`."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.to = port
        self.delay_s = 0.0
        self.open = threading.Event()
        self.open.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @contextmanager
    def stuck(self) -> Iterator[None]:
        """Connections are accepted, and nothing is answered."""
        self.open.clear()
        try:
            yield
        finally:
            self.open.set()


class _Connection(socketserver.BaseRequestHandler):
    server: SlowProxy

    def handle(self) -> None:
        with (
            suppress(OSError),  # either side may leave at any time
            socket.create_connection(("127.0.0.1", self.server.to)) as there,
        ):
            back = threading.Thread(target=_copy, args=(there, self.request), daemon=True)
            back.start()
            while piece := self.request.recv(_BLOCK_BYTES):
                time.sleep(self.server.delay_s)
                self.server.open.wait()
                there.sendall(piece)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(_BLOCK_BYTES):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)


@contextmanager
def slow_proxy(port: int) -> Iterator[SlowProxy]:
    with SlowProxy(port) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.05,), name="slow proxy")
        thread.start()
        try:
            yield proxy
        finally:
            proxy.open.set()
            proxy.shutdown()
            thread.join()
