"""What a simulated dnsmasq does with its files, as dnsmasq 2.9x does it.

Files are read at the start and at SIGHUP, never in between; leases are read at the start only, kept in memory, and
written in place to the inode that was opened then.  An independent, small reading of the formats: tests ask it what
a client would be answered.
"""

from __future__ import annotations

import re

from dhcpcore.testing.host.disk import Inode, MemoryDisk
from dhcpcore.testing.host.kernel import KernelError, Process

#: Option of the command line, and the name under which its file is kept in `Process.loaded`.
FILES = {"dhcp-hostsfile": "host", "addn-hosts": "addn_hosts", "dhcp-optsfile": "opts"}

#: Of the server, as it makes one where it finds none.
_DUID = "duid 00:01:00:01:2d:00:00:00:fa:16:3e:00:00:fe"

_MAC = re.compile(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}").fullmatch


def load(process: Process, disk: MemoryDisk) -> None:
    """Read the files anew; a missing one is an empty one: its clients are served no longer."""
    for option, name in FILES.items():
        path = process.option(option)
        data = disk.peek(path) if path else None
        process.loaded[name] = "" if data is None else data.decode("utf-8", "surrogateescape")


def open_leases(process: Process, disk: MemoryDisk) -> None:
    """Read the leases file and keep it open.

    Raises:
        KernelError: as the real one fails: no directory for it (exit 3), a MAC address that is none (abort in
            read_leases), more leases than --dhcp-lease-max (exit 5).
    """
    path = process.option("dhcp-leasefile")
    if path is None:
        return
    inode = disk.inode(path)
    if inode is None:
        if not disk.is_directory(path.rpartition("/")[0]):
            raise KernelError(f"exit 3: cannot open or create leases file {path}")
        inode = Inode()
        disk.link(path, inode)
    process.leases_file = inode
    process.leases = {}
    if process.option("dhcp-range") is None:
        return  # without a range there is no DHCP, and the file is not looked at
    for line in inode.data.decode("utf-8", "surrogateescape").splitlines():
        parts = line.split()
        if len(parts) != 5:
            continue
        identity, address = parts[1], parts[2]
        if ":" not in address and _MAC(identity.rpartition("-")[2]) is None:
            raise KernelError("signal 6: malloc assertion failure (leases file: not a MAC address)")
        process.leases[address] = line
    most = process.option("dhcp-lease-max")
    if len(process.leases) > (int(most) if most else 1000):
        raise KernelError("exit 5: too many stored leases")


def write_leases(process: Process) -> None:
    """Write the leases to the file opened at the start, wherever its name points now."""
    if isinstance(process.leases_file, Inode):
        inode = process.leases_file
        duid = [line for line in inode.data.decode("utf-8", "surrogateescape").splitlines() if line.startswith("duid ")]
        lines = [line for address, line in process.leases.items() if ":" not in address]
        six = [line for address, line in process.leases.items() if ":" in address]
        lines += (duid or [_DUID] if six else duid) + six
        inode.data = "".join(line + "\n" for line in lines).encode("utf-8", "surrogateescape")


def holder(line: str) -> str:
    """The MAC address of the client that holds a lease, in lower case; of IPv6, where its DUID is made of that."""
    _, identity, address, _, client_id = line.split()
    return (client_id[-17:] if ":" in address else identity.rpartition("-")[2]).lower()


def reservations(hosts: str) -> dict[str, tuple[str, ...]]:
    """MAC address in lower case to the addresses reserved for it, from the text of a hosts file.

    Of a MAC's lines in one family the last counts; the first line with an IPv4 address keeps it.
    """
    found: dict[str, dict[bool, tuple[str, ...]]] = {}
    given: set[str] = set()
    for line in hosts.split("\n"):
        fields = [part.strip() for part in line.split(",")]
        macs = [part.lower() for part in fields if _MAC(part)]
        addresses = [part.strip("[]") for part in fields if _is_address(part)]
        if any(":" not in address and address in given for address in addresses):
            continue
        given.update(addresses)
        for mac in macs:
            for six in (False, True):
                family = tuple(address for address in addresses if (":" in address) == six)
                if family:
                    found.setdefault(mac, {})[six] = family
    return {mac: families.get(False, ()) + families.get(True, ()) for mac, families in found.items()}


def _is_address(part: str) -> bool:
    if part.startswith("[") and part.endswith("]"):
        return True
    return re.fullmatch(r"\d{1,3}(\.\d{1,3}){3}", part) is not None


def dies_at_sighup(process: Process, version: tuple[int, int]) -> bool:
    """Before 2.91: a client was served whose loaded host line has ``set:`` (upstream commit f006be7)."""
    if version >= (2, 91):
        return False
    return any(
        "set:" in line and any(mac in line.lower() for mac in process.served)
        for line in process.loaded.get("host", "").split("\n")
    )
