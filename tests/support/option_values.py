"""Extra DHCP options of a port as a client receives them: numbers and bytes.

Knows Neutron's wire form of a port, the RFCs' forms of values, and what dnsmasq 2.90 makes of them where that is its
own choice; uses nothing of dhcpcore.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, Final

Wire = dict[str, Any]
#: Options by number; siaddr of a DHCPv4 answer is none, so it has no number and stands under this one.
Options = dict[int, bytes]
NEXT_SERVER: Final = -1

_CLIENT_ID: Final = ("client-id", "61")


def _text(value: str) -> bytes:
    return value.encode()


def _ended_text(value: str) -> bytes:
    # dnsmasq ends the names of boot server and boot file with a zero, for boot ROMs that need it.
    return value.encode() + b"\0"


def address_list4(value: str) -> bytes:
    return b"".join(IPv4Address(part).packed for part in value.split(",")) if value else b""


def address_list6(value: str) -> bytes:
    return b"".join(IPv6Address(part.strip("[]")).packed for part in value.split(","))


def _number16(value: str) -> bytes:
    return int(value).to_bytes(2, "big")


def _seconds(value: str) -> bytes:
    unit = {"s": 1, "m": 60, "h": 3600, "d": 86400}
    return (int(value[:-1]) * unit[value[-1]] if value[-1] in unit else int(value)).to_bytes(4, "big")


def _hex(value: str) -> bytes:
    return bytes.fromhex(value.replace(":", ""))


def domain_list(value: str) -> bytes:
    """Uncompressed: compare names, not bytes."""
    return b"".join(
        b"".join(bytes([len(label)]) + label.encode() for label in name.rstrip(".").split(".")) + b"\0"
        for name in value.split(",")
    )


def _routes(value: str) -> bytes:
    fields = value.split(",") if value else []
    return route_list(list(zip(fields[::2], fields[1::2], strict=True)))


def route_list(routes: Iterable[tuple[str, str]]) -> bytes:
    encoded = b""
    for destination, hop in routes:
        network = ip_network(destination)
        octets = (network.prefixlen + 7) // 8
        encoded += bytes([network.prefixlen]) + network.network_address.packed[:octets] + IPv4Address(hop).packed
    return encoded


def _counted_texts(value: str) -> bytes:
    """RFC 5970 section 3.2."""
    return b"".join(len(part).to_bytes(2, "big") + part.encode() for part in value.split(","))


def _ntp_servers6(value: str) -> bytes:
    """RFC 5908 section 4.1."""
    return b"".join(b"\0\1\0\x10" + IPv6Address(part.strip("[]")).packed for part in value.split(","))


_Kind = tuple[int, Callable[[str], bytes]]
# Every option that the generator of networks draws. A new one is a KeyError here: teach it.
_KINDS_4: Final[dict[str, _Kind]] = {
    "router": (3, address_list4),
    "dns-server": (6, address_list4),
    "root-path": (17, _text),
    "mtu": (26, _number16),
    "26": (26, _number16),
    "ntp-server": (42, address_list4),
    "43": (43, _hex),
    "T1": (58, _seconds),
    "vendor-class": (60, _text),
    "tftp-server": (66, _ended_text),
    "66": (66, _ended_text),
    "bootfile-name": (67, _ended_text),
    "67": (67, _ended_text),
    "domain-search": (119, domain_list),
    "classless-static-route": (121, _routes),
    "150": (150, address_list4),
    "210": (210, _text),
    # dnsmasq's own name for siaddr
    "server-ip-address": (NEXT_SERVER, address_list4),
}
_KINDS_6: Final[dict[str, _Kind]] = {
    "dns-server": (23, address_list6),
    "domain-search": (24, domain_list),
    "sntp-server": (31, address_list6),
    "information-refresh-time": (32, _seconds),
    "ntp-server": (56, _ntp_servers6),
    "bootfile-url": (59, _text),
    "59": (59, _text),
    "60": (60, _counted_texts),
}


def own_options(port: Wire, version: int, tags: frozenset[str]) -> Options:
    """A port's own options of one IP version for a client that sets these tags as well."""
    kinds = _KINDS_4 if version == 4 else _KINDS_6
    versions = {ip_address(fixed["ip_address"]).version for fixed in port["fixed_ips"]}
    sent: Options = {}
    for option in port.get("extra_dhcp_opts") or ():
        *wanted, name = option["opt_name"].split(",")
        if option["ip_version"] != version or version not in versions or name in _CLIENT_ID:
            continue
        if all(tag[5:] not in tags if tag.startswith("tag:!") else tag[4:] in tags for tag in wanted):
            code, encode = kinds[name]
            # Of several that a client may have, the last is sent (src/dhcp-common.c, option_filter).
            sent[code] = encode(option["opt_value"])
    return sent


def addresses_in(data: bytes) -> tuple[str, ...]:
    """The IPv6 addresses in a row of them."""
    return tuple(str(IPv6Address(data[at : at + 16])) for at in range(0, len(data), 16))


def client_id(port: Wire) -> bytes | None:
    """What a port's client must send as its client identifier (option 61), None where it does not matter."""
    for option in port.get("extra_dhcp_opts") or ():
        if option["opt_name"] in _CLIENT_ID:
            value = str(option["opt_value"])
            if value in ("", "*"):
                return None
            if re.fullmatch("[0-9a-f]{2}(:[0-9a-f]{2})+", value):
                return _hex(value)
            # RFC 2132 section 9.14: what is no hardware address has type 0.
            return b"\0" + value.encode()
    return None


def selects_options(port: Wire) -> bool:
    """Whether a port's reservation selects options: a client id alone is none to select."""
    count = len(port.get("extra_dhcp_opts") or ())
    has_client_id = any(
        option["opt_name"] in _CLIENT_ID and option["opt_value"] for option in port.get("extra_dhcp_opts") or ()
    )
    return count > 0 and not (has_client_id and count == 1)
