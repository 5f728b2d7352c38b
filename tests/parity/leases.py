"""Random leases files as dnsmasq leaves them behind: IPv4 leases, then a DUID, then IPv6 leases."""

from __future__ import annotations

from typing import Any

from draw import Draw


def previous_leases(draw: Draw, known: list[dict[str, Any]], ports: list[dict[str, Any]]) -> str:
    """The text of a leases file of the drawn ports, with leases of ports that are gone; may be empty."""
    if draw.chance(0.08, "previous-leases/empty"):
        return ""
    stateful = {subnet["id"] for subnet in known if subnet.get("ipv6_address_mode") in ("dhcpv6-stateful", None)}
    v4, v6 = [], []
    for port in ports:
        for fixed in port["fixed_ips"]:
            address = fixed["ip_address"]
            if ":" not in address and draw.chance(0.4):
                v4.append(_v4(draw, address, port["mac_address"]))
            elif ":" in address and fixed["subnet_id"] in stateful and draw.chance(0.7):
                v6.append(_v6(draw, address))
                draw.note("previous-leases/ipv6")
    if draw.chance(0.3, "previous-leases/stale"):
        v4.append(_v4(draw, f"10.66.0.{draw.number(2, 250)}", f"fa:16:3e:{draw.octets(3)}"))
        v6.append(_v6(draw, f"2001:db8:66::{draw.number(2, 9999):x}"))
    duid = []
    if v6 or draw.chance(0.3):
        draw.note("previous-leases/duid")
        duid = [f"duid 00:01:00:01:{draw.octets(10)}"]
    draw.rng.shuffle(v6)
    return "".join(f"{line}\n" for line in (*v4, *duid, *v6))


def _v4(draw: Draw, address: str, mac: str) -> str:
    name = draw.one(("*", "host-" + address.replace(".", "-")))
    client = draw.one(("*", f"01:{mac}", f"ff:{draw.octets(9)}"))
    return f"{_expiry(draw)} {mac} {address} {name} {client}"


def _v6(draw: Draw, address: str) -> str:
    temporary = "T" if draw.chance(0.02, "previous-leases/temporary-address") else ""
    name = draw.one(("*", "host-" + address.replace(":", "-")))
    client = f"00:01:00:01:{draw.octets(10)}" if draw.chance(0.5) else f"00:03:00:01:{draw.octets(6)}"
    return f"{_expiry(draw)} {temporary}{draw.rng.getrandbits(32)} {address} {name} {client}"


def _expiry(draw: Draw) -> int:
    return 0 if draw.chance(0.2) else 1_700_000_000 + draw.number(0, 200_000_000)
