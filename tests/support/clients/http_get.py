"""HTTP requests from inside a namespace, as a virtual machine asks for its metadata.

To an IPv4 address, or to a link-local IPv6 address through a device. Knows HTTP; knows nothing of metadata.
"""

from __future__ import annotations

import http.client
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from support.clients.inside import in_namespace

METADATA_4 = "169.254.169.254"
METADATA_6 = "fe80::a9fe:a9fe"


@dataclass(frozen=True, kw_only=True)
class Response:
    """An answer: status, headers with names in lower case, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def get(
    address: str,
    path: str = "/",
    *,
    namespace: str | None = None,
    device: str | None = None,
    port: int = 80,
    headers: Mapping[str, str] | None = None,
    seconds: float = 5,
) -> Response:
    """GET a path.

    Args:
        device: the device to go through: needed for a link-local IPv6 address.

    Raises:
        OSError: nobody answers there, or not in time.
    """

    def connected() -> socket.socket:
        scoped = f"{address}%{device}" if device is not None and ":" in address else address
        family, _, _, _, where = socket.getaddrinfo(scoped, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)[
            0
        ]
        asking = socket.socket(family, socket.SOCK_STREAM)
        asking.settimeout(seconds)
        try:
            asking.connect(where)
        except BaseException:
            asking.close()
            raise
        return asking

    connection = http.client.HTTPConnection(address, port, timeout=seconds)
    connection.sock = in_namespace(namespace, connected)
    try:
        connection.request("GET", path, headers=dict(headers or {}))
        with connection.getresponse() as answer:
            told = {name.lower(): value for name, value in answer.getheaders()}
            return Response(status=answer.status, headers=told, body=answer.read())
    finally:
        connection.close()
