"""A connection to an Open vSwitch database server: RFC 7047's JSON-RPC, as much of it as transactions need.

Knows the protocol; knows nothing of bridges or ports.  A connection lives for one errand and is one thread's; where it
was opened does not matter later, as a unix socket belongs to no network namespace (docs/decisions/0009).
"""

from __future__ import annotations

import codecs
import contextlib
import json
import socket
import time
from collections.abc import Mapping
from typing import Any, Final, Self

from dhcpcore import AdapterError, SettingsError

#: The database that ovs-vswitchd works from (ovs-vswitchd.conf.db(5)).
DATABASE: Final = "Open_vSwitch"
_CHUNK: Final = 1 << 16

Operation = Mapping[str, Any]
Answer = Mapping[str, Any]


class Unreachable(AdapterError):
    """The database server is not there, or does not answer: nothing can be said about Open vSwitch.

    Attributes:
        silent: it is there, and did not answer in time.
    """

    def __init__(self, message: str, *, silent: bool = False) -> None:
        super().__init__(message)
        self.silent = silent


class Refused(AdapterError):
    """The database server refused an operation.

    Attributes:
        error: the server's word for it (RFC 7047, section 3.1): ``timed out``, ``constraint violation``...
    """

    def __init__(self, error: str, details: str) -> None:
        super().__init__(f"Open vSwitch's database refuses a change: {error}{f' ({details})' if details else ''}")
        self.error = error


class Ovsdb:
    """One connection; a context manager.

    Args:
        remote: ``unix:<path>`` or ``tcp:<address>:<port>``, as ovsdb(7) writes them.
        patience: seconds for the connection, and for each answer.

    Raises:
        Unreachable: there is no such server.
    """

    def __init__(self, remote: str, patience: float) -> None:
        self._remote = remote
        self._patience = patience
        self._requests = 0
        self._deadline = 0.0
        self._received = ""
        # A character may be cut in two.
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._socket = self._connected()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def transact(self, *operations: Operation, wait: float = 0) -> list[Answer]:
        """Carry out operations, all or none; the answer to each.

        Args:
            wait: seconds that operations of the kind ``wait`` among them may take.

        Raises:
            Refused: one cannot be carried out; Unreachable: there was no answer, and they may have been or not.
        """
        self._requests += 1
        request = {"method": "transact", "params": [DATABASE, *operations], "id": self._requests}
        self._deadline = time.monotonic() + self._patience + wait
        try:
            self._send(request)
            answers = self._answer(self._requests)
        except TimeoutError:
            raise Unreachable(
                f"Open vSwitch's database at {self._remote} does not answer; look at ovsdb-server", silent=True
            ) from None
        except OSError as error:
            raise Unreachable(f"Open vSwitch's database at {self._remote}: {error}; it will be tried again") from None
        for answer in answers:
            # Those after one that failed are null; what fails at the end of all has an answer of its own.
            if answer is not None and "error" in answer:
                raise Refused(answer["error"], answer.get("details") or "")
        return answers

    def _connected(self) -> socket.socket:
        family, address = _parsed(self._remote)
        connecting = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            connecting.settimeout(self._patience)
            connecting.connect(address)
        except OSError as error:
            connecting.close()
            raise Unreachable(
                f"Open vSwitch's database cannot be reached at {self._remote} ({error.strerror or error}): is "
                "openvswitch-switch running, may this user reach it, is the driver's option ovsdb_connection right?",
                silent=isinstance(error, TimeoutError),
            ) from None
        except BaseException:
            connecting.close()
            raise
        return connecting

    def _send(self, message: Mapping[str, Any]) -> None:
        self._socket.settimeout(max(0.001, self._deadline - time.monotonic()))
        self._socket.sendall(json.dumps(message).encode("utf-8"))

    def _answer(self, request: int) -> list[Any]:
        while True:
            message = self._message()
            if message.get("method") == "echo":  # whether we are still there
                self._send({"result": message.get("params"), "error": None, "id": message.get("id")})
            elif message.get("id") == request and "method" not in message:
                if message.get("error") is not None:
                    raise Refused(json.dumps(message["error"]), "")
                return list(message["result"])

    def _message(self) -> dict[str, Any]:
        """The next message; nothing separates one from the next."""
        decoder = json.JSONDecoder()
        while True:
            # Trying is not free, and an object that is whole ends so.
            if self._received.rstrip().endswith("}"):
                with contextlib.suppress(json.JSONDecodeError):
                    message, end = decoder.raw_decode(self._received.lstrip())
                    self._received = self._received.lstrip()[end:]
                    return dict(message)
            self._receive()

    def _receive(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)
        chunk = self._socket.recv(_CHUNK)
        if not chunk:
            raise ConnectionResetError("the server has closed the connection")
        self._received += self._decoder.decode(chunk)


def checked(remote: object, option: str) -> str:
    """A remote that can be connected to.

    Raises:
        SettingsError: it cannot.
    """
    try:
        _parsed(str(remote))
    except ValueError:
        raise SettingsError(option, "unix:<path> or tcp:<address>:<port>", repr(remote)) from None
    return str(remote)


def _parsed(remote: str) -> tuple[socket.AddressFamily, Any]:
    kind, _, where = remote.partition(":")
    if kind == "unix" and where:
        return socket.AF_UNIX, where
    host, _, port = where.rpartition(":")
    if kind != "tcp" or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(remote)
    if host.startswith("["):
        return socket.AF_INET6, (host.strip("[]"), int(port))
    return socket.AF_INET, (host, int(port))


# -- values, as section 5.1 writes them


def some(value: Any) -> list[Any]:
    """The members of a set; one alone may stand without it."""
    return list(value[1]) if isinstance(value, list) and value[:1] == ["set"] else [value]


def mapping(value: Any) -> dict[str, str]:
    """The pairs of a map."""
    return {str(key): str(item) for key, item in value[1]}


def as_map(pairs: Mapping[str, str]) -> list[Any]:
    """A map."""
    return ["map", [[key, item] for key, item in pairs.items()]]


def as_set(*members: Any) -> list[Any]:
    """A set."""
    return ["set", list(members)]
