"""The in-memory server does what Neutron does, where an agent can tell the difference."""

from __future__ import annotations

from typing import Any

import pytest

from dhcpcore.errors import AdapterError
from dhcpcore.testing import Flavour, MemoryClock, MemoryServer, SeededChoices
from dhcpcore.testing.generate.networks import network
from dhcpcore.testing.identity import dhcp_device_id, slaac_address
from dhcpcore.testing.server import Refusal
from dhcpcore.wire import parse_network

HOST = "host-1"


def make(*hosts: str) -> tuple[MemoryServer, MemoryClock]:
    clock = MemoryClock()
    server = MemoryServer(clock)
    for host in hosts:
        server.agent(host).report_state({})
    return server, clock


def told(server: MemoryServer, host: str = HOST) -> list[tuple[str, dict[str, Any]]]:
    return [(each.method, each.payload) for each in server.notices.take_all(host)]


def test_device_id_is_neutrons() -> None:
    # Recorded from Neutron 29.0.0 for the host host-1.example.org.
    assert dhcp_device_id("host-1.example.org", "n") == dhcp_device_id("host-1", "n")
    assert dhcp_device_id("host-1", "n") == "dhcpf72400a4-a35a-5d17-b5ce-25036ebf0bbc-n"
    assert dhcp_device_id("host-1", "n", 7).endswith("-n-7")
    assert dhcp_device_id("host-1", "n", None) == dhcp_device_id("host-1", "n")


def test_slaac_address_is_modified_eui_64() -> None:
    """RFC 4291 appendix A: ff:fe in the middle, the universal bit inverted."""
    assert slaac_address("2001:db8::/64", "fa:16:3e:46:d9:66") == "2001:db8::f816:3eff:fe46:d966"


def test_scheduling_tells_the_agent_and_only_on_the_first_subnet() -> None:
    server, _ = make(HOST)
    created = server.create_network()
    assert told(server) == []
    server.create_subnet(created["id"], "10.0.0.0/24")
    methods = [method for method, _ in told(server)]
    assert methods == ["network_create_end", "subnet_create_end"]
    server.create_subnet(created["id"], "10.1.0.0/24")
    assert [method for method, _ in told(server)] == ["subnet_create_end"]


def test_network_create_carries_only_the_id_and_priorities_are_neutrons() -> None:
    server, _ = make(HOST)
    network_id = server.create_network()["id"]
    subnet_id = server.create_subnet(network_id, "10.0.0.0/24")["id"]
    port_id = server.create_port(network_id)["id"]
    server.update_port(port_id, fixed_ips=[{"subnet_id": subnet_id}])
    server.update_network(network_id, mtu=1400)
    server.update_subnet(subnet_id, dns_nameservers=["192.0.2.53"])
    server.delete_port(port_id)
    server.delete_network(network_id)
    heard = told(server)
    assert heard[0] == ("network_create_end", {"network": {"id": network_id}, "priority": 0})
    assert [(method, payload["priority"]) for method, payload in heard] == [
        ("network_create_end", 0),
        ("subnet_create_end", 3),
        ("port_create_end", 5),
        ("port_update_end", 6),
        ("network_update_end", 1),
        ("subnet_update_end", 3),
        ("port_delete_end", 6),
        ("subnet_delete_end", 4),
        ("network_delete_end", 2),
    ]
    assert heard[-1][1] == {"network_id": network_id, "priority": 2}
    assert heard[-2][1] == {"subnet_id": subnet_id, "network_id": network_id, "priority": 4}


def test_a_created_port_is_urgent_for_one_agent_only() -> None:
    server, _ = make("a", "b")
    server.desk.agents_per_network = 2
    network_id = server.create_network()["id"]
    server.create_subnet(network_id, "10.0.0.0/24")
    told(server, "a"), told(server, "b")
    server.create_port(network_id)
    priorities = [payload["priority"] for host in ("a", "b") for _, payload in told(server, host)]
    assert sorted(priorities) == [5, 6]


def test_name_and_binding_changes_tell_nobody() -> None:
    server, _ = make(HOST)
    network_id = server.create_network()["id"]
    server.create_subnet(network_id, "10.0.0.0/24")
    port = server.create_port(network_id)
    told(server)
    server.update_port(port["id"], name="renamed")
    server.update_port(port["id"], **{"binding:host_id": "compute-1"})
    assert told(server) == []
    assert server.tables.ports[port["id"]]["revision_number"] > port["revision_number"]


def test_casts_wait_for_an_absent_agent_and_fanouts_do_not() -> None:
    server, _ = make(HOST)
    network_id = server.create_network()["id"]
    server.create_subnet(network_id, "10.0.0.0/24")
    told(server)
    server.disconnect(HOST)
    server.create_subnet(network_id, "10.1.0.0/24")
    server.delete_network(network_id)
    methods = [method for method, _ in told(server)]
    assert "subnet_create_end" in methods
    assert "network_delete_end" not in methods


def test_removal_from_an_agent_reserves_its_port() -> None:
    server, _ = make(HOST)
    network_id = server.create_network()["id"]
    server.create_subnet(network_id, "10.0.0.0/24")
    port = server.create_port(network_id, device_owner="network:dhcp", device_id=dhcp_device_id(HOST, network_id))
    told(server)
    server.desk.remove_network(network_id, HOST)
    assert told(server) == [("network_delete_end", {"network_id": network_id, "priority": 2})]
    assert server.tables.ports[port["id"]]["device_id"] == "reserved_dhcp_port"


def test_a_dead_agents_networks_move() -> None:
    server, clock = make("a")
    network_id = server.create_network()["id"]
    server.create_subnet(network_id, "10.0.0.0/24")
    clock.advance(server.desk.agent_down_time + 1)
    server.agent("b").report_state({})
    assert server.desk.reschedule_dead() == [network_id]
    assert server.desk.hosts_of(network_id) == ["b"]
    assert [method for method, _ in told(server, "b")] == ["network_create_end"]
    assert server.agent("a").report_state({}) == "revived"


def test_a_segments_port_cannot_be_updated() -> None:
    """Neutron compares the device_id without its segment: the answer is None."""
    server, _ = make(HOST)
    network_id = server.create_network()["id"]
    segment = server.create_segment(network_id, segmentation_id=7, hosts=[HOST])
    subnet = server.create_subnet(network_id, "10.0.0.0/24", segment_id=segment["id"])
    agent = server.agent(HOST)
    device_id = dhcp_device_id(HOST, network_id, 7)
    port = agent.create_dhcp_port(
        {"port": {"network_id": network_id, "device_id": device_id, "fixed_ips": [{"subnet_id": subnet["id"]}]}}
    )
    assert port is not None
    wish = {"port": {"network_id": network_id, "fixed_ips": port["fixed_ips"]}}
    assert agent.update_dhcp_port(port["id"], wish) is None


def test_segments_split_subnets_by_host() -> None:
    server, _ = make(HOST)
    network_id = server.create_network()["id"]
    near = server.create_segment(network_id, segmentation_id=1, hosts=[HOST])
    far = server.create_segment(network_id, segmentation_id=2, hosts=["elsewhere"])
    here = server.create_subnet(network_id, "10.0.0.0/24", segment_id=near["id"])
    there = server.create_subnet(network_id, "10.1.0.0/24", segment_id=far["id"])
    described = server.agent(HOST).get_network_info(network_id)
    assert described is not None
    assert [subnet["id"] for subnet in described["subnets"]] == [here["id"]]
    assert [subnet["id"] for subnet in described["non_local_subnets"]] == [there["id"]]
    assert [segment["id"] for segment in described["segments"]] == [near["id"], far["id"]]
    # Only agents that reach a subnet's segment hear of it.
    assert [payload["subnet"]["id"] for method, payload in told(server) if method == "subnet_create_end"] == [
        here["id"]
    ]


def test_addresses_run_out_and_come_back() -> None:
    server, _ = make(HOST)
    network_id = server.create_network()["id"]
    server.create_subnet(network_id, "10.0.0.0/29")
    ports = [server.create_port(network_id) for _ in range(5)]
    assert sorted(port["fixed_ips"][0]["ip_address"] for port in ports) == [f"10.0.0.{n}" for n in range(2, 7)]
    with pytest.raises(Refusal, match="IpAddressGenerationFailure"):
        server.create_port(network_id)
    server.delete_port(ports[1]["id"])
    assert server.create_port(network_id)["fixed_ips"] == ports[1]["fixed_ips"]


def test_slaac_addresses_come_by_themselves() -> None:
    server, _ = make(HOST)
    network_id = server.create_network()["id"]
    server.create_subnet(network_id, "10.0.0.0/24")
    server.create_subnet(network_id, "fd00:9::/64", ipv6_address_mode="slaac", ipv6_ra_mode="slaac")
    port = server.create_port(network_id, mac_address="fa:16:3e:46:d9:66")
    assert [ip["ip_address"] for ip in port["fixed_ips"]] == ["10.0.0.2", "fd00:9::f816:3eff:fe46:d966"]


def test_deleting_a_subnet_takes_its_addresses_from_agents_ports() -> None:
    server, _ = make(HOST)
    network_id = server.create_network()["id"]
    kept = server.create_subnet(network_id, "10.0.0.0/24")["id"]
    gone = server.create_subnet(network_id, "10.1.0.0/24")["id"]
    port = server.create_port(
        network_id, device_owner="network:dhcp", fixed_ips=[{"subnet_id": kept}, {"subnet_id": gone}]
    )
    told(server)
    server.delete_subnet(gone)
    assert [method for method, _ in told(server)] == ["port_update_end", "subnet_delete_end"]
    assert [ip["subnet_id"] for ip in server.tables.ports[port["id"]]["fixed_ips"]] == [kept]
    server.create_port(network_id, fixed_ips=[{"subnet_id": kept}])
    with pytest.raises(Refusal, match="SubnetInUse"):
        server.delete_subnet(kept)


def test_a_backup_brings_everything_back() -> None:
    server, _ = make(HOST)
    network_id = server.create_network()["id"]
    server.create_subnet(network_id, "10.0.0.0/24")
    port = server.create_port(network_id)
    backup = server.backup()
    before = server.describe(network_id, HOST)
    server.update_port(port["id"], mac_address="02:00:00:00:00:01")
    server.create_port(network_id)
    server.restore(backup)
    assert server.describe(network_id, HOST) == before
    server.delete_port(port["id"])
    server.restore(backup)
    assert server.describe(network_id, HOST) == before


def test_what_is_loaded_is_described() -> None:
    """load() and describe() are each other's inverse, for any network."""
    for flavour in Flavour:
        for seed in range(200):
            made = network(SeededChoices(seed), flavour)
            server = MemoryServer()
            described = server.describe(server.load(made, [HOST]), HOST)
            again = parse_network(described)
            assert again.ports == made.ports
            assert sorted(again.subnets, key=repr) == sorted(made.subnets, key=repr)
            assert sorted(again.non_local_subnets, key=repr) == sorted(made.non_local_subnets, key=repr)


def test_answers_can_be_garbled_and_calls_can_fail() -> None:
    server, _ = make(HOST)
    agent = server.agent(HOST)
    server.garble("get_active_networks_info", lambda _: "garbage")
    assert str(agent.get_active_networks_info()) == "garbage"
    server.garble("get_active_networks_info", None)
    assert list(agent.get_active_networks_info()) == []
    server.faults.arm("server.report_state", error=AdapterError("MessagingTimeout: x"), skip=1, times=2)
    assert agent.report_state({}) == "alive"
    for _ in range(2):
        with pytest.raises(AdapterError, match="MessagingTimeout"):
            agent.report_state({})
    assert agent.report_state({}) == "alive"


def test_old_and_busy_servers() -> None:
    server, _ = make(HOST)
    server.desk.skips_reports = True
    assert server.agent(HOST).report_state({}) is None
    server.desk.supports_reports = False
    with pytest.raises(AdapterError, match=r"^UnsupportedVersion"):
        server.agent(HOST).report_state({})


def test_an_unhosted_port_needs_no_report_and_a_moved_one_needs_another() -> None:
    server, _ = make(HOST)
    server.desk.auto_schedule = False
    network_id = server.create_network()["id"]
    subnet_id = server.create_subnet(network_id, "10.0.0.0/24")["id"]
    bound = {"binding:host_id": "compute-1", "device_owner": "compute:nova"}
    assert server.tables.ports[server.create_port(network_id, **bound)["id"]]["status"] == "ACTIVE"
    server.desk.bind(network_id, HOST)
    waiting = server.create_port(network_id, **bound)["id"]
    assert server.tables.ports[waiting]["status"] == "DOWN"
    server.agent(HOST).dhcp_ready_on_ports([waiting])
    assert server.tables.ports[waiting]["status"] == "ACTIVE"
    server.update_port(waiting, fixed_ips=[{"subnet_id": subnet_id}])
    assert waiting in server.tables.awaiting_dhcp
