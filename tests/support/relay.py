"""A relay on loopback, or between unix sockets, for what can happen to connections on their way."""

from __future__ import annotations

import socket
import struct
import threading
from typing import Self
from urllib.parse import urlsplit


class Relay:
    """Passes bytes between those who connect to it and a server; a context manager.

    Args:
        url: of the server, ``ws://`` or ``unix://``.
        path: of the unix socket to listen on, for a server that does.

    Attributes:
        url: of the relay; count: connections it has taken; frozen: while set, nothing is passed, and nothing closed.
    """

    def __init__(self, url: str, path: str | None = None) -> None:
        parts = urlsplit(url)
        self._server: tuple[str | None, int | None] | str
        if path is None:
            self._server = (parts.hostname, parts.port)
            self._listening = socket.create_server(("127.0.0.1", 0))
            self.url = f"ws://127.0.0.1:{self._listening.getsockname()[1]}{parts.path}"
        else:
            self._server = parts.path
            self._listening = socket.create_server(path, family=socket.AF_UNIX)
            self.url = f"unix://{path}"
        self.count = 0
        self._lock = threading.Lock()
        self._ends: list[socket.socket] = []
        self._flows = threading.Event()
        self._flows.set()
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.thaw()
        self.cut()
        self._thread.join()

    def cut(self) -> None:
        """Reset every connection, as a machine does that has lost its memory of them."""
        with self._lock:
            ends, self._ends = self._ends, []
        for end in ends:
            try:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.shutdown(socket.SHUT_RD)  # wakes the thread that reads it
                end.close()
            except OSError:
                end.close()

    def freeze(self) -> None:
        """From now on nothing arrives anywhere, and nobody is told."""
        self._flows.clear()

    def thaw(self) -> None:
        self._flows.set()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            try:
                far = self._connect()
            except OSError:
                near.close()
                continue
            with self._lock:
                self._ends += [near, far]
                self.count += 1
            for pair in ((near, far), (far, near)):
                threading.Thread(target=self._pass, args=pair, daemon=True).start()

    def _connect(self) -> socket.socket:
        if not isinstance(self._server, str):
            return socket.create_connection(self._server, 10)
        far = socket.socket(socket.AF_UNIX)
        try:
            far.connect(self._server)
        except OSError:
            far.close()
            raise
        return far

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                self._flows.wait()
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass
