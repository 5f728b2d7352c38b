"""The way to the broker: made from the options of oslo.messaging, and looked at from outside.

Knows ``cfg.CONF`` and transport URLs.  The options are the process's global ones: oslo.messaging reads some of them
there whatever it is given.  No text made here holds a password.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any, Final

from attrs import frozen

from dhcpcore import SettingsError
from dhcpcore_adapters.rpc.oslo.library import cfg, oslo_messaging

#: Ports where a URL names none (AMQP 0-9-1; with TLS the operator names it).
_PORT: Final = 5672
#: Transports of oslo.messaging that are connections to a host of the URL.
_ON_TCP: Final = frozenset({"rabbit", "amqp", "kombu+amqp", "kombu+rabbit"})


def read_files(files: Sequence[str], directories: Sequence[str]) -> None:
    """Read ini files, and those of directories, into the global options, as every OpenStack program does at its start.

    Raises:
        SettingsError: one cannot be read.
    """
    try:
        cfg.CONF(
            args=[],
            project="neutron",
            prog="neutron-dhcp-agent",
            default_config_files=list(files),
            default_config_dirs=list(directories),
        )
    except (cfg.Error, OSError) as error:
        raise SettingsError("config_file", "a file that oslo.config can read", _one_line(error)) from error


@frozen(kw_only=True)
class Broker:
    """A transport of oslo.messaging, and where it leads.

    Attributes:
        transport: `oslo_messaging.RPCTransport`.
        url: for people, without user and password.
        hosts: host and port of each broker that is reached over TCP; none where that is not known.
        response_timeout: seconds, ``rpc_response_timeout``.
    """

    transport: Any
    url: str
    hosts: tuple[tuple[str, int], ...]
    response_timeout: float

    @classmethod
    def of(cls, url: str | None, exchange: str) -> Broker:
        """Made from a transport URL; None: the option ``transport_url``.

        Nothing is connected yet.

        Args:
            exchange: ``control_exchange``, where that option is not set.

        Raises:
            SettingsError: there is no such transport, or an option of its own is wrong.
        """
        oslo_messaging.set_transport_defaults(exchange)
        try:
            transport = oslo_messaging.get_rpc_transport(cfg.CONF, url=url, allowed_remote_exmods=[])
            parsed = oslo_messaging.TransportURL.parse(cfg.CONF, url)
            # Registered by the first client; 60 where the file has none.
            oslo_messaging.get_rpc_client(transport, oslo_messaging.Target(topic="none"))
            timeout = float(cfg.CONF.rpc_response_timeout)
        except oslo_messaging.InvalidTransportURL as error:
            # Its text has the whole URL, password and all.
            raise SettingsError("transport_url", "a URL rabbit://USER:PASSWORD@HOST:PORT/VHOST", "another") from error
        except oslo_messaging.DriverLoadFailure as error:
            expected = "a transport of oslo.messaging that is installed: rabbit"
            raise SettingsError("transport_url", expected, repr(error.driver)) from error
        except (cfg.Error, ValueError) as error:
            expected = "options that oslo.messaging takes"
            raise SettingsError("transport_url", expected, type(error).__name__) from error
        known = [(each.hostname or "localhost", each.port or _PORT) for each in parsed.hosts]
        at = ",".join(f"{host}:{port}" for host, port in known)
        on_tcp = parsed.transport in _ON_TCP
        return cls(
            transport=transport,
            url=f"{parsed.transport}://{at}/{parsed.virtual_host or ''}",
            hosts=tuple(known or [("localhost", _PORT)]) if on_tcp else (),
            response_timeout=timeout,
        )

    def unreachable(self, timeout: float) -> str | None:
        """Why nobody listens at any of the hosts; None where somebody does, or where that is not known.

        Args:
            timeout: seconds for each host.
        """
        reasons = []
        for host, port in self.hosts:
            try:
                socket.create_connection((host, port), timeout).close()
            except OSError as error:
                reasons.append(f"{host}:{port}: {error.strerror or error}")
            else:
                return None
        return "; ".join(reasons) or None


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
