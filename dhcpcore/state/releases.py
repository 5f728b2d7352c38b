"""Leases of nobody that could not be released: when that is tried again, and whose addresses they hold, by instance.

What was loaded is served and what is new is loaded meanwhile: one lease that dnsmasq does not let go of holds nobody up
but who is to get its address.
"""

from __future__ import annotations

from ipaddress import ip_address

from dhcpcore.events import LeasesLeft
from dhcpcore.model.settings import Settings
from dhcpcore.model.spec import InstanceKey
from dhcpcore.state.evolving import evolve
from dhcpcore.state.records import NetworkRecord, backoff


def left(
    settings: Settings, record: NetworkRecord, key: InstanceKey, leases: LeasesLeft, *, at: float, jitter: float
) -> NetworkRecord:
    """`record` with another try for an instance's leases, later."""
    retry = backoff(settings, record.release_retry.get(key), at=at, reason=leases.reason, jitter=jitter)
    record = evolve(record, release_retry=record.release_retry.set(key, retry))
    if not leases.addresses:
        return record  # nobody could look: those that were left before may be there still
    return evolve(record, leases_left=record.leases_left.set(key, leases.addresses))


def over(record: NetworkRecord, key: InstanceKey) -> NetworkRecord:
    """`record` where nothing is left of an instance's leases, or nothing of the instance."""
    if key in record.leases_left:
        record = evolve(record, leases_left=record.leases_left.delete(key))
    if key in record.release_retry:
        record = evolve(record, release_retry=record.release_retry.delete(key))
    return record


def kept_waiting(record: NetworkRecord) -> frozenset[str]:
    """The ports that wait for being served and are not yet: dnsmasq still holds an address of theirs for another."""
    if not record.leases_left or not record.awaiting_ready or record.desired is None:
        return frozenset()
    held = {ip_address(address) for addresses in record.leases_left.values() for address in addresses}
    return frozenset(
        port.id
        for port in record.desired.ports
        if port.id in record.awaiting_ready and any(ip_address(ip.ip_address) in held for ip in port.fixed_ips)
    )
