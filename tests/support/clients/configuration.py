"""What a client was told, in one form for every client: read from the environment in which it ran our hook.

Knows the names that udhcpc and dhclient give to options; knows nothing of processes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network

from support.clients.hook import classless

Told = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Event:
    """One call of the hook.

    Attributes:
        reason: in the client's own words (udhcpc: ``bound``, dhclient: ``BOUND``).
        at: seconds of the monotonic clock, when all of it was in effect.
        told: the environment; failed: what the kernel refused, empty for nothing.
    """

    reason: str
    at: float
    told: Told
    failed: str


@dataclass(frozen=True, kw_only=True)
class Configuration4:
    """An IPv4 lease as a client understood it; empty or None where it was told nothing.

    Attributes:
        routes: destinations and next hops of option 121, in order.
        lease_time: seconds; server: the server identifier; next_server: where to boot from (siaddr).
        raw: everything that the client told the hook, under its own names.
    """

    address: str
    prefix: int
    router: tuple[str, ...]
    dns: tuple[str, ...]
    domain: str | None
    search: tuple[str, ...]
    hostname: str | None
    mtu: int | None
    routes: tuple[tuple[str, str], ...]
    lease_time: int
    server: str
    next_server: str | None
    boot_file: str | None
    raw: Told


@dataclass(frozen=True, kw_only=True)
class Configuration6:
    """A DHCPv6 answer as a client understood it.

    Attributes:
        address: None where it has asked for information only; lifetimes in seconds.
        server: the server's DUID, as the client writes it.
    """

    address: str | None
    prefix: int | None
    preferred: int | None
    valid: int | None
    renew: int | None
    rebind: int | None
    dns: tuple[str, ...]
    search: tuple[str, ...]
    server: str | None
    raw: Told


def from_udhcpc(told: Told) -> Configuration4:
    """The lease of a call ``bound`` or ``renew``."""
    words = told.get("staticroutes", "").split()
    return Configuration4(
        address=told["ip"],
        prefix=int(told["mask"]),
        router=tuple(told.get("router", "").split()),
        dns=tuple(told.get("dns", "").split()),
        domain=told.get("domain"),
        search=tuple(told.get("search", "").split()),
        hostname=told.get("hostname"),
        mtu=_number(told.get("mtu")),
        routes=tuple(zip(words[::2], words[1::2], strict=True)),
        lease_time=int(told["lease"]),
        server=told["serverid"],
        next_server=told.get("siaddr"),
        # The one is the field of the message, the other option 67.
        boot_file=told.get("boot_file") or told.get("bootfile"),
        raw=told,
    )


def from_dhclient4(told: Told) -> Configuration4:
    """The lease of a call ``BOUND``, ``RENEW``, ``REBIND`` or ``REBOOT``."""
    new = _new(told)
    mask = IPv4Network(f"0.0.0.0/{new['subnet_mask']}")
    return Configuration4(
        address=new["ip_address"],
        prefix=mask.prefixlen,
        router=tuple(new.get("routers", "").split()),
        dns=tuple(new.get("domain_name_servers", "").split()),
        domain=new.get("domain_name"),
        search=_names(new.get("domain_search", "")),
        hostname=new.get("host_name"),
        mtu=_number(new.get("interface_mtu")),
        routes=tuple(classless(new.get("rfc3442_classless_static_routes", ""))),
        lease_time=int(new["dhcp_lease_time"]),
        server=new["dhcp_server_identifier"],
        next_server=new.get("next_server"),
        boot_file=new.get("filename") or new.get("bootfile_name"),
        raw=told,
    )


def from_dhclient6(told: Told) -> Configuration6:
    """The answer of a call ``BOUND6``, ``RENEW6`` or ``REBIND6``, or, without an address, ``BOUND6`` with -S."""
    new = _new(told)
    return Configuration6(
        address=new.get("ip6_address"),
        prefix=_number(new.get("ip6_prefixlen")),
        preferred=_number(new.get("preferred_life")),
        valid=_number(new.get("max_life")),
        renew=_number(new.get("renew")),
        rebind=_number(new.get("rebind")),
        dns=tuple(new.get("dhcp6_name_servers", "").split()),
        search=_names(new.get("dhcp6_domain_search", "")),
        server=new.get("dhcp6_server_id"),
        raw=told,
    )


def _new(told: Told) -> dict[str, str]:
    return {name.removeprefix("new_"): value for name, value in told.items() if name.startswith("new_")}


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.rstrip(".") for name in text.split())


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)
