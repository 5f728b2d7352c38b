"""Leases and leases files, good and damaged (format: dnsmasq src/lease.c, lease_update_file and read_leases)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from attrs import evolve, frozen

from dhcpcore.model.lease import Lease
from dhcpcore.model.network import Network
from dhcpcore.testing.choices import Choices
from dhcpcore.testing.clock import BEGINNING
from dhcpcore.testing.generate.addresses import address_of_version
from dhcpcore.testing.generate.flavour import Flavour
from dhcpcore.testing.generate.texts import hostile_text, mac_address

_SERVER_DUID: Final = "00:01:00:01:2b:0a:11:22:fa:16:3e:aa:bb:cc"
_DAMAGE: Final = (
    "garbage",
    "# comment here",
    "",
    " ",
    "duid",
    "duid zz",
    "1767312000",
    "1767312000 fa:16:3e:00:00:01",
    "1767312000 fa:16:3e:00:00:01 10.0.0.5",
    "1767312000 fa:16:3e:00:00:01 10.0.0.5 host",
    "1767312000 fa:16:3e:00:00:01 10.0.0.5 a host *",
    "1767312000 fa:16:3e:00:00:01 10.0.0.300 host *",
    "1767312000 zz:zz 10.0.0.5 host *",
    "1767312000 fa:16:3e:00:00:zz 10.0.0.5 * *",
    "x fa:16:3e:00:00:01 10.0.0.5 * *",
    "-5 fa:16:3e:00:00:01 10.0.0.5 * *",
    "1767312000 99999999999 fd00::5 * 00:01",
    "1767312000 T fd00::5 * 00:01",
    "1767312000 7 [fd00::5] * 00:01",
    "1767312000 fa:16:3e:00:00:01 10.0.0.5 * " + "00:" * 400 + "00",
    "\x00\x00\x00",
    "\udc80\udcff",
)


@frozen(kw_only=True)
class LeasesFile:
    """The text of a leases file and, where it is undamaged, what it holds.

    Attributes:
        leases: in the file's order, None for a damaged file.
    """

    text: str
    leases: tuple[Lease, ...] | None


def _hex(c: Choices, low: int, high: int) -> str:
    return ":".join(f"{c.integer(0, 255):02x}" for _ in range(c.integer(low, high)))


def _expiry(c: Choices) -> int:
    return 0 if c.chance(15) else int(BEGINNING) + c.integer(-86400, 86400)


def lease(
    c: Choices,
    flavour: Flavour = Flavour.TYPICAL,
    *,
    ip_address: str | None = None,
    mac: str | None = None,
) -> Lease:
    """One lease, of `ip_address` where given."""
    address = ip_address or address_of_version(c, 6 if c.chance(30) else 4)
    name: str | None = None if c.chance(30) else "host-" + address.replace(".", "-").replace(":", "-")
    if flavour is not Flavour.TYPICAL and c.chance(20):
        name = c.pick(("a", "A.example.org", "x" * 63, "10.0.0.7", "xn--caf-dma"))
    if ":" in address:
        return Lease(
            expiry=_expiry(c),
            ip_address=address,
            iaid=c.integer(0, 2**32 - 1),
            temporary=c.chance(10),
            hostname=name,
            client_id=_hex(c, 10, 20),
            server_id=_SERVER_DUID,
        )
    hardware = (mac or mac_address(c, flavour)).lower()
    if flavour is not Flavour.TYPICAL and c.chance(10):
        hardware = "06-" + hardware  # ARP type 6: not Ethernet
    client_id = None if c.chance(40) else "01:" + hardware.rpartition("-")[2]
    if c.chance(15):
        client_id = "ff:" + _hex(c, 10, 18)  # RFC 4361, what systemd-networkd sends
    return Lease(expiry=_expiry(c), ip_address=address, mac_address=hardware, hostname=name, client_id=client_id)


def leases_of(c: Choices, network: Network, flavour: Flavour = Flavour.TYPICAL) -> tuple[Lease, ...]:
    """Leases that clients of `network` may hold: of its ports mostly, of ports that are gone sometimes."""
    made: dict[str, Lease] = {}
    for port in network.ports:
        if port.requires_dhcp_configuration:
            for fixed_ip in port.fixed_ips:
                if not c.chance(30):
                    made[fixed_ip.ip_address] = lease(c, flavour, ip_address=fixed_ip.ip_address, mac=port.mac_address)
    for _ in range(c.integer(0, 2)):
        stale = lease(c, flavour)
        made.setdefault(stale.ip_address, stale)
    return tuple(made.values())


def _line(one: Lease) -> str:
    if one.iaid is not None:
        identity = f"T{one.iaid}" if one.temporary else str(one.iaid)
    else:
        identity = one.mac_address or "*"
    return f"{one.expiry} {identity} {one.ip_address} {one.hostname or '*'} {one.client_id or '*'}"


def leases_text(leases: Sequence[Lease]) -> str:
    """The file that dnsmasq writes for `leases`: IPv4 first, then the server's DUID, then IPv6."""
    v4 = [_line(one) for one in leases if one.ip_version == 4]
    v6 = [_line(one) for one in leases if one.ip_version == 6]
    duid = [f"duid {next(one.server_id for one in leases if one.ip_version == 6)}"] if v6 else []
    return "".join(line + "\n" for line in v4 + duid + v6)


def leases_file(c: Choices, flavour: Flavour = Flavour.TYPICAL, leases: Sequence[Lease] | None = None) -> LeasesFile:
    """A leases file; hostile ones are mostly torn, cut or full of garbage (dnsmasq does not write it atomically)."""
    if leases is None:
        unique = {one.ip_address: one for one in (lease(c, flavour) for _ in range(c.integer(0, 5)))}
        leases = tuple(unique.values())
    # What the file says of the server's DUID holds for every IPv6 lease in it.
    ordered = [one for one in leases if one.ip_version == 4]
    ordered += [evolve(one, server_id=_SERVER_DUID) for one in leases if one.ip_version == 6]
    text = leases_text(ordered)
    if flavour is not Flavour.HOSTILE or c.chance(25):
        return LeasesFile(text=text, leases=tuple(ordered))
    if c.chance(40):
        text = text[: c.integer(0, len(text))]
    lines = text.split("\n")
    for _ in range(c.integer(0, 3)):
        damage = c.pick(_DAMAGE) if c.chance(70) else hostile_text(c)
        lines.insert(c.integer(0, len(lines)), damage)
    return LeasesFile(text="\n".join(lines), leases=None)
