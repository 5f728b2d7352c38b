"""One socket to the kernel's rtnetlink (rtnetlink(7)): requests, acknowledgements, dumps.

pyroute2's classes say how a request looks; sending and receiving is done here, without its asyncio core, which makes a
look eight times as dear (docs/decisions/0008).  A socket belongs to the namespace that it was opened in,
whoever uses it afterwards; one thread at a time.  Everything may raise pyroute2's NetlinkError, or OSError.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
from collections.abc import Iterator
from typing import Any, Final, Self

from pyroute2.netlink.exceptions import NetlinkError  # type: ignore[import-untyped]

# include/uapi/linux: netlink.h, socket.h
_NLMSG_ERROR: Final = 2
_NLMSG_DONE: Final = 3
_REQUEST: Final = 0x1
_ACK: Final = 0x4
_DUMP: Final = 0x300
_DUMP_INTERRUPTED: Final = 0x10
_ACK_CAPPED: Final = 0x100
_ACK_HAS_WORDS: Final = 0x200
_SOL_NETLINK: Final = 270
_CAP_ACK: Final = 10
_EXT_ACK: Final = 11
_GET_STRICT_CHK: Final = 12
_WORDS: Final = 1
_HEADER: Final = struct.Struct("=IHHII")
_ATTRIBUTE: Final = struct.Struct("=HH")
# Without the marks that stand beside an attribute's kind (NLA_TYPE_MASK).
_KIND: Final = 0x3FFF

# Seconds; the kernel answers at once or not at all.
_PATIENCE: Final = 10
# A dump during which something changed is asked for again; on a host that never rests, no more often than that.
_MOST_DUMPS: Final = 20
_BUFFER: Final = 1 << 17


class Rtnetlink:
    """A socket of the namespace that the calling thread is in; a context manager."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        self._socket.settimeout(_PATIENCE)
        self._sequence = 0
        self._interrupted = False
        for option in (_CAP_ACK, _EXT_ACK, _GET_STRICT_CHK):
            # An older kernel filters less, and says less; what is asked for is looked at here again.
            with contextlib.suppress(OSError):
                self._socket.setsockopt(_SOL_NETLINK, option, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it."""
        self._socket.close()

    @property
    def descriptor(self) -> int:
        """Of the socket; an ioctl on it is about the socket's namespace (netdevice(7))."""
        return self._socket.fileno()

    def change(self, kind: int, message: Any, flags: int = 0) -> None:
        """Ask for a change, and wait until it is made.

        Args:
            kind: RTM_NEW... or RTM_DEL...; flags: NLM_F_CREATE, NLM_F_EXCL...
            message: one of pyroute2's, used up; or what follows the header, as bytes.
        """
        _, sequence = self._send(kind, _REQUEST | _ACK | flags, message)
        for _ in self._answers(sequence):
            pass

    def get(self, kind: int, message: Any) -> bytes:
        """Ask for one object; its message, with the header.

        Raises:
            NetlinkError: ENODEV where there is none.
        """
        _, sequence = self._send(kind, _REQUEST, message)
        return next(self._answers(sequence))

    def dump(self, kind: int, message: Any) -> list[bytes]:
        """Ask for all objects that `message` does not rule out; older kernels give all there are.

        Raises:
            OSError: EBUSY, where they did not stay the same for the length of a look.
        """
        request, sequence = self._send(kind, _REQUEST | _DUMP, message)
        for _ in range(_MOST_DUMPS):
            self._interrupted = False
            answers = list(self._answers(sequence))
            if not self._interrupted:
                return answers
            sequence = self._send_again(request)
        raise OSError(errno.EBUSY, "the kernel's tables change faster than they can be read")

    def _send(self, kind: int, flags: int, message: Any) -> tuple[bytearray, int]:
        if isinstance(message, bytes):
            request = bytearray(_HEADER.pack(_HEADER.size + len(message), kind, flags, 0, 0) + message)
        else:
            message["header"]["type"], message["header"]["flags"] = kind, flags
            message.encode()
            request = message.data
        return request, self._send_again(request)

    def _send_again(self, request: bytearray) -> int:
        self._sequence += 1
        struct.pack_into("=I", request, 8, self._sequence)
        self._socket.send(request)
        return self._sequence

    def _answers(self, sequence: int) -> Iterator[bytes]:
        """The messages that answer a request, to the last one or the acknowledgement."""
        while True:
            try:
                data = self._socket.recv(_BUFFER)
            except TimeoutError:
                raise OSError(errno.ETIMEDOUT, "the kernel does not answer") from None
            offset = 0
            while offset < len(data):
                length, kind, flags, answered, _ = _HEADER.unpack_from(data, offset)
                message = data[offset : offset + length]
                offset += (length + 3) & ~3
                if answered != sequence:
                    continue  # an answer that came too late
                self._interrupted |= bool(flags & _DUMP_INTERRUPTED)
                if kind in (_NLMSG_ERROR, _NLMSG_DONE):
                    _check(message, flags)
                    return
                yield message


def fields(message: bytes, form: struct.Struct) -> tuple[Any, ...]:
    """The fixed part of a message, without taking the rest apart."""
    return form.unpack_from(message, _HEADER.size)


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute of a request, padded."""
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + bytes(-length % 4)


def attributes(message: bytes, form: struct.Struct) -> dict[int, bytes]:
    """What follows the fixed part of a message, by kind, not taken apart: a link has fifty, and few are of interest."""
    return nested(message, _HEADER.size + form.size)


def nested(data: bytes, offset: int = 0) -> dict[int, bytes]:
    """Attributes that stand in `data` from `offset` on; of several of one kind the last."""
    found: dict[int, bytes] = {}
    last = len(data) - _ATTRIBUTE.size
    while offset <= last:
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        found[kind & _KIND] = data[offset + _ATTRIBUTE.size : offset + length]
        offset += max((length + 3) & ~3, _ATTRIBUTE.size)
    return found


def _check(message: bytes, flags: int) -> None:
    """Raise what the kernel refused; both kinds of a last message begin with a negative errno, or 0."""
    number = -struct.unpack_from("=i", message, _HEADER.size)[0] if len(message) >= _HEADER.size + 4 else 0
    if number:
        words = _words(message) if flags & _ACK_HAS_WORDS and flags & _ACK_CAPPED else ""
        raise NetlinkError(number, f"{os.strerror(number)} ({words})" if words else os.strerror(number))


def _words(message: bytes) -> str:
    """What the kernel says about a refusal (NLMSGERR_ATTR_MSG); it stands after the header of what was refused."""
    offset = _HEADER.size + 4 + _HEADER.size
    while offset + _ATTRIBUTE.size <= len(message):
        length, kind = _ATTRIBUTE.unpack_from(message, offset)
        if kind == _WORDS:
            return message[offset + _ATTRIBUTE.size : offset + length].rstrip(b"\0").decode("utf-8", "replace")
        offset += max((length + 3) & ~3, _ATTRIBUTE.size)
    return ""
