"""What a DHCP client runs when something happened (udhcpc -s, dhclient -sf): a program.

It does to the device what the client was told (addresses, routes, MTU, as the distribution's scripts do) and then
appends one JSON line to a file: the reason, the time, and the whole environment. It touches nothing else: no
resolv.conf, no host name. Standard library only; it starts some ten times per test.

    hook.py EVENTS udhcpc|dhclient [REASON]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network

Environment = Mapping[str, str]

_TAKEN4 = ("BOUND", "RENEW", "REBIND", "REBOOT")
_LOST4 = ("EXPIRE", "FAIL", "RELEASE", "STOP", "NAK")


def classless(octets: str) -> list[tuple[str, str]]:
    """Destinations and next hops of option 121, which dhclient tells as numbers."""
    numbers = [int(octet) for octet in octets.split()]
    routes = []
    while numbers:
        significant = (numbers[0] + 7) // 8
        destination = bytes(numbers[1 : 1 + significant]).ljust(4, b"\0")
        hop = bytes(numbers[1 + significant : 5 + significant])
        routes.append((str(IPv4Network((destination, numbers[0]))), str(IPv4Address(hop))))
        del numbers[: 5 + significant]
    return routes


def _commands4(
    device: str, cidr: str, mtu: str | None, routers: Iterable[str], routes: list[tuple[str, str]]
) -> Iterable[str]:
    if mtu:
        yield f"link set {device} mtu {mtu}"
    yield f"addr replace {cidr} brd + dev {device}"
    # Routes through the device first: they are the way to the next hops of the others. With option 121 the router
    # option is ignored (RFC 3442).
    for destination, hop in sorted(routes, key=lambda route: route[1] != "0.0.0.0"):
        yield f"route replace {destination} {'' if hop == '0.0.0.0' else f'via {hop}'} dev {device}"
    for router in [] if routes else list(routers)[:1]:
        yield f"route replace default via {router} dev {device}"


def udhcpc(reason: str, told: Environment) -> Iterable[str]:
    """Commands of ip(8) for one call by udhcpc."""
    device = told["interface"]
    if reason == "deconfig":
        return [f"addr flush dev {device}", f"link set {device} up"]
    if reason not in ("bound", "renew"):
        return []
    words = told.get("staticroutes", "").split()
    routes = list(zip(words[::2], words[1::2], strict=True))
    cidr = f"{told['ip']}/{told.get('mask', '32')}"
    return _commands4(device, cidr, told.get("mtu"), told.get("router", "").split(), routes)


def dhclient(reason: str, told: Environment) -> Iterable[str]:
    """Commands of ip(8) for one call by dhclient."""
    device = told.get("interface", "")
    if reason.startswith("PREINIT"):
        return [f"link set {device} up"]
    if reason in _TAKEN4:
        cidr = f"{told['new_ip_address']}/{told.get('new_subnet_mask', '255.255.255.255')}"
        changed = told.get("old_ip_address", told["new_ip_address"]) != told["new_ip_address"]
        routes = classless(told.get("new_rfc3442_classless_static_routes", ""))
        commands = _commands4(device, cidr, told.get("new_interface_mtu"), told.get("new_routers", "").split(), routes)
        return [*([f"addr flush dev {device}"] if changed else []), *commands]
    if reason in _LOST4:
        return [f"addr flush dev {device}"]
    new, old = told.get("new_ip6_address"), told.get("old_ip6_address")
    if reason in ("BOUND6", "RENEW6", "REBIND6", "REBOOT6") and new:
        return [f"addr replace {new}/{told['new_ip6_prefixlen']} dev {device}"]
    if reason in ("EXPIRE6", "RELEASE6", "STOP6") and old:
        return [f"addr del {old}/{told['old_ip6_prefixlen']} dev {device}"]
    return []


def main(events: str, client: str, reason: str = "") -> int:
    """Do it and write it down; what ip(8) complained of is in the line."""
    told = {name: value for name, value in os.environ.items() if name not in ("PATH", "PWD", "SHLVL", "_", "LC_ALL")}
    reason = reason or told.get("reason", "")
    commands = udhcpc(reason, told) if client == "udhcpc" else dhclient(reason, told)
    failed = ""
    if text := "".join(f"{command}\n" for command in commands):
        family = "-6" if reason.endswith("6") else "-4"
        ran = subprocess.run(
            ["ip", family, "-force", "-batch", "-"], input=text, capture_output=True, text=True, check=False
        )
        failed = ran.stderr
    line = json.dumps({"reason": reason, "at": time.monotonic(), "told": told, "failed": failed}) + "\n"
    # One write of a line, so two do not mix; a reader may see a part of it, without its end.
    descriptor = os.open(events, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(descriptor, line.encode("utf-8", "surrogateescape"))
    os.close(descriptor)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
