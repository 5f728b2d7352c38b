"""What adapters found on the host, before anyone decided what it means.

Values, and how an instance is recognised on disk.  Everything may be garbage: texts come from disk and /proc as they
are.
"""

from __future__ import annotations

from typing import Final

from attrs import frozen

from dhcpcore.model.spec import InstanceKey, Route

#: Lies beside an instance's files from before the first of them is written until dnsmasq has loaded them; with the IPv6
#: reservations that these took away, until the leases of those are released too.
DIRTY_MARK: Final = ".dirty"
#: Lies beside them with the ids of ports, a line each, that the server called ACTIVE when they were to be served
#: otherwise from then on: whether that was reported to it is known to nobody but the agent that did it.
UNREPORTED_MARK: Final = ".unreported"
#: Names by which a directory is known for an instance's.
INSTANCE_FILES: Final = frozenset(
    {"host", "addn_hosts", "opts", "leases", "pid", "interface", DIRTY_MARK, UNREPORTED_MARK}
)
#: That of them which stays when an instance is disabled, until its DHCP port is given back.
OWED_MARK: Final = "interface"


@frozen(kw_only=True)
class ObservedProcess:
    """A live dnsmasq or haproxy.

    Attributes:
        program: ``dnsmasq`` or ``haproxy``.
        owner: told from its command line: the instance's directory below dhcp_confs, or the proxy id.
        argv: its command line; started: an opaque mark that differs between two processes of one pid.
        namespace: the named network namespace it runs in, None when that has no name.
        replaced: its program is no longer on the disk, as after an upgrade.
        stopped: a signal has stopped it (SIGSTOP), and nobody let it go on yet: it answers nobody.
    """

    program: str
    owner: str
    pid: int
    argv: tuple[str, ...]
    namespace: str | None = None
    started: str = ""
    replaced: bool = False
    stopped: bool = False


@frozen(kw_only=True)
class ObservedDevice:
    """A device in a DHCP namespace (or the namespace alone, with an empty name).

    Attributes:
        unplugged: why it does not reach its network, as far as that is seen outside of the namespace; empty: it does.
    """

    namespace: str
    name: str = ""
    mac_address: str = ""
    mtu: int = 0
    up: bool = True
    unplugged: str = ""
    addresses: tuple[str, ...] = ()
    tentative: tuple[str, ...] = ()
    dadfailed: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()


@frozen(kw_only=True)
class ObservedInstance:
    """All that was found of one instance; None or empty where there was nothing.

    Attributes:
        dirty: a mark says that files were written and may not have been loaded.
        unreported: ports that may not have been reported since they were served otherwise (`UNREPORTED_MARK`).
        interface: contents of the file `interface`.
        directory: where its files lie, when that is known.
    """

    key: InstanceKey
    directory: str = ""
    process: ObservedProcess | None = None
    host: str | None = None
    addn_hosts: str | None = None
    opts: str | None = None
    leases: str | None = None
    interface: str | None = None
    dirty: bool = False
    unreported: tuple[str, ...] = ()
    device: ObservedDevice | None = None


@frozen(kw_only=True)
class ObservedProxy:
    """A metadata proxy found on the host."""

    network_id: str
    proxy_id: str
    process: ObservedProcess | None = None
    config: str | None = None
    config_path: str = ""


@frozen(kw_only=True)
class Unreadable:
    """A network of which some file could not be read: what it is like is not known, and `reason` says why."""

    network_id: str
    reason: str


@frozen(kw_only=True)
class ObservedHost:
    """Everything found on the host at one time.

    Attributes:
        unreadable: networks of which nothing else is told here.
    """

    instances: tuple[ObservedInstance, ...] = ()
    proxies: tuple[ObservedProxy, ...] = ()
    namespaces: tuple[str, ...] = ()
    stray_devices: tuple[ObservedDevice, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
