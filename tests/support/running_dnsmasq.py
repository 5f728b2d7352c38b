"""A dnsmasq that runs in a namespace on a rendered command line and files, with a device to serve on.

Knows what has to be around a rendered instance for it to run in a directory and a namespace of a test; knows nothing
of what is in the files.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from ipaddress import ip_interface
from pathlib import Path
from typing import Any, Final

from support.dhcp_client import DhcpClients, link_local
from support.namespace import Namespace

#: The other end of the wire, for clients.
CLIENTS: Final = "clients"
# version.bind, TXT, class CHAOS: dnsmasq answers it by itself.
_QUESTION: Final = b"\7version\4bind\0\0\x10\0\3"
_QUERY: Final = b"\0\1\1\0\0\1\0\0\0\0\0\0" + _QUESTION
_PREFIX: Final = re.compile(r"^.*?dnsmasq(?:-\w+)?\[\d+\]: ")


class DidNotStart(RuntimeError):
    """dnsmasq ended instead of serving; the message has its exit status and what it said."""


def relocated(options: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The agent's options with every path of the command line moved below `folder`."""
    moved = {
        **options,
        "state_path": f"{folder}/state",
        "dhcp_confs": f"{folder}/dhcp",
        "dnsmasq_config_file": f"{folder}/dnsmasq.conf",
    }
    if options.get("dnsmasq_base_log_dir"):
        moved["dnsmasq_base_log_dir"] = f"{folder}/log"
    return moved


def plug(namespace: Namespace, device: str, mac: str, mtu: int, addresses: Iterable[str]) -> None:
    """Make `device` with these addresses (CIDR texts), and behind it the wire of the clients."""
    link = f"{link_local(mac)}/64"
    commands = [
        "link set lo up",
        f"link add {device} type veth peer name {CLIENTS}",
        # Their link-local addresses are given, not found: no waiting for duplicate address detection.
        f"link set {device} address {mac} mtu {mtu} addrgenmode none",
        f"link set {CLIENTS} mtu {mtu} addrgenmode none",
        f"link set {device} up",
        f"link set {CLIENTS} up",
        *(f"addr add {cidr} dev {device} {_kind(cidr)}" for cidr in dict.fromkeys([*addresses, link])),
    ]
    namespace.check(["ip", "-batch", "-"], text="\n".join(commands) + "\n")


def _kind(cidr: str) -> str:
    interface = ip_interface(cidr)
    if interface.version == 6:
        return "nodad"
    # What Neutron's agent does; it does not for a single address.
    return "" if interface.network.prefixlen == 32 else "brd +"


@dataclass(frozen=True, kw_only=True)
class Running:
    """A dnsmasq that has read its files and serves."""

    namespace: Namespace
    process: int
    log: Path

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self.namespace.is_alive(self.process)

    def handled(self) -> None:
        """Return when every packet that had arrived before is handled.

        One turn of dnsmasq's loop looks for queries first and takes one DHCP packet afterwards (src/dnsmasq.c, main).
        So the second of two queries, one after the other, is answered in a later turn.

        Raises:
            OSError: it does not answer.
        """
        with closing(self.namespace.socket(socket.AF_INET, socket.SOCK_DGRAM)) as asking:
            asking.settimeout(10)
            asking.connect(("127.0.0.1", 53))
            for _ in range(2):
                asking.send(_QUERY)
                asking.recv(4096)

    def clients(self, device_mac: str) -> DhcpClients:
        """Clients on the wire behind the device with this MAC address."""
        wire = self.namespace.socket(socket.AF_PACKET, socket.SOCK_RAW)
        return DhcpClients(wire, CLIENTS, str(link_local(device_mac)), self.handled)

    def said(self) -> list[str]:
        """The lines it has logged, without time and name."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return [_PREFIX.sub("", line, count=1) for line in text.splitlines()]


def start(
    namespace: Namespace, folder: Path, argv: Sequence[str], files: Mapping[str, str], *, directory: str
) -> Running:
    """Write `files` (name to text) into `directory` and start dnsmasq with `argv` as it is.

    Args:
        folder: where the settings were `relocated` to.

    Raises:
        DidNotStart: it ended.
    """
    place = Path(directory)
    place.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (place / name).write_text(text, encoding="utf-8", newline="")
    (place / "pid").unlink(missing_ok=True)
    asked = [argument.partition("=")[2] for argument in argv if argument.startswith("--log-facility=")]
    log = Path(asked[-1]) if asked else folder / "dnsmasq.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    # In a user namespace there is one user and one group to be.
    lines = ["user=root", "group=", *([] if asked else [f"log-facility={log}"])]
    (folder / "dnsmasq.conf").write_text("".join(f"{line}\n" for line in lines))
    finished = namespace.run(argv)
    # It ends when its child has bound its sockets and written the pid file.
    if finished.code != 0:
        said = log.read_text(errors="replace") if log.exists() else ""
        raise DidNotStart(f"dnsmasq ended with {finished.code}: {finished.err.strip()} {said.strip()}")
    running = Running(namespace=namespace, process=int((place / "pid").read_text()), log=log)
    try:
        running.handled()
    except OSError as error:
        raise DidNotStart(f"dnsmasq does not answer: {error}; it said {running.said()[-3:]}") from error
    return running
