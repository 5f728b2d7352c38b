"""A network for the proof of clients and probers, dual-stack, with a port of each kind, and what it needs to be served.

Knows Neutron's wire form; knows nothing of how a network is served.
"""

from __future__ import annotations

import uuid
from typing import Any, Final

from support import host as hosts
from support.namespace import found

#: MAC addresses: of the port with no options, of one that boots from the network, of one that is known by its client
#: id, and of nobody.
MAC: Final = "fa:16:3e:00:00:05"
BOOTING: Final = "fa:16:3e:00:00:06"
NAMED: Final = "fa:16:3e:00:00:07"
STRANGER: Final = "fa:16:3e:00:00:99"
SETTINGS: Final = {"host": "network-1", "dns_domain": "example.org", "enable_isolated_metadata": True}


def network(number: int = 0, *, mode: str = "dhcpv6-stateful") -> dict[str, Any]:
    """A network in wire form: 10.<number>.0.0/24 and fd00:<number>::/64, with three ports beside the DHCP port."""
    network_id = f"{number:08x}-4e5f-4000-8000-000000000000"
    agent = uuid.uuid5(uuid.NAMESPACE_DNS, "network-1")
    four, six = f"4-{number}", f"6-{number}"

    def port(at: int, mac: str, addresses: dict[str, str], **more: Any) -> dict[str, Any]:
        return {
            "id": f"{number:06x}{at:02x}-0000-4000-8000-000000000000",
            "network_id": network_id,
            "mac_address": mac,
            "device_owner": "compute:nova",
            "device_id": "a-server",
            "admin_state_up": True,
            "fixed_ips": [{"subnet_id": subnet, "ip_address": address} for subnet, address in addresses.items()],
            **more,
        }

    def addresses(last: int, mac: str) -> dict[str, str]:
        octets = bytes.fromhex(mac.replace(":", ""))
        own = f"{octets[0] ^ 2:02x}{octets[1]:02x}:{octets[2]:02x}ff:fe{octets[3]:02x}:{octets[4]:02x}{octets[5]:02x}"
        six_ = f"fd00:{number}::{last}" if mode == "dhcpv6-stateful" else f"fd00:{number}::{own}"
        return {four: f"10.{number}.0.{last}", six: six_}

    boot = [
        {"opt_name": "tag:ipxe,67", "opt_value": "http://boot.example.org/script.ipxe", "ip_version": 4},
        {"opt_name": "tag:!ipxe,67", "opt_value": "undionly.kpxe", "ip_version": 4},
        {"opt_name": "150", "opt_value": "10.0.0.77", "ip_version": 4},
    ]
    own = f"dhcp{agent}-{network_id}"
    six_modes = {"ipv6_address_mode": mode, "ipv6_ra_mode": mode}
    return {
        "id": network_id,
        "admin_state_up": True,
        "mtu": 1400,
        "non_local_subnets": [],
        "segments": [],
        "subnets": [
            {
                **{"id": four, "network_id": network_id, "ip_version": 4, "enable_dhcp": True, "dns_nameservers": []},
                **{"cidr": f"10.{number}.0.0/24", "gateway_ip": f"10.{number}.0.1"},
                "host_routes": [{"destination": "10.9.0.0/16", "nexthop": f"10.{number}.0.9"}],
            },
            {
                **{"id": six, "network_id": network_id, "ip_version": 6, "enable_dhcp": True, "dns_nameservers": []},
                **{"cidr": f"fd00:{number}::/64", "gateway_ip": f"fd00:{number}::1", "host_routes": [], **six_modes},
            },
        ],
        "ports": [
            port(
                1,
                f"fa:16:3e:01:{number:02x}:02",
                {four: f"10.{number}.0.2", six: f"fd00:{number}::2"},
                device_owner="network:dhcp",
                device_id=own,
            ),
            port(5, MAC, addresses(5, MAC)),
            port(6, BOOTING, addresses(6, BOOTING), extra_dhcp_opts=boot),
            port(
                7,
                NAMED,
                addresses(7, NAMED),
                extra_dhcp_opts=[{"opt_name": "client-id", "opt_value": "01:de:ad:be:ef", "ip_version": 4}],
                dns_assignment=[
                    {"ip_address": address, "hostname": "front", "fqdn": "front.example.org."}
                    for address in addresses(7, NAMED).values()
                ],
            ),
        ],
    }


def missing() -> str | None:
    """Why there are no such tests here, for `pytest.skip`; None where there are."""
    for program, package in (("udhcpc", "udhcpc"), ("dhclient", "isc-dhcp-client")):
        if found(program) is None:
            return f"there is no {program} here: apt-get install {package}"
    return hosts.missing()
