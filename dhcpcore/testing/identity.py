"""The names that Neutron gives to things: device ids of DHCP ports, generated MAC and IPv6 addresses, counted ids.

Written from Neutron's own conventions, not from the library's renderer: a test that used the renderer's idea of a name
to check the renderer would check nothing.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network
from uuid import NAMESPACE_DNS, UUID, uuid5

_COUNTED = UUID("6f0b5a52-6d2e-4d0e-9a51-0c5d8f0f7a11")


def dhcp_device_id(host: str, network_id: str, segmentation: object = None) -> str:
    """device_id of the DHCP port of the agent on `host` (neutron.common.utils.get_dhcp_agent_device_id).

    The host's domain does not count; a flat segment (segmentation id None or 0) has no suffix.
    """
    device_id = f"dhcp{uuid5(NAMESPACE_DNS, host.split('.')[0])}-{network_id}"
    return f"{device_id}-{segmentation}" if segmentation else device_id


@lru_cache(maxsize=256)
def counted_uuid(kind: str, number: int) -> str:
    """The `number`-th id of its kind: looks random, is always the same."""
    return str(uuid5(_COUNTED, f"{kind}/{number}"))


def counted_mac(number: int) -> str:
    """The `number`-th MAC address under Neutron's default prefix (option base_mac)."""
    return f"fa:16:3e:{number >> 16 & 0xFF:02x}:{number >> 8 & 0xFF:02x}:{number & 0xFF:02x}"


@lru_cache(maxsize=256)
def slaac_address(cidr: str, mac_address: str) -> str:
    """The address that a host forms by itself (RFC 4291 appendix A, modified EUI-64); `cidr` is a /64."""
    octets = bytes.fromhex(mac_address.replace(":", ""))
    interface = bytes([octets[0] ^ 0x02]) + octets[1:3] + b"\xff\xfe" + octets[3:]
    return str(IPv6Address(int(IPv6Network(cidr, strict=False).network_address) | int.from_bytes(interface, "big")))
