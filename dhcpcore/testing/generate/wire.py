"""Wire forms: Neutron's own, sparse ones that mean the same, and ones that are wrong in one place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from attrs import frozen

from dhcpcore.model.network import Network
from dhcpcore.testing.choices import Choices
from dhcpcore.testing.wireform import WireDict, network_form

#: What an absent member means, by the kind of object that lacks it.
_DEFAULTS: Final[dict[str, dict[str, Any]]] = {
    "network": {
        "project_id": None,
        "admin_state_up": True,
        "mtu": None,
        "subnets": [],
        "non_local_subnets": [],
        "ports": [],
        "segments": [],
    },
    "subnet": {
        "enable_dhcp": True,
        "gateway_ip": None,
        "dns_nameservers": [],
        "host_routes": [],
        "ipv6_address_mode": None,
        "ipv6_ra_mode": None,
        "segment_id": None,
        "subnetpool_id": None,
        "revision_number": 0,
    },
    "port": {
        "fixed_ips": [],
        "device_id": "",
        "device_owner": "",
        "admin_state_up": True,
        "status": None,
        "binding:host_id": None,
        "binding:vif_type": None,
        "dns_assignment": None,
        "extra_dhcp_opts": [],
        "revision_number": 0,
    },
    "segment": {
        "network_id": None,
        "segmentation_id": None,
        "network_type": None,
        "physical_network": None,
        "name": None,
    },
}
_READ: Final = {
    "network": {"id", *_DEFAULTS["network"]},
    "subnet": {"id", "network_id", "cidr", "ip_version", *_DEFAULTS["subnet"]},
    "port": {"id", "network_id", "mac_address", *_DEFAULTS["port"]},
    "segment": {"id", *_DEFAULTS["segment"]},
}
_MEMBERS: Final = {"subnets": "subnet", "non_local_subnets": "subnet", "ports": "port", "segments": "segment"}
_UNKNOWN: Final = ("x-vendor", "", "qos_policy_id", "numa_affinity_policy", "__class__", "id ", "Ports")


def _thinned(c: Choices, form: WireDict, kind: str) -> WireDict:
    defaults = _DEFAULTS[kind]
    thin: WireDict = {}
    for name, value in form.items():
        if name not in _READ[kind]:
            if c.chance(50):
                continue
        elif name in defaults and value == defaults[name] and c.chance(50):
            # An empty list may also come as null (a server without the extension).
            if value == [] and c.chance(30):
                thin[name] = None
            continue
        elif name in _MEMBERS and isinstance(value, list):
            value = [_thinned(c, member, _MEMBERS[name]) for member in value]
        thin[name] = value
    if c.chance(20):
        thin[c.pick(_UNKNOWN)] = c.pick((None, [], {}, "x", 7, {"ports": [None]}))
    return thin


def network_wire(c: Choices, network: Network) -> WireDict:
    """A wire form of `network`: Neutron's, or one with members left out, null or unknown, that means the same."""
    full = network_form(network)
    return _thinned(c, full, "network") if c.chance(50) else full


@frozen(kw_only=True)
class Malformed:
    """A payload that no model can hold.

    Attributes:
        payload: a network's wire form with one value that is wrong.
        path: where, as `PayloadError.path` names it, e.g. ``ports[0].fixed_ips[1].ip_address``.
        value: what stands there.
    """

    payload: WireDict
    path: str
    value: Any


_WRONG_ID: Final[tuple[Any, ...]] = (7, None, [], {}, "", "..", "a/b", "../x", "a\nb", "x" * 201, "a,b", "a b", "a\x00")
_WRONG_TEXT: Final[tuple[Any, ...]] = (7, [], {}, True, 1.5)
_WRONG_LIST: Final[tuple[Any, ...]] = (7, {}, "x", True)
_WRONG_BOOL: Final[tuple[Any, ...]] = (7, "true", [], 0, 1.0)
_WRONG_COUNT: Final[tuple[Any, ...]] = (-1, 1.5, "7", True, [], 2**63)
_WRONG: Final[dict[str, tuple[Any, ...]]] = {
    "id": _WRONG_ID,
    "network_id": _WRONG_ID[:1] + _WRONG_ID[2:],
    "subnet_id": _WRONG_ID,
    "cidr": (7, None, [], "", "10.0.0.0/33", "x", "10.0.0.0/24\n", "10.0.0/24", "fd00::/129", "010.0.0.0/8"),
    "ip_version": (5, "four", [], 4.5, True),
    "enable_dhcp": _WRONG_BOOL,
    "admin_state_up": _WRONG_BOOL,
    "gateway_ip": (7, [], "x", "10.0.0.300", "10.0.0.1 ", "fe80::1%eth0"),
    "dns_nameservers": _WRONG_LIST,
    "host_routes": _WRONG_LIST,
    "destination": (7, None, "x", "10.0.0.0/99"),
    "nexthop": (7, None, "x", "10.0.0"),
    "ipv6_address_mode": (7, "dhcp", [], True),
    "ipv6_ra_mode": (7, "dhcp", [], True),
    "mac_address": (7, None, [], "", "zz:zz", "fa:16:3e:00:00:0g", "fa:16:3e:00:00:01\n", "fa-16-3e-00-00-01"),
    "ip_address": (7, None, [], "", "10.0.0.300", "10.0.0.1/24", "fe80::1%eth0", "10.0.0.1\n"),
    "device_owner": _WRONG_TEXT,
    "device_id": _WRONG_TEXT,
    # A whole number passes for a name: Neutron's own tests have client ids under 61.
    "opt_name": ([], {}, True, 1.5, -1),
    "opt_value": _WRONG_TEXT,
    "fixed_ips": _WRONG_LIST,
    "extra_dhcp_opts": _WRONG_LIST,
    "dns_assignment": _WRONG_LIST,
    "mtu": _WRONG_COUNT,
    "revision_number": _WRONG_COUNT,
    "subnets": _WRONG_LIST,
    "non_local_subnets": _WRONG_LIST,
    "ports": _WRONG_LIST,
    "segments": _WRONG_LIST,
}


def _places(value: Any, path: str = "") -> Iterator[tuple[Any, str, str]]:
    """Every member that a parser reads: (holder, name, path)."""
    if isinstance(value, dict):
        for name, member in value.items():
            inner = f"{path}.{name}" if path else name
            if name in _WRONG:
                yield value, name, inner
            if isinstance(member, list):
                for index, item in enumerate(member):
                    yield from _places(item, f"{inner}[{index}]")


def malformed_network(c: Choices, network: Network) -> Malformed:
    """`network` in wire form with one wrong value; every other value is right."""
    payload = network_form(network)
    holder, name, path = c.pick(list(_places(payload)))
    value = c.pick(_WRONG[name])
    holder[name] = value
    return Malformed(payload=payload, path=path, value=value)
