"""Networks as the server has them, for `dhcpcore render` to render."""

from __future__ import annotations

from pathlib import Path
from uuid import NAMESPACE_DNS, uuid5

DATA = Path(__file__).parents[2] / "examples" / "data"

SUBNET = {"id": "s", "cidr": "10.0.0.0/24", "gateway_ip": "10.0.0.1"}
PORT = {
    "id": "p",
    "mac_address": "fa:16:3e:00:00:05",
    "device_owner": "compute:nova",
    "fixed_ips": [{"subnet_id": "s", "ip_address": "10.0.0.5"}],
}
NETWORK = {"id": "net", "subnets": [SUBNET], "ports": [PORT]}
DHCP_PORT = {
    "id": "0123456789abcdef",
    "mac_address": "fa:16:3e:00:00:02",
    "device_owner": "network:dhcp",
    "device_id": f"dhcp{uuid5(NAMESPACE_DNS, 'h')}-net",
    "fixed_ips": [{"subnet_id": "s", "ip_address": "10.0.0.2"}],
}
ROUTED = {
    "id": "net",
    "segments": [{"id": "one", "segmentation_id": 1}, {"id": "two", "segmentation_id": None}],
    "subnets": [
        {"id": "s1", "cidr": "10.1.0.0/24", "segment_id": "one"},
        {"id": "s2", "cidr": "10.2.0.0/24", "segment_id": "two"},
    ],
}
