"""A real uvicorn with the endpoint of the WebSocket transport, in a thread of the test's own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette

from dhcpcore_adapters.rpc import Plugin
from dhcpcore_adapters.rpc.endpoint import websocket_route
from dhcpcore_adapters.rpc.websocket import Patience
from support.memory_plugin import PATIENCE, until

#: Everything soon, so that no test waits for what it looks at.
SOON = Patience(ping_interval=2, ping_timeout=5, sending=5, opening=5, shortest=0.01, longest=0.1)


@contextmanager
def serving(
    plugin: Plugin, *, path: Path | None = None, port: int = 0, tls: tuple[Path, Path] | None = None, **options: Any
) -> Iterator[str]:
    """Serve on loopback (with TLS, given certificate and key), or on a unix socket; yields the URL."""
    if path is None:
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
        url = f"{'ws' if tls is None else 'wss'}://127.0.0.1:{listening.getsockname()[1]}/rpc"
    else:
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(path))
        url = f"unix://{path}"
    options.setdefault("token", None)
    app = Starlette(routes=[websocket_route(plugin, **options)])
    config = uvicorn.Config(app, log_config=None, lifespan="off", access_log=False, timeout_graceful_shutdown=1)
    if tls is not None:
        config.ssl_certfile, config.ssl_keyfile = map(str, tls)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="uvicorn", daemon=True)
    thread.start()
    try:
        until(lambda: server.started, "the server starts")
        yield url
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        listening.close()
        assert not thread.is_alive()
