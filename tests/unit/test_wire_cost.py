"""What a parsed port costs: a full sync holds every port of every network."""

from __future__ import annotations

import gc
import json
import tracemalloc
from typing import Final

from dhcpcore.wire import parse_network

PORTS: Final = 10_000
#: Bytes; the ids, the MAC address and the IP address themselves are some 310 of them.
BUDGET: Final = 700


def answer(count: int) -> str:
    """A network of plain ports, with all members that Neutron sends, as JSON text."""
    ports = [
        {
            "id": f"11706531-2149-4bb8-a219-{number:012x}",
            "name": "",
            "network_id": "9be29e59-3abe-4145-8c5d-349003177f15",
            "project_id": "fake_project_id",
            "mac_address": f"fa:16:3e:{number >> 16:02x}:{number >> 8 & 255:02x}:{number & 255:02x}",
            "admin_state_up": True,
            "status": "ACTIVE",
            "device_id": f"c0ffee00-0000-4000-8000-{number:012x}",
            "device_owner": "compute:nova",
            "fixed_ips": [
                {
                    "subnet_id": "dd2f19d1-7086-407c-b978-aff2e7e474f3",
                    "ip_address": f"10.9.{number >> 8}.{number & 255}",
                }
            ],
            "allowed_address_pairs": [],
            "extra_dhcp_opts": [],
            "security_groups": ["add8a7ed-8b8d-4000-9d7a-ad87c71d9b09"],
            "binding:vnic_type": "normal",
            "binding:profile": {},
            "binding:host_id": "host-1",
            "binding:vif_type": "ovs",
            "binding:vif_details": {"connectivity": "l2", "port_filter": True},
            "tags": [],
            "created_at": "2026-11-22T10:21:59Z",
            "revision_number": 5,
        }
        for number in range(count)
    ]
    return json.dumps({"id": "9be29e59-3abe-4145-8c5d-349003177f15", "mtu": 1400, "subnets": [], "ports": ports})


def test_memory_of_a_plain_port() -> None:
    text = answer(PORTS)
    parse_network(json.loads(answer(2)))  # what is made once
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        network = parse_network(json.loads(text))
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(network.ports) == PORTS
    assert (after - before) / PORTS <= BUDGET
