"""A lease as dnsmasq's leases file holds it (dnsmasq src/lease.c, lease_update_file and read_leases)."""

from __future__ import annotations

from attrs import frozen


@frozen(kw_only=True)
class Lease:
    """One lease.

    Attributes:
        expiry: seconds since the epoch, 0 for infinite.
        ip_address: the address, without brackets.
        mac_address: IPv4 only: link-layer address, with the ARP type in front (``06-...``) where it is not Ethernet.
        iaid: IPv6 only: identity association id, 32 bits.
        temporary: IPv6 only: whether it is an IA_TA (``T`` before the IAID).
        hostname: None where the file has ``*``.
        client_id: client id (IPv4) or DUID (IPv6) as hex bytes with colons; None where the file has ``*``.
        server_id: IPv6 only: the server's DUID, from the file's ``duid`` line.
    """

    expiry: int
    ip_address: str
    mac_address: str | None = None
    iaid: int | None = None
    temporary: bool = False
    hostname: str | None = None
    client_id: str | None = None
    server_id: str | None = None

    @property
    def ip_version(self) -> int:
        """4 or 6."""
        return 6 if ":" in self.ip_address else 4
