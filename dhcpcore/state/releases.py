"""Leases of nobody that could not be released: when that is tried again, by instance.

What was loaded is served and what is new is loaded meanwhile: one lease that dnsmasq does not let go of holds nobody up
but who is to get its address.
"""

from __future__ import annotations

from dhcpcore.model.settings import Settings
from dhcpcore.model.spec import InstanceKey
from dhcpcore.state.evolving import evolve
from dhcpcore.state.records import NetworkRecord, backoff


def left(
    settings: Settings, record: NetworkRecord, key: InstanceKey, *, at: float, reason: str, jitter: float
) -> NetworkRecord:
    """`record` with another try for an instance's leases, later."""
    retry = backoff(settings, record.release_retry.get(key), at=at, reason=reason, jitter=jitter)
    return evolve(record, release_retry=record.release_retry.set(key, retry))


def over(record: NetworkRecord, key: InstanceKey) -> NetworkRecord:
    """`record` where nothing is left of an instance's leases, or nothing of the instance."""
    if key not in record.release_retry:
        return record
    return evolve(record, release_retry=record.release_retry.delete(key))
