"""Stands for Neutron's metadata agent: an HTTP server on a Unix socket, which writes down what it was asked.

The metadata proxy of a network forwards to it; who is asking it learns from headers alone. Knows HTTP; knows nothing of
networks.
"""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]

    @property
    def network_id(self) -> str | None:
        """X-Neutron-Network-ID, which the proxy adds."""
        return self.headers.get("x-neutron-network-id")

    @property
    def client(self) -> str | None:
        """X-Forwarded-For: the address of the machine that asks."""
        return self.headers.get("x-forwarded-for")


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def __init__(self, path: Path, agent: MetadataAgent) -> None:
        self.agent = agent
        super().__init__(str(path), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes in the middle is no error of ours."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self._answer()

    def do_PUT(self) -> None:
        self.do_POST()

    def _answer(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(method=self.command, path=self.path, headers=headers)
        status, body = self.server.agent.answer(request)
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        """A Unix socket's client has no address."""
        return "unix"

    def log_message(self, format: str, *args: Any) -> None:
        """It is all in `requests`."""


class MetadataAgent:
    """The server; a context manager.

    Args:
        path: of the socket, which must not be there.
        bodies: what is said for a path, status 200; for any other 404.

    Attributes:
        requests: all so far, in order.
    """

    def __init__(self, path: str | Path, bodies: Mapping[str, str] | None = None) -> None:
        self.path = Path(path)
        self.requests: list[Request] = []
        self._bodies = dict(bodies or {"/latest/meta-data/instance-id": "i-00000001"})

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._server = _Server(self.path, self)
        # Whatever user the proxy runs as.
        self.path.chmod(0o666)
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.05], daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self.path.unlink(missing_ok=True)

    def answer(self, request: Request) -> tuple[int, bytes]:
        """Write a request down; the status and the body of its answer."""
        self.requests.append(request)
        body = self._bodies.get(request.path)
        return (404, b"no such thing\n") if body is None else (200, body.encode())
