"""What is on a host, as lines that are equal where the hosts are: for comparing one without a crash with one after it.

Looks with /proc, ip(8), the file system and the server's REST API; asks no agent, and uses nothing of what is tested.
Ids, MAC addresses and the address of the DHCP port are replaced by names, for each network has others.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from support.clients.wires import Wire
from support.namespace import found
from support.site import Server

_DHCP: Final = "network:dhcp"
_ID_IN_NAME: Final = 11
#: The kernel's own, of the MAC address; not the one of metadata.
_LINK_LOCAL: Final = re.compile(r"fe80::(?!a9fe:a9fe)[0-9a-f:]+")
#: In the agent's directory and no instance's; pids are numbers.
_OWN_FILES: Final = frozenset({"dhcpcore.lock", "dhcpcore.sock"})


class Names:
    """Replaces what differs from one run to the next in a network and its ports.

    Args:
        network: its id.
        known: the ports and subnets that the run made, by the names that they are to have.
        ports: all that the server has; DHCP ports are named by their addresses' order.
    """

    def __init__(self, network: str, known: Mapping[str, Mapping[str, Any]], ports: Collection[Mapping[str, Any]]):
        to: dict[str, str] = {}

        def add(name: str, one: Mapping[str, Any]) -> None:
            to[one["id"]] = name
            to[one["id"][:_ID_IN_NAME]] = f"{name}~"
            if "mac_address" in one:
                to[one["mac_address"]] = f"mac of {name}"

        add("NETWORK", {"id": network})
        for name, one in known.items():
            add(name, one)
        others = [port for port in ports if port["id"] not in to]
        self.dhcp_addresses: list[str] = []
        for number, port in enumerate(sorted(others, key=lambda port: str(port["fixed_ips"]))):
            name = f"DHCP{number}"
            add(name, port)
            for each in port["fixed_ips"]:
                self.dhcp_addresses.append(each["ip_address"])
                to[each["ip_address"]] = f"address of {name}"
                to[each["ip_address"].replace(".", "-")] = f"address-of-{name}"
        self._to = to
        # The longest first: an id before its beginning, 10.0.0.25 before 10.0.0.2.
        words = "|".join(re.escape(word) for word in sorted(to, key=len, reverse=True))
        self._words = re.compile(rf"(?<![0-9.])(?:{words})(?![0-9])")

    def __call__(self, text: str) -> str:
        """`text` with names."""
        return _LINK_LOCAL.sub("LINKLOCAL", self._words.sub(lambda match: self._to[match[0]], text))


def picture(
    server: Server,
    state: Path,
    network: str,
    known: Mapping[str, Mapping[str, Any]],
    *,
    but: Collection[int],
    held: Collection[str] = (),
) -> list[str]:
    """Everything on this host and at the server that an agent makes, changes or removes; sorted.

    Args:
        state: the agent's state_path.
        network: the id of the one network that there is, or was; known: see `Names`.
        but: pids that are the test's.
        held: MAC addresses whose clients hold a lease. Of other ports dnsmasq's leases file may have a lease or none
            (the agent puts one in when it starts dnsmasq, as the stock agent does); a lease of nobody is always told.
    """
    ports = server.list("ports")
    names = Names(network, known, ports)
    lines = [*_server(server, ports), *_processes(but), *_devices(), *_files(state, ports, held)]
    return sorted(names(line) for line in lines)


def processes_and_devices(but: Collection[int]) -> list[str]:
    """Every process but these, every namespace, device and default route of this host, by their own names."""
    return [*_processes(but), *_devices()]


def _server(server: Server, ports: Collection[Mapping[str, Any]]) -> Iterator[str]:
    for network in server.list("networks"):
        yield f"server: network {network['id']}"
    for port in ports:
        who = (port["device_owner"], port["device_id"], port["binding:host_id"], port["status"], port["mac_address"])
        addresses = sorted(each["ip_address"] for each in port["fixed_ips"])
        yield f"server: port {port['id']} {who} {addresses}"


def _processes(but: Collection[int]) -> Iterator[str]:
    spaces = {}
    for name in os.listdir("/run/netns"):
        # A name that leads nowhere has no such inode; the line for the name is told by `_devices`.
        with suppress(FileNotFoundError):
            spaces[os.stat(f"/run/netns/{name}").st_ino] = name
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) in but:
            continue
        try:
            state = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[0]
            argv = Path(f"/proc/{entry}/cmdline").read_bytes().decode().replace("\0", " ")
            inside = spaces.get(os.stat(f"/proc/{entry}/ns/net").st_ino, "no named namespace")
        except OSError:
            continue  # it has ended
        if state != "Z":
            yield f"process in {inside}: {argv.strip()}"


def _ip(namespace: str | None, *words: str) -> Any:
    where = () if namespace is None else ("-n", namespace)
    ran = subprocess.run(
        [found("ip") or "ip", *where, "-json", *words], capture_output=True, text=True, timeout=20, check=False
    )
    return json.loads(ran.stdout) if ran.returncode == 0 and ran.stdout.strip() else []


def _devices() -> Iterator[str]:
    for namespace in (None, *os.listdir("/run/netns")):
        if namespace is not None:
            yield f"namespace {namespace}"
        for link in _ip(namespace, "-details", "address", "show"):
            if not link or link["ifname"] == "lo" or "link_type" not in link:
                continue
            kind = link.get("linkinfo", {}).get("info_kind")
            # The outer ends and bridges have random MAC addresses.
            mac = "" if namespace is None else link["address"]
            where = (link.get("master"), link["mtu"], "UP" in link["flags"], link.get("ifalias"), link.get("group"))
            addresses = sorted(
                (each["local"], each["prefixlen"], each.get("label")) for each in link.get("addr_info", ())
            )
            yield f"device {link['ifname']} in {namespace}: {kind} {mac} {where} {addresses}"
        if namespace is not None:
            for family in ("-4", "-6"):
                for route in _ip(namespace, family, "route", "show"):
                    what = (route["dst"], route.get("gateway"), route["dev"], route.get("scope"))
                    yield f"route in {namespace}: {what}"


def _files(state: Path, ports: Collection[Mapping[str, Any]], held: Collection[str]) -> Iterator[str]:
    wanted = {(port["mac_address"], each["ip_address"]) for port in ports for each in port["fixed_ips"]}
    for folder, folders, names in os.walk(state):
        # A segment's directory stays, as the stock agent's does: other networks may be about to use it.
        is_of_a_segment = folder.rpartition("/")[2].isdecimal()
        if not folders and not names and folder.startswith(f"{state}/dhcp/") and not is_of_a_segment:
            yield f"directory {folder}, empty"
        for name in names:
            path = Path(folder, name)
            if name == ".unreported":
                # It may name more ports after a crash: one reported twice is nothing to anybody. Alone it is left over.
                if "host" not in names:
                    yield f"file {path}, of no instance"
                continue
            try:
                text = path.read_text() if name not in _OWN_FILES else ""
            except FileNotFoundError:
                continue
            if name == "pid" or ".pid" in name:
                text = f"of a process that lives: {os.path.exists(f'/proc/{text.strip()}/cmdline')}"
            if name == "leases":
                yield f"file {path}"
                for line in text.splitlines():
                    _, mac, address, *_ = line.split()
                    if (mac, address) not in wanted or mac in held:
                        yield f"lease {mac} {address}{'' if (mac, address) in wanted else ', of nobody'}"
            elif name not in _OWN_FILES:
                yield f"file {path}: {text!r}"


def offered(device: str, mac: str, names: Names | None = None) -> str:
    """What a client of this MAC address is offered: the address and every option; the server's address by name."""
    try:
        with Wire(device) as wire:
            reply = wire.discover(mac, seconds=0.5)
    except OSError:
        return "nothing: there is no bridge"
    if reply is None:
        return "nothing"
    options = {number: value.hex() for number, value in sorted(reply.options.items())}
    text = f"{reply.address} {options}"
    for address in names.dhcp_addresses if names is not None else ():
        text = text.replace(socket.inet_aton(address).hex(), "<server>")
    return text
