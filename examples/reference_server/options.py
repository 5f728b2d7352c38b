"""What the server can be told when it is started. Names are Neutron's where Neutron has them."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path

from attrs import field, frozen
from attrs.validators import ge, gt


class OptionError(ValueError):
    """An option that cannot be. The text says what to do."""


@frozen(kw_only=True)
class Options:
    """All options.

    Attributes:
        database: path of the SQLite file; it is made where there is none.
        listen: ``HOST:PORT``; port 0 takes any that is free.
        unix: path of a unix socket, instead of `listen`.
        token: what requests must carry (Authorization: Bearer, or X-Auth-Token); None: any request is served.
        agent_down_time: seconds without a heartbeat after which an agent counts as dead.
        dhcp_agents_per_network: how many agents a network is given.
        network_auto_schedule: False: networks are given to agents by hand only.
        allow_automatic_dhcp_failover: whether networks of a dead agent go to others.
        dns_domain: in which names of ports are made.
        mtu: of networks that ask for none (Neutron: global_physnet_mtu).
        segment_hosts: physical network to the hosts that are connected to it; empty: every host to every one.
    """

    database: str
    listen: str = "127.0.0.1:9696"
    unix: str | None = None
    token: str | None = field(default=None, repr=False)
    agent_down_time: float = field(default=75.0, validator=gt(0))
    dhcp_agents_per_network: int = field(default=1, validator=ge(1))
    network_auto_schedule: bool = True
    allow_automatic_dhcp_failover: bool = True
    dns_domain: str = "openstacklocal"
    mtu: int = field(default=1500, validator=ge(68))
    segment_hosts: Mapping[str, tuple[str, ...]] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        if self.unix is None and self.token is None and not is_loopback(self.address[0]):
            raise OptionError(
                f"listening on {self.listen} would let anybody on the network change everything: listen on 127.0.0.1, "
                "[::1] or a unix socket, or give a token file (--token-file)"
            )

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of `listen`.

        Raises:
            OptionError: it is no address.
        """
        host, colon, port = self.listen.rpartition(":")
        if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
            raise OptionError(f"{self.listen!r} is no address to listen on: expected HOST:PORT, as in 127.0.0.1:9696")
        return host.removeprefix("[").removesuffix("]"), int(port)


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect there."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def read_token(path: str) -> str:
    """The token in a file, without white space around it.

    Raises:
        OptionError: the file cannot be read, others may read it too, or there is no fit token in it.
    """
    try:
        mode = Path(path).stat().st_mode
        token = Path(path).read_text("ascii").strip()
    except (OSError, UnicodeError) as error:
        raise OptionError(f"cannot read the token file {path}: {error}") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise OptionError(f"the token file {path} is open to others: chmod 600 {path}")
    if len(token) < 16 or not token.isprintable() or " " in token:
        raise OptionError(f"the token file {path} must hold one word of at least 16 characters: openssl rand -hex 32")
    return token
