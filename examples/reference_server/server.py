"""The server as a whole: sockets, the HTTP server's loop, the task that looks after dead agents.

`run` serves in the caller's thread until it is told to stop; `start` does so in a thread of its own.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import uvicorn

from dhcpcore_adapters.rpc.endpoint import websocket_route
from reference_server.core import Neutron
from reference_server.http import MAX_BODY, make_app
from reference_server.options import OptionError, Options
from reference_server.plugin import DhcpPlugin

_LOG = logging.getLogger(__name__)


class _Server(uvicorn.Server):
    """Leaves signals alone: uvicorn raises them again at its end, which would be ours before anything is closed."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Captures none."""
        yield


class ReferenceServer:
    """A server; its socket listens, and its database is open, from the beginning.

    Args:
        clock: seconds since the epoch.

    Attributes:
        url: where the API is, as ``http://127.0.0.1:9696``, or ``http+unix://`` and the path of the socket.
        plugin: what agents in this process call.

    Raises:
        OptionError: it cannot listen there.
        DatabaseError: the database cannot be used.
    """

    def __init__(self, options: Options, clock: Callable[[], float] = time.time) -> None:
        self.options = options
        self._socket, self.url = _listen(options)
        self._place = None if options.unix is None else _identity(options.unix)
        try:
            self.neutron = Neutron(options, clock)
        except BaseException:
            self._close_socket()
            raise
        self.plugin = DhcpPlugin(self.neutron)
        config = uvicorn.Config(
            make_app(self.neutron, [websocket_route(self.plugin, token=options.token, reporter=_Log())]),
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws="websockets-sansio",
            ws_max_size=MAX_BODY,
            timeout_graceful_shutdown=0,
        )
        logging.getLogger("uvicorn.error").addFilter(_is_news)
        self._server = _Server(config)
        self._thread: threading.Thread | None = None

    def run(self) -> None:
        """Serve until `stop`, or in the main thread until SIGTERM or SIGINT; everything is closed afterwards."""
        try:
            asyncio.run(self._serve())
        finally:
            self._close_socket()
            self.neutron.close()

    def stop(self) -> None:
        """Ask `run` to end; from any thread, and from a signal handler."""
        self._server.should_exit = True

    def start(self) -> ReferenceServer:
        """Serve in a thread of its own; returns when requests are answered."""
        self._thread = threading.Thread(target=self.run, name="reference-server", daemon=True)
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            time.sleep(0.005)
        if not self._server.started:
            raise RuntimeError("the server's thread ended before it served; the log says why")
        return self

    def close(self) -> None:
        """Stop, and wait for the end; twice is fine."""
        self.stop()
        if self._thread is not None:
            self._thread.join()
        self._close_socket()
        self.neutron.close()

    def __enter__(self) -> ReferenceServer:
        """Start, unless it runs."""
        return self if self._thread is not None else self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close."""
        self.close()

    async def _serve(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, self.stop)
        watch = asyncio.create_task(self._look_after_agents())
        try:
            await self._server.serve(sockets=[self._socket])
        finally:
            watch.cancel()

    async def _look_after_agents(self) -> None:
        while True:
            await asyncio.sleep(min(self.options.agent_down_time / 2, 30.0))
            try:
                for network_id in await asyncio.to_thread(self.neutron.fail_over):
                    _LOG.warning("the agent of network %s is down: another one serves it", network_id)
            except Exception:
                _LOG.exception("networks of dead agents cannot be moved; tried again later")

    def _close_socket(self) -> None:
        """Close it, and remove its file, once and only while it is ours: the path may be another server's by now."""
        place, self._place = self._place, None
        if self.options.unix is not None and place is not None and _identity(self.options.unix) == place:
            Path(self.options.unix).unlink(missing_ok=True)
        self._socket.close()


def _identity(path: str) -> tuple[int, int] | None:
    """Which file that is; None where there is none."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a line of uvicorn's is worth reading: that it waits for nobody when it stops is what we want."""
    return "timeout graceful shutdown exceeded" not in record.getMessage()


def _listen(options: Options) -> tuple[socket.socket, str]:
    if options.unix is not None:
        return _listen_unix(options.unix), f"http+unix://{options.unix}"
    host, port = options.address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol by name: asyncio switches Nagle's algorithm off only where it sees that this is TCP.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(512)
    except OSError as error:
        listener.close()
        raise OptionError(f"cannot listen on {options.listen}: {error.strerror or error}") from None
    name = f"[{host}]" if ":" in host else host
    return listener, f"http://{name}:{listener.getsockname()[1]}"


def _listen_unix(path: str) -> socket.socket:
    """A socket that only its owner can connect to; one that a dead server has left behind is replaced."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if Path(path).exists():
            if not stat.S_ISSOCK(os.stat(path).st_mode):
                raise OptionError(f"cannot listen on {path}: there is a file that is no socket")
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                if probe.connect_ex(path) == 0:
                    raise OptionError(f"cannot listen on {path}: another server does")
            os.unlink(path)
        old = os.umask(0o177)
        try:
            listener.bind(path)
        finally:
            os.umask(old)
        listener.listen(512)
    except OSError as error:
        listener.close()
        raise OptionError(f"cannot listen on {path}: {error.strerror or error}") from None
    except OptionError:
        listener.close()
        raise
    return listener


class _Log:
    """What the agents' endpoint reports, in the server's own log."""

    def report(self, message: str, /, **fields: object) -> None:
        """One line."""
        _LOG.warning("%s %s", message, " ".join(f"{name}={value!r}" for name, value in fields.items()))
