"""The control socket: how ``dhcpcore status`` and its like speak with a running agent.

Knows unix sockets and JSON; what a command means is told by whoever makes the server.  One connection is one request:
a JSON object on one line, ``{"command": "status"}``, with texts for whatever else a command takes.  The answer is one
line too: ``{"answer": ...}``, or ``{"error": "what is wrong"}``.  Only the agent's user (and root) may connect.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
import struct
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from dhcpcore import DhcpCoreError
from dhcpcore.contracts import NullReporter, Reporter

#: Bytes of a request, and characters of a text in it.
LONGEST_REQUEST: Final = 1 << 16
LONGEST_TEXT: Final = 255
#: Bytes of an answer: the state of some hundred thousand networks has less.
LONGEST_ANSWER: Final = 1 << 28
#: Seconds in which a request must have come, and an answer must have been taken.
REQUEST_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 10.0
#: Connections served at a time; others wait to be accepted.
CONNECTIONS: Final = 8
#: Seconds after which it is looked whether the socket is still where it was made.
LOOK_SECONDS: Final = 1.0
_BACKLOG: Final = 64
#: Longest path of a unix socket (unix(7)).
_LONGEST_PATH: Final = 107

Command = Callable[[dict[str, Any]], Any]


class ControlError(DhcpCoreError):
    """The control socket cannot be used; the message says why, and what to do next."""


class ControlServer:
    """Answers on a unix socket, from the moment it is made until `close`; one that somebody removed is made again.

    Args:
        path: of the socket; one that nobody answers on any more is replaced.
        commands: by name; each is given the request and returns plain data.  They are called from other threads.
        request_seconds: in which a request must have come.
        look_seconds: after which it is looked whether the socket is still there.
        reporter: is told of commands that raise, and of a socket that was removed.

    Raises:
        ControlError: somebody answers on `path`, something else lies there, or no socket can be made there.
    """

    def __init__(
        self,
        path: str,
        commands: Mapping[str, Command],
        *,
        request_seconds: float = REQUEST_SECONDS,
        look_seconds: float = LOOK_SECONDS,
        reporter: Reporter | None = None,
    ) -> None:
        self._path = path
        self._commands = dict(commands)
        self._request_seconds = request_seconds
        self._reporter = NullReporter() if reporter is None else reporter
        self._free = threading.BoundedSemaphore(CONNECTIONS)
        self._closed = False
        self._look_seconds = look_seconds
        # Whoever moves to another socket, or ends, does so alone.
        self._moving = threading.Lock()
        self._listener = self._listen()
        self._identity = _identity(path)
        self._refused: tuple[int, int] | None = None
        self._told = ""
        self._thread = threading.Thread(target=self._serve, name="control", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Answer no more, and take the socket away. Called twice, it is harmless."""
        with self._moving:
            if self._closed:
                return
            self._closed = True
            if _identity(self._path) == self._identity:  # else it is another agent's by now
                with contextlib.suppress(OSError):
                    os.unlink(self._path)
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # ends the accept that waits (unix_accept in the kernel)
        self._thread.join(1.0)
        self._listener.close()

    def _serve(self) -> None:
        while not self._closed:
            if not self._free.acquire(timeout=0.2):
                continue
            try:
                connection, _ = self._listener.accept()
            except BlockingIOError:
                self._free.release()
                self._stay()
                continue
            except OSError:
                self._free.release()
                if not self._closed:
                    time.sleep(0.1)  # no descriptor is free, say: that passes
                continue
            try:
                threading.Thread(target=self._answer, args=(connection,), name="control answer", daemon=True).start()
            except RuntimeError:  # the host allows no more threads: that passes
                connection.close()
                self._free.release()

    def _listen(self) -> socket.socket:
        listener = _listen(self._path)
        # Not settimeout: that polls, and a poll is not woken by the shutdown in `close`.
        interval = struct.pack("ll", int(self._look_seconds), int(self._look_seconds % 1 * 1e6))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, interval)
        return listener

    def _stay(self) -> None:
        """Make the socket again where it is gone; what somebody else has put there stays, and is told once."""
        with self._moving:
            found = _identity(self._path)
            # What was in the way, and still is, may be an agent that has other things to do than to be asked.
            if self._closed or found == self._identity or (found is not None and found == self._refused):
                return
            try:
                listener = self._listen()
            except (ControlError, OSError) as error:
                self._refused = found
                if str(error) != self._told:
                    self._told = str(error)
                    self._reporter.report("the control socket is gone, and cannot be made again", error=error)
                return
            self._listener.close()
            self._listener, self._identity = listener, _identity(self._path)
            self._refused, self._told = None, ""
        self._reporter.report("the control socket was gone; it is made again", path=self._path)

    def _answer(self, connection: socket.socket) -> None:
        try:
            with connection, contextlib.suppress(OSError):
                line = self._answer_to(connection)
                connection.settimeout(ANSWER_SECONDS)
                connection.sendall(line)
        finally:
            self._free.release()

    def _answer_to(self, connection: socket.socket) -> bytes:
        try:
            line = _line(connection, LONGEST_REQUEST, self._request_seconds)
            request = _request(line)
        except TimeoutError:
            return _error(f"no request came in {self._request_seconds:g} s: send one line of JSON")
        except ValueError as error:
            return _error(str(error))
        command = self._commands.get(request["command"])
        if command is None:
            known = ", ".join(sorted(self._commands))
            return _error(f"command: expected one of {known}, got {request['command']!r}")
        try:
            return _encoded({"answer": command(request)})
        except Exception as error:
            self._reporter.report("a command of the control socket failed", command=request["command"], error=error)
            return _error(f"a fault of the agent, please report it: {type(error).__name__}: {error}")


def _encoded(answer: dict[str, Any]) -> bytes:
    return json.dumps(answer, allow_nan=False).encode("ascii") + b"\n"


def _error(words: str) -> bytes:
    return _encoded({"error": words})


def ask(path: str, request: Mapping[str, Any], timeout: float = ANSWER_SECONDS) -> Any:
    """What the agent that listens on `path` answers.

    Args:
        request: ``{"command": "status"}``, and what else the command takes.
        timeout: seconds in all.

    Raises:
        ControlError: nobody answers, not in time, or with an error.
    """
    deadline = time.monotonic() + timeout
    fitting = _fitting(path)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            _connect(connection, fitting, deadline)
            connection.sendall(json.dumps(dict(request)).encode("ascii") + b"\n")
            line = _line(connection, LONGEST_ANSWER, max(0.0, deadline - time.monotonic()))
        answer = json.loads(line)
        if not isinstance(answer, dict) or len(answer.keys() & {"answer", "error"}) != 1:
            raise ValueError("neither an answer nor an error")
    except (FileNotFoundError, ConnectionRefusedError):
        asked = "is `dhcpcore agent` running, and with the same state_path?"
        raise ControlError(f"no agent answers on {path}: {asked}") from None
    except PermissionError:
        raise ControlError(f"{path} cannot be opened: run this as the agent's user, or as root") from None
    except TimeoutError:
        said = f"the agent on {path} has not answered in {timeout:g} s: it is stuck, or its host is overloaded"
        raise ControlError(f"{said}; look at its log") from None
    except OSError as error:
        raise ControlError(f"the agent on {path} cannot be asked: {error.strerror or error}; ask again") from None
    except ValueError as error:
        raise ControlError(f"what answers on {path} is no dhcpcore agent, or one that just ended: {error}") from None
    if "error" in answer:
        raise ControlError(f"the agent on {path} refuses: {answer['error']}")
    return answer["answer"]


def _connect(connection: socket.socket, path: str, deadline: float) -> None:
    while True:
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            return connection.connect(path)
        except BlockingIOError:
            # So many wait to be accepted that the kernel takes no more (EAGAIN, unix(7)).
            if time.monotonic() > deadline:
                raise TimeoutError from None
            time.sleep(0.02)


def _listen(path: str) -> socket.socket:
    """A socket at `path` that only this user may connect to, from its first moment on."""
    _make_way(path)
    temporary = _fitting(path, f".{os.getpid()}")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        os.makedirs(os.path.dirname(path) or ".", mode=0o755, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        listener.bind(temporary)
        os.chmod(temporary, 0o600)
        listener.listen(_BACKLOG)
        os.rename(temporary, path)
    except BaseException as error:
        listener.close()
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError):
            said = f"the control socket {path} cannot be made: {error.strerror or error}"
            raise ControlError(f"{said}; choose another control_socket in [dhcpcore]") from None
        raise
    return listener


def _make_way(path: str) -> None:
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return  # nothing is there; whatever else is wrong shows when the socket is made
    if not stat.S_ISSOCK(mode):
        raise ControlError(f"{path} is no socket: move it away, or choose another control_socket in [dhcpcore]")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(_fitting(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return  # left over from a process that is gone
        except OSError as error:
            # Nobody can tell whether it is in use.
            raise ControlError(f"{path} is in the way: {error}; move it away if no agent uses it") from None
    raise ControlError(f"a process answers on {path} already: stop that agent, or choose another control_socket")


def _fitting(path: str, suffix: str = "") -> str:
    if len(os.fsencode(path + suffix)) > _LONGEST_PATH:
        longest = _LONGEST_PATH - len(suffix)
        said = f"the path {path} is too long for a unix socket: choose a control_socket of at most {longest} bytes"
        raise ControlError(said)
    return path + suffix


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _line(connection: socket.socket, longest: int, seconds: float) -> bytes:
    """One line, without its end; TimeoutError, or ValueError where none comes."""
    deadline = time.monotonic() + seconds
    parts: list[bytes] = []
    size = 0
    while True:
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        part = connection.recv(1 << 16)
        head, end, _ = part.partition(b"\n")
        parts.append(head)
        size += len(head)
        if size > longest:
            raise ValueError(f"expected a line of at most {longest} bytes, got a longer one")
        if end:
            return b"".join(parts)
        if not part:
            raise ValueError("expected one line, got its beginning, or nothing")
        if time.monotonic() > deadline:
            raise TimeoutError


def _request(line: bytes) -> dict[str, Any]:
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError("expected a JSON object, got something else") from None
    if not isinstance(request, dict) or not isinstance(request.get("command"), str):
        raise ValueError('expected a JSON object with a text "command", got something else')
    for name, value in request.items():
        if value is not None and not (isinstance(value, str) and 0 < len(value) <= LONGEST_TEXT):
            raise ValueError(f"{name[:LONGEST_TEXT]}: expected a text of 1 to {LONGEST_TEXT} characters, or null")
    return request
