"""Making dnsmasq forget leases: releases are sent inside its namespace, and its leases file says when they are gone.

Knows how dnsmasq takes releases.  IPv4: to the server's own address, from any port; a wrong server identifier is
ignored.  IPv6: to ff02::1:2 on the device that dnsmasq listens on; one sent to its address it refuses (RFC 8415
section 18.4).  No release is answered, and one may be lost (Launchpad 1764481): so the file is read, and what is still
in it is sent again.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from ipaddress import ip_address, ip_interface
from typing import Final, Self

from dhcpcore import AdapterError, InstanceSpec, Lease, ObservedProcess, parse_leases
from dhcpcore_adapters.plain_files import read_plain
from dhcpcore_adapters.process import proc
from dhcpcore_adapters.process.namespaces import NamedNamespaces
from dhcpcore_adapters.process.packets import release4, release6
from dhcpcore_adapters.process.stopped import refuse_stopped

_SERVER_PORT_4: Final = 67
_SERVER_PORT_6: Final = 547
_ALL_SERVERS_6: Final = "ff02::1:2"
#: How many are sent before the file is read: dnsmasq's socket holds some hundred.
_BATCH: Final = 64
#: Seconds to wait for the file after each sending; it is rewritten, with an fsync, for every release.
_WAITS: Final = (0.25, 0.5, 1.0, 2.0)
_LOOKS: Final = 50

#: The server's address (None: all DHCPv6 servers on the device) and the bytes for it.
Message = tuple[str | None, bytes]


def release(
    spec: InstanceSpec, leases: Sequence[Lease], *, process: ObservedProcess, namespaces: NamedNamespaces, what: str
) -> None:
    """Release each lease that is in the leases file; returns when none of them is in it any more.

    Args:
        process: the instance's dnsmasq.

    Raises:
        AdapterError: one is still in it after several tries, or cannot be released, or somebody has stopped dnsmasq.
    """
    file = _LeasesFile(f"{spec.directory}/leases", process)
    there = file.has(leases)
    if not there:
        return
    refuse_stopped(process.pid, what)
    try:
        # Made before anything is sent: a lease that cannot be released at all is told at once.
        messages = {lease: _message(lease, spec, what) for lease in there}
        with namespaces.run_in(spec.device.namespace, lambda: _Sender(spec.device.name)) as sender:
            for begin in range(0, len(there), _BATCH):
                _release(there[begin : begin + _BATCH], messages, sender, file, what)
    except OSError as error:
        reason = error.strerror or error
        message = f"{what}: releases could not be sent: {reason}; is the device {spec.device.name} up?"
        raise AdapterError(message) from None


def _release(
    leases: Sequence[Lease], messages: Mapping[Lease, Message], sender: _Sender, file: _LeasesFile, what: str
) -> None:
    in_vain = 0
    while in_vain < len(_WAITS):
        for lease in leases:
            sender.send(*messages[lease])
        left = _wait_for(leases, file, _WAITS[in_vain])
        if not left:
            return
        refuse_stopped(file.process.pid, what)
        # A slow disk is no reason to give up: as long as there are fewer each time, it gets on.
        in_vain = in_vain + 1 if len(left) == len(leases) else 0
        leases = left
    addresses = ", ".join(lease.ip_address for lease in leases[:5])
    message = (
        f"{what} still has {len(leases)} of the leases it was sent releases for {in_vain} times in vain: {addresses}"
    )
    raise AdapterError(f"{message}; is its device up, with its addresses?")


def _wait_for(leases: Sequence[Lease], file: _LeasesFile, seconds: float) -> list[Lease]:
    """Wait until the file has none of the leases, so many seconds at most; those that it still has."""
    deadline = time.monotonic() + seconds
    pause = 0.0005
    while (left := file.has(leases)) and time.monotonic() < deadline:
        time.sleep(pause)
        pause = min(2 * pause, 0.02)
    return left


class _Sender:
    """Sockets of the namespace that it is made in; a context manager."""

    def __init__(self, device: str) -> None:
        self._device = socket.if_nametoindex(device)
        self._socket4 = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket6: socket.socket | None = None
        with suppress(OSError):  # a kernel without IPv6 has no IPv6 leases
            self._socket6 = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket4.close()
        if self._socket6 is not None:
            self._socket6.close()

    def send(self, server: str | None, message: bytes) -> None:
        """Send a message to a server, or to all DHCPv6 servers on the device, of which it names one."""
        if server is not None:
            self._socket4.sendto(message, (server, _SERVER_PORT_4))
        elif self._socket6 is not None:
            self._socket6.sendto(message, (_ALL_SERVERS_6, _SERVER_PORT_6, 0, self._device))


def _message(lease: Lease, spec: InstanceSpec, what: str) -> Message:
    transaction = int.from_bytes(os.urandom(4), "big")
    try:
        if lease.ip_version == 6:
            return None, release6(lease, transaction)
        server = _server_for(lease, spec)
        return server, release4(lease, server, transaction)
    except ValueError as error:
        message = f"{what}: cannot release the lease of {lease.ip_address}: {error}"
        raise AdapterError(message, retryable=False) from None


def _server_for(lease: Lease, spec: InstanceSpec) -> str:
    """The instance's own address in the subnet of a lease."""
    for cidr in spec.device.addresses:
        own = ip_interface(cidr)
        if own.version == 4 and ip_address(lease.ip_address) in own.network:
            return str(own.ip)
    raise ValueError(f"the device {spec.device.name} has no address in its subnet")


class _LeasesFile:
    """The leases file of a living dnsmasq.

    dnsmasq truncates the file and writes it anew in place (src/lease.c, lease_update_file), so one look may miss any
    lease.  A look counts only when dnsmasq slept before and after it, and two readings were the same: while it writes
    it runs, or waits for the disk.
    """

    def __init__(self, path: str, process: ObservedProcess) -> None:
        self._path = path
        self.process = process

    def has(self, leases: Sequence[Lease]) -> list[Lease]:
        """Those of the leases that are in the file; all of them while it cannot be told."""
        for _ in range(_LOOKS):
            if self._rests():
                data = self._read()
                time.sleep(0.0005)
                if self._read() == data and self._rests():
                    there = {_identity(lease) for lease in parse_leases(data).leases}
                    return [lease for lease in leases if _identity(lease) in there]
            time.sleep(0.001)
        return list(leases)

    def _rests(self) -> bool:
        now = proc.status(self.process.pid)
        if now is None or not now.is_alive or now.started != self.process.started:
            raise AdapterError(f"dnsmasq of {self.process.owner} died while it was told to release leases")
        return now.state in "STt"  # a stopped one does not write either

    def _read(self) -> bytes:
        try:
            return read_plain(self._path) or b""
        except OSError as error:
            raise AdapterError(f"cannot read {self._path}: {error.strerror}; run the agent as root") from None


def _identity(lease: Lease) -> tuple[object, ...]:
    """Whose lease of what: dnsmasq takes an IPv4 release by hardware address, or by client id where it knows one."""
    address = ip_address(lease.ip_address)
    if lease.ip_version == 4:
        return address, (lease.mac_address or "").lower()
    return address, lease.iaid, lease.temporary, (lease.client_id or "").lower()
