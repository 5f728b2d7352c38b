"""DHCPv6 clients in a machine: ISC's dhclient, or one of our own where there is none."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import time
from collections.abc import Iterator, Mapping
from ipaddress import IPv6Address
from typing import Final

from demo.inside import in_namespace
from demo.leases import Lease6
from demo.machines import DEVICE, Machine
from demo.space import found
from demo.waiting import PATIENCE, NotSo, until

SOLICIT, ADVERTISE, REQUEST, REPLY = 1, 2, 3, 7
CLIENT_ID, SERVER_ID, IA_NA, IA_ADDRESS, OPTION_REQUEST, ELAPSED_TIME, DNS_SERVERS = 1, 2, 3, 5, 6, 8, 23
_ALL_SERVERS: Final = ("ff02::1:2", 547)
_SCRIPT: Final = """\
#!/bin/sh
case $reason in BOUND6|RENEW6|REBIND6) env >LEASE.part && mv LEASE.part LEASE ;; esac
"""


def lease6(machine: Machine, *, own: bool) -> Lease6:
    """The address that a machine is given by DHCPv6.

    Raises:
        NotSo: none in time.
    """

    def linked() -> bool:
        return "fe80:" in machine.ip("-6", "addr", "show", "dev", DEVICE)

    until(f"{machine.name} has a link-local address", linked)
    return _asked(machine) if own else _dhclient(machine)


def _dhclient(machine: Machine) -> Lease6:
    folder = machine.folder
    # A copy: the profile that a distribution has for the program allows no script but its own.
    program = folder / "isc-client"
    shutil.copy2(found("dhclient") or "dhclient", program)
    told, script = folder / "dhclient.lease", folder / "dhclient.script"
    script.write_text(_SCRIPT.replace("LEASE", str(told)))
    script.chmod(0o755)
    files = ["-sf", str(script), "-lf", str(folder / "dhclient.leases"), "-pf", str(folder / "dhclient.pid")]
    machine.start([str(program), "-6", "-d", "-D", "LL", *files, DEVICE], folder / "dhclient.log")
    until(f"dhclient -6 of {machine.name} gets an address", told.exists)
    pairs = (line.partition("=") for line in told.read_text().splitlines())
    values = {name: value for name, _, value in pairs}
    return Lease6(address=values["new_ip6_address"], dns=tuple(values.get("new_dhcp6_name_servers", "").split()))


# -- our own (RFC 8415)


def _asked(machine: Machine) -> Lease6:
    def opened() -> socket.socket:
        made = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, DEVICE.encode())
        made.bind(("::", 546))
        return made

    def index() -> int:
        return socket.if_nametoindex(DEVICE)

    scope = in_namespace(machine.namespace, index)
    who = {
        CLIENT_ID: struct.pack("!HH", 3, 1) + bytes.fromhex(machine.mac.replace(":", "")),
        IA_NA: struct.pack("!III", 1, 0, 0),
        OPTION_REQUEST: struct.pack("!H", DNS_SERVERS),
        ELAPSED_TIME: bytes(2),
    }
    with in_namespace(machine.namespace, opened) as asking:
        advertised = _exchange(asking, scope, SOLICIT, who, ADVERTISE)
        chosen = {SERVER_ID: advertised[SERVER_ID], IA_NA: advertised[IA_NA]}
        answer = _exchange(asking, scope, REQUEST, {**who, **chosen}, REPLY)
    inner = dict(_options(answer[IA_NA][12:]))
    if IA_ADDRESS not in inner:
        raise NotSo(f"{machine.name} is given no IPv6 address")
    dns = answer.get(DNS_SERVERS, b"")
    return Lease6(
        address=str(IPv6Address(inner[IA_ADDRESS][:16])),
        dns=tuple(str(IPv6Address(dns[at : at + 16])) for at in range(0, len(dns), 16)),
    )


def _exchange(
    asking: socket.socket, scope: int, kind: int, options: Mapping[int, bytes], answered_by: int
) -> dict[int, bytes]:
    """Send a message, again every second, until it is answered; the answer's options."""
    transaction = os.urandom(3)
    message = bytes([kind]) + transaction
    message += b"".join(struct.pack("!HH", number, len(value)) + value for number, value in options.items())
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        asking.sendto(message, (*_ALL_SERVERS, 0, scope))
        asking.settimeout(1)
        try:
            answer = asking.recv(1 << 16)
        except TimeoutError:
            continue
        if answer[0] == answered_by and answer[1:4] == transaction:
            return dict(_options(answer[4:]))
    raise NotSo(f"no server answers the DHCPv6 message of type {kind} within {PATIENCE:g} s")


def _options(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= 4:
        number, size = struct.unpack_from("!HH", data)
        yield number, data[4 : 4 + size]
        data = data[4 + size :]
