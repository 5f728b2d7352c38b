"""Where a server listens, and what an agent tells it when it connects.

Knows URLs, sockets and the token's file; nothing of messages.
"""

from __future__ import annotations

import socket
import struct
from typing import Final
from urllib.parse import unquote, urlencode, urlsplit

from attrs import field, frozen

from dhcpcore import SettingsError
from dhcpcore_adapters.rpc.agreed import PATH

_EXPECTED: Final = "ws://HOST:PORT/rpc, wss://HOST/rpc or unix:///PATH/OF/SOCKET"


class NoToken(Exception):
    """The token cannot be read; the text says why, and what to do."""


@frozen(kw_only=True)
class Address:
    """A server's address.

    Attributes:
        url: as it was given; uri: of the WebSocket, without a query.
        unix: path of a unix socket; else host and port are set.
    """

    url: str
    uri: str
    unix: str | None = None
    host: str = ""
    port: int = 0
    token_file: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str, token_file: str | None = None) -> Address:
        """The address in a URL; where that has no path, the endpoint's is taken.

        Args:
            token_file: path of a file with the token that the server wants; None: it wants none.

        Raises:
            SettingsError: it is no such URL.
        """
        try:
            parts = urlsplit(url)
            scheme, host, port = parts.scheme, parts.hostname or "", parts.port
        except (AttributeError, TypeError, ValueError) as error:
            raise SettingsError("url", _EXPECTED, f"{url!r}: {error}") from error
        if parts.username is not None or parts.query or parts.fragment:
            raise SettingsError("url", f"{_EXPECTED}, and nothing else in it (a token goes into token_file)", repr(url))
        if scheme == "unix" and not host and parts.path.startswith("/"):
            return cls(url=url, uri=f"ws://localhost{PATH}", unix=unquote(parts.path), token_file=token_file)
        if scheme not in ("ws", "wss") or not host:
            raise SettingsError("url", _EXPECTED, repr(url))
        uri = f"{scheme}://{parts.netloc}{parts.path if parts.path not in ('', '/') else PATH}"
        return cls(url=url, uri=uri, host=host, port=port or (443 if scheme == "wss" else 80), token_file=token_file)

    def asking(self, **query: str) -> str:
        """The URI with a query."""
        return f"{self.uri}?{urlencode(query)}"

    def open(self, timeout: float, send_timeout: float) -> socket.socket:
        """A connected socket.

        Args:
            timeout: seconds to connect in; send_timeout: seconds in which the peer has to take something of what is
                sent, or the connection is broken.

        Raises:
            OSError: nobody is there.
        """
        if self.unix is None:
            opened = socket.create_connection((self.host, self.port), timeout)
        else:
            opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            if self.unix is not None:
                opened.settimeout(timeout)
                opened.connect(self.unix)
            opened.settimeout(None)
            interval = struct.pack("ll", int(send_timeout), int(send_timeout % 1 * 1e6))
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, interval)
        except BaseException:
            opened.close()
            raise
        return opened

    def token(self) -> str | None:
        """What the token's file holds now; None where there is to be none.

        Raises:
            NoToken: it cannot be read, or holds no token.
        """
        if self.token_file is None:
            return None
        try:
            with open(self.token_file, encoding="ascii") as file:
                token = file.read(4097).strip()
        except (OSError, ValueError) as error:
            raise NoToken(
                f"cannot read the token: {error}; let token_file name a file with the server's token"
            ) from error
        if not token or len(token) > 4096 or not token.isprintable() or " " in token:
            raise NoToken(
                f"there is no token in {self.token_file}: put the server's token into it, one line, no spaces"
            )
        return token
