"""Recorded messages of a Neutron 29 server (tests/fixtures/wire), read as models and events."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from dhcpcore.events import (
    AgentUpdated,
    NetworkCreated,
    NetworkDeleted,
    NetworkUpdated,
    PortCreated,
    PortDeleted,
    PortUpdated,
    SubnetCreated,
    SubnetDeleted,
    SubnetUpdated,
)
from dhcpcore.model.network import HostRoute, Segment
from dhcpcore.model.port import DnsAssignment, ExtraDhcpOption, FixedIP
from dhcpcore.wire import (
    NOTIFICATIONS,
    fetched_networks,
    network_id_of,
    network_to_wire,
    parse_event,
    parse_network,
    parse_networks,
    parse_port,
    port_to_wire,
)

RECORDED: Final = Path(__file__).parents[1] / "fixtures" / "wire"
NETWORK: Final = "9be29e59-3abe-4145-8c5d-349003177f15"
SUBNET_4: Final = "dd2f19d1-7086-407c-b978-aff2e7e474f3"
SUBNET_6: Final = "428dc613-a5c3-488e-b6be-87af3a67baaa"
VM_PORT: Final = "11706531-2149-4bb8-a219-86ab1c1b39e5"
DHCP_PORT: Final = "d75ea2b3-11ac-44af-ad07-db4e6ee08af9"


def recorded(name: str) -> Any:
    return json.loads((RECORDED / f"{name}.json").read_text())


def test_every_notification_of_the_server_has_a_recording() -> None:
    names = {path.name.split(".")[0] for path in (RECORDED / "notifications").iterdir()}
    assert names == set(NOTIFICATIONS)


@pytest.mark.parametrize("path", sorted((RECORDED / "notifications").iterdir()), ids=lambda path: path.name)
def test_every_recorded_notification_is_an_event(path: Path) -> None:
    payload = json.loads(path.read_text())
    event = parse_event(path.name.split(".")[0], payload, at=12.5)
    assert event.at == 12.5
    assert network_id_of(payload) == (None if "agent_updated" in path.name else NETWORK)


def test_port_create_end() -> None:
    event = parse_event("port_create_end", recorded("notifications/port_create_end.2"))
    assert isinstance(event, PortCreated)
    port = event.port
    assert (port.id, port.network_id, port.mac_address) == (VM_PORT, NETWORK, "fa:16:3e:46:d9:66")
    assert port.fixed_ips == (FixedIP(subnet_id=SUBNET_4, ip_address="10.9.0.125"),)
    assert port.extra_dhcp_opts == (ExtraDhcpOption(opt_name="bootfile-name", opt_value="pxelinux.0"),)
    assert (port.device_owner, port.device_id) == ("compute:nova", "c0ffee00-0000-4000-8000-000000000001")
    assert (port.binding_host_id, port.binding_vif_type, port.is_bound) == ("host-1", "unbound", False)
    assert (port.status, port.revision_number, port.dns_assignment) == ("DOWN", 1, None)


def test_port_update_end() -> None:
    event = parse_event("port_update_end", recorded("notifications/port_update_end.1"))
    assert isinstance(event, PortUpdated)
    assert event.port.fixed_ips[0].ip_address == "10.9.0.77"
    assert event.port.is_bound


def test_port_delete_end() -> None:
    event = parse_event("port_delete_end", recorded("notifications/port_delete_end.1"))
    fixed_ip = FixedIP(subnet_id=SUBNET_4, ip_address="10.9.0.77")
    assert event == PortDeleted(port_id=VM_PORT, network_id=NETWORK, fixed_ips=(fixed_ip,))


def test_subnet_events() -> None:
    created = parse_event("subnet_create_end", recorded("notifications/subnet_create_end.1"))
    updated = parse_event("subnet_update_end", recorded("notifications/subnet_update_end.1"))
    deleted = parse_event("subnet_delete_end", recorded("notifications/subnet_delete_end.1"))
    assert isinstance(created, SubnetCreated)
    assert isinstance(updated, SubnetUpdated)
    assert created.subnet.host_routes == (HostRoute(destination="10.99.0.0/16", nexthop="10.9.0.254"),)
    assert created.subnet.dns_nameservers == ("10.9.0.53",)
    assert updated.subnet.dns_nameservers == ("10.9.0.54", "10.9.0.55")
    assert (updated.subnet.gateway_ip, updated.subnet.cidr, updated.subnet.ip_version) == ("10.9.0.1", "10.9.0.0/24", 4)
    assert deleted == SubnetDeleted(subnet_id=SUBNET_6, network_id=NETWORK)


def test_network_events() -> None:
    assert parse_event("network_create_end", recorded("notifications/network_create_end.1")) == NetworkCreated(
        network_id=NETWORK
    )
    assert parse_event("network_update_end", recorded("notifications/network_update_end.1")) == NetworkUpdated(
        network_id=NETWORK, admin_state_up=True, mtu=1400, subnet_ids=(SUBNET_6, SUBNET_4)
    )
    assert parse_event("network_delete_end", recorded("notifications/network_delete_end.1")) == NetworkDeleted(
        network_id=NETWORK
    )


def test_agent_updated() -> None:
    assert parse_event("agent_updated", recorded("notifications/agent_updated.1")) == AgentUpdated(admin_state_up=False)


def test_a_full_answer() -> None:
    networks, refused = parse_networks(recorded("answers/get_active_networks_info.2"))
    assert refused == ()
    (network,) = networks
    assert (network.id, network.mtu, network.project_id) == (NETWORK, 1400, "fake_project_id")
    assert [subnet.id for subnet in network.subnets] == [SUBNET_6, SUBNET_4]
    assert network.subnets[0].ipv6_address_mode == "dhcpv6-stateful"
    assert [port.id for port in network.ports] == [VM_PORT, DHCP_PORT]
    assert network.segments == ()
    assert fetched_networks(recorded("answers/get_active_networks_info.1")).networks == ()


def test_a_routed_network() -> None:
    network = parse_network(recorded("answers/get_network_info.routed"))
    vlan, flat = network.segments
    assert (vlan.segmentation_id, vlan.physical_network, vlan.network_type) == (2016, "rack1", "vlan")
    assert flat == Segment(
        id=flat.id,
        network_id=network.id,
        segmentation_id=None,
        network_type="flat",
        physical_network="rack2",
        name="rack 2",
    )
    assert [subnet.segment_id for subnet in network.all_subnets] == [vlan.id, flat.id]
    assert network.non_local_subnets[0].subnetpool_id == "prefix_delegation"
    assert network.non_local_subnets[0].enable_dhcp is False
    (port,) = network.ports
    assert port.dns_assignment == (DnsAssignment(ip_address="10.20.0.7", hostname="web", fqdn="web.openstacklocal."),)
    assert port.client_id == "ff:00:00:00:07"


@pytest.mark.parametrize("path", sorted((RECORDED / "answers").iterdir()), ids=lambda path: path.name)
def test_every_recorded_answer_survives_a_round_trip(path: Path) -> None:
    answer = json.loads(path.read_text())
    if path.name.startswith("get_active"):
        for network in parse_networks(answer)[0]:
            assert parse_network(network_to_wire(network)) == network
    elif path.name.startswith("get_network"):
        network = parse_network(answer)
        assert parse_network(json.loads(json.dumps(network_to_wire(network)))) == network
    else:
        port = parse_port(answer)
        assert parse_port(json.loads(json.dumps(port_to_wire(port)))) == port
