"""Make a failing request small: take away what can go while it still fails.

Knows only JSON and which members of a request may be dropped; whether a candidate fails is the caller's to say.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from typing import Any

Request = dict[str, Any]
NEEDED = {"id", "network_id", "mac_address", "device_owner", "device_id", "fixed_ips", "subnets", "ports", "network"}
NEEDED |= {"cidr", "ip_version", "enable_dhcp", "gateway_ip", "host_routes", "dns_nameservers", "subnet_id"}
NEEDED |= {"ip_address", "opt_name", "opt_value", "destination", "nexthop", "hostname", "fqdn", "segmentation_id"}
NEEDED |= {"ipv6_address_mode"}


def shrink(request: Request, fails: Callable[[Request], bool], seconds: float = 20.0) -> Request:
    """The smallest failing request found within `seconds`; the request itself where nothing can go."""
    until = time.monotonic() + seconds
    best, progress = copy.deepcopy(request), True
    while progress and time.monotonic() < until:
        progress = False
        for candidate in _smaller(best):
            if time.monotonic() > until:
                break
            if fails(candidate):
                best, progress = candidate, True
                break
    return best


def _smaller(request: Request) -> Iterator[Request]:
    """Each request that lacks one part of the given one, the large parts first."""
    for path in sorted(_paths(request, ()), key=len):
        candidate = copy.deepcopy(request)
        owner: Any = candidate
        for step in path[:-1]:
            owner = owner[step]
        if isinstance(path[-1], slice) or isinstance(owner, list) or path[-1] not in NEEDED:
            del owner[path[-1]]
            yield candidate


def _paths(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        for key, member in value.items():
            yield (*path, key)
            yield from _paths(member, (*path, key))
    elif isinstance(value, list):
        if len(value) > 3:
            half = len(value) // 2
            yield (*path, slice(0, half))
            yield (*path, slice(half, None))
        for index, member in enumerate(value):
            yield (*path, index)
            yield from _paths(member, (*path, index))
