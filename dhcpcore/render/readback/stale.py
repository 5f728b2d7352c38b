"""Which leases of an instance are stale: in its leases file, and nobody's any more.

Knows the file and the ports, nothing of what happened: stale leases are told anew from both after any crash.  Expiry
never decides.  The rules, of which the first is a law:

- *Never a lease of a live port.*  A DHCPv4 lease is live when a port of the network has its address and either its
  MAC address or its client id.  So a client that sends a client id of its own keeps its lease (Launchpad 1806770).
  The stock agent releases a lease whose client id is not the one set for its port, and finds it never is: it compares
  text with hexadecimal.  There is no need to: dnsmasq gives an address to the MAC address it is reserved for, whatever
  client id its lease has (src/rfc2131.c, config_has_mac; tried with 2.90).  The client id counts by itself because an
  InfiniBand client sends no MAC address (RFC 4390; its lease has ``20-``).
- A DHCPv6 lease has no MAC address.  It is live when a port of the network has its address, in any spelling, whatever
  mode its subnet has now.  dnsmasq would not give the address to another port that got it in the same step; so the
  caller can tell which reservations the last reload took away, and a lease of an address that moved is stale.
- Live are all ports of the network, those without a reservation and of other subnets included.
- A stale lease can be *stuck*: dnsmasq ignores a DHCPv4 release outside its ranges (src/rfc2131.c, narrow_context;
  tried with 2.90), and a DHCPv6 release needs client DUID, IAID, server DUID, and a DHCPv6 range.  A subnet in which
  our port got no address (its pool is exhausted, say) has a range and nobody who would take a release.  Stuck leases
  keep nobody from being served here, and go at the next start, which writes the leases file anew.
- Damaged lines hold no lease to release (see `dhcpcore.render.readback.leases`); a later look at the file finds it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_interface
from typing import Final

from attrs import frozen

from dhcpcore.model.lease import Lease
from dhcpcore.model.network import Subnet
from dhcpcore.model.port import Port
from dhcpcore.model.spec import InstanceView
from dhcpcore.render.argv import has_range
from dhcpcore.render.readback.hosts import HostEntry
from dhcpcore.render.readback.leases import LeasesFile, parse_lease_line, server_id_of
from dhcpcore.render.readback.source import as_text

_HEX: Final = re.compile(r"[0-9A-Fa-f:]+").fullmatch


@frozen(kw_only=True)
class StaleLeases:
    """The stale leases of one instance.

    Attributes:
        release: those to release; stuck: those that dnsmasq cannot be made to release, to be reported.
    """

    release: tuple[Lease, ...] = ()
    stuck: tuple[Lease, ...] = ()


def stale_leases(
    leases: LeasesFile | str | bytes,
    view: InstanceView | Iterable[Port],
    *,
    removed: Iterable[HostEntry] = (),
    own: Iterable[str] | None = None,
) -> tuple[Lease, ...]:
    """The leases to release, in the file's order; see `sort_leases`."""
    return sort_leases(leases, view, removed=removed, own=own).release


def sort_leases(
    leases: LeasesFile | str | bytes,
    view: InstanceView | Iterable[Port],
    *,
    removed: Iterable[HostEntry] = (),
    own: Iterable[str] | None = None,
) -> StaleLeases:
    """The stale leases, those to release and those that are stuck.

    Args:
        leases: the leases file; as text it is read only as far as it matters, which is the fast way.
        view: what the instance serves now; with ports alone nothing is known of ranges, and every DHCPv4 lease
            counts as one that can be released.
        removed: reservations that dnsmasq had until its last reload and has no longer (see
            `dhcpcore.render.readback.removed_hosts`); only their IPv6 addresses matter.
        own: the addresses of its device, ``10.0.0.2/24``: what takes releases.  None: one in each subnet.
    """
    live = _Live(view.ports if isinstance(view, InstanceView) else tuple(view), removed)
    candidates = leases.leases if isinstance(leases, LeasesFile) else _candidates(as_text(leases), live)
    stale = live.without_owner(candidates)
    if not stale:
        return StaleLeases()
    reach = _Reach(view.subnets if isinstance(view, InstanceView) else None, own)
    release: list[Lease] = []
    stuck: list[Lease] = []
    for lease in stale:
        (release if reach.covers(lease) else stuck).append(lease)
    return StaleLeases(release=tuple(release), stuck=tuple(stuck))


def moved_addresses(ports: Sequence[Port], removed: Iterable[HostEntry]) -> frozenset[str]:
    """The IPv6 addresses of ports of which these reservations are another's: a lease that is there now is not theirs.

    Spelt as `ipaddress` does it.
    """
    return frozenset(_Live(ports, removed).moved)


class _Live:
    """The live ports by their addresses.

    Attributes:
        macs: an owner's MAC address for each address, as both are spelt in the ports; without the moved addresses.
        moved: see `moved_addresses`.
    """

    def __init__(self, ports: Sequence[Port], removed: Iterable[HostEntry]) -> None:
        self._ports = ports
        self.macs = {fixed_ip.ip_address: port.mac_address for port in ports for fixed_ip in port.fixed_ips}
        self.moved: set[str] = set()
        lost = [
            (_plain(address), entry.mac_address) for entry in removed for address in entry.addresses if ":" in address
        ]
        if lost:
            self._find_moved(lost)

    def _find_moved(self, lost: Collection[tuple[str, str]]) -> None:
        """Take out the IPv6 addresses whose reservation went from one MAC address to another."""
        spellings = self._spellings({address for address, _ in lost})
        owners = self._owners({text for texts in spellings.values() for text in texts})
        returned: set[str] = set()
        for address, mac_address in lost:
            macs = {port.mac_address for text in spellings.get(address, ()) for port in owners[text]}
            if macs:
                back = any(_same_mac(mac_address, mac) for mac in macs)
                (returned if back else self.moved).add(address)
        self.moved -= returned  # it went and came back before dnsmasq was told: the lease may be its owner's
        for address in self.moved:
            for text in spellings[address]:
                self.macs.pop(text, None)

    def _owners(self, addresses: Collection[str]) -> dict[str, list[Port]]:
        """The ports that have each of these addresses, spelt like this; one walk, however many there are."""
        owners: dict[str, list[Port]] = {}
        if addresses:
            for port in self._ports:
                for fixed_ip in port.fixed_ips:
                    if fixed_ip.ip_address in addresses:
                        owners.setdefault(fixed_ip.ip_address, []).append(port)
        return owners

    def _spellings(self, wanted: Collection[str]) -> dict[str, list[str]]:
        """How the ports spell these IPv6 addresses, which come as `_plain` has them."""
        found: dict[str, list[str]] = {}
        # Parsing is dear: look only at what ends in the same group, but for zeros in front, or in a dotted quad.
        ends = {_last_group(address) for address in wanted}
        digits = tuple({digit for end in ends for digit in ((end[-1], end[-1].upper()) if end else (":", "0"))})
        dotted = any("." in address for address in wanted)
        for text in self.macs:
            if ":" in text and (dotted or "." in text or (text.endswith(digits) and _last_group(text) in ends)):
                address = _plain(text)
                if address in wanted:
                    found.setdefault(address, []).append(text)
        return found

    def without_owner(self, leases: Sequence[Lease]) -> list[Lease]:
        """Those of the leases that no live port has."""
        macs = self.macs
        wanted = {lease.ip_address for lease in leases if lease.ip_version == 4 and lease.ip_address in macs}
        owners = self._owners(wanted)
        unknown = {
            lease.ip_address: _plain(lease.ip_address)
            for lease in leases
            if lease.ip_version == 6 and lease.ip_address not in macs
        }
        found = self._spellings(set(unknown.values())) if unknown else {}

        def is_live(lease: Lease) -> bool:
            if lease.ip_version == 6:
                return lease.ip_address in macs or unknown[lease.ip_address] in found
            return any(
                _same_mac(lease.mac_address, port.mac_address) or _same_client(lease.client_id, port.client_id)
                for port in owners.get(lease.ip_address, ())
            )

        return [lease for lease in leases if not is_live(lease)]


def _candidates(text: str, live: _Live) -> list[Lease]:
    """The leases of a file but for those that are a live port's at first sight, spelt the same."""
    macs = live.macs
    lines = text.split("\n")
    lines.pop()  # what follows the last LF: nothing, or a line that was cut off
    doubtful = [
        line
        for line in lines
        if len(words := line.split(" ", 3)) != 4
        or ((mac := macs.get(words[2])) != words[1] and (mac is None or ":" not in words[2]))
    ]
    if not doubtful:
        return []
    server_id = server_id_of(lines)
    return [lease for line in doubtful if (lease := parse_lease_line(line, server_id)) is not None]


class _Reach:
    """Which leases dnsmasq can be made to release."""

    def __init__(self, subnets: Iterable[Subnet] | None, own: Iterable[str] | None) -> None:
        self._everywhere = subnets is None
        served = [subnet for subnet in subnets or () if subnet.enable_dhcp]
        if own is not None:
            ours = [ip_interface(address).ip for address in own]
            served = [subnet for subnet in served if any(address in subnet.range for address in ours)]
        self._ipv4 = [subnet.range for subnet in served if isinstance(subnet.range, IPv4Network)]
        self._ipv6 = any(subnet.ip_version == 6 and has_range(subnet) for subnet in served)

    def covers(self, lease: Lease) -> bool:
        """Whether a release of this lease has an effect."""
        if lease.ip_version == 6:
            complete = lease.iaid is not None and lease.client_id is not None and lease.server_id is not None
            return complete and (self._everywhere or self._ipv6)
        if self._everywhere:
            return True
        address = IPv4Address(lease.ip_address)
        return any(address in network for network in self._ipv4)


def _plain(address: str) -> str:
    """An IPv6 address as it is compared."""
    return str(IPv6Address(address))


def _last_group(address: str) -> str:
    return address.rpartition(":")[2].lstrip("0").lower()


def _same_mac(lease_mac: str | None, port_mac: str) -> bool:
    if lease_mac is None:
        return False
    # A reservation without hardware type is one for any type (src/dhcp-common.c, config_has_mac).
    bare = lease_mac[3:] if lease_mac[2:3] == "-" else lease_mac
    return bare.lower() == port_mac.lower() or _hexadecimal(bare) == _hexadecimal(port_mac)


def _same_client(lease_client: str | None, port_client: str | None) -> bool:
    """Whether a lease's client id is what dnsmasq makes of a reservation's ``id:``.

    With a colon it is hexadecimal, else text; a zero byte in front is overlooked (src/dhcp-common.c,
    find_config_match).
    """
    if not lease_client or not port_client:
        return False
    if ":" in port_client:
        wanted = _hexadecimal(port_client)
    else:
        wanted = port_client.encode("utf-8", "surrogatepass")
    had = _hexadecimal(lease_client)
    return had is not None and wanted is not None and had in (wanted, b"\0" + wanted)


def _hexadecimal(text: str) -> bytes | None:
    """The bytes of ``ff:00:1``: groups are cut into pairs from the left (src/util.c, parse_hex)."""
    if _HEX(text) is None:
        return None
    return bytes(int(group[at : at + 2], 16) for group in text.split(":") for at in range(0, len(group), 2))
