"""What agents are asked, told and given: status of ports, notifications, scheduling."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from dhcpcore import Settings, parse_event, parse_networks
from dhcpcore_adapters.rpc import RpcRefusal
from reference_server import Options, ReferenceServer

from .conftest import Api, Clock, Wire


def _told(heard: list[tuple[str, Wire]]) -> list[tuple[str, int | None]]:
    told = [(method, payload.get("priority")) for method, payload in heard]
    for method, payload in heard:
        if method != "agent_updated":
            parse_event(method, payload)  # raises where our own side would not understand it
    heard.clear()
    return told


def _networks(api: Api, host: str = "host-1") -> list[str]:
    answer = api.plugin.call(host, "get_active_networks_info", {})
    networks, refused = parse_networks(answer)
    assert not refused
    return [network.id for network in networks]


# -- status


def test_a_bound_port_turns_active_when_an_agent_has_reported_it(api: Api) -> None:
    api.report()
    network, _ = api.network()
    port = api.make("port", network_id=network, binding__host_id="compute-1")
    loose = api.make("port", network_id=network)
    assert (port["status"], port["binding:vif_type"]) == ("DOWN", "ovs")
    api.plugin.call("host-1", "dhcp_ready_on_ports", {"port_ids": [port["id"], loose["id"], "unknown"]})
    now = api.get(f"ports/{port['id']}")
    assert (now["status"], now["revision_number"]) == ("ACTIVE", port["revision_number"] + 1)
    assert api.get(f"ports/{loose['id']}")["status"] == "DOWN"
    # It has been reported: binding is all that was missing.
    assert api.change("port", loose["id"], binding__host_id="compute-1")["status"] == "ACTIVE"
    assert api.change("port", loose["id"], binding__host_id="")["status"] == "DOWN"


def test_without_dhcp_a_bound_port_is_active_at_once(api: Api) -> None:
    api.report()
    network, subnet = api.network(enable_dhcp=False)
    api.network()
    assert api.make("port", network_id=network, binding__host_id="compute-1")["status"] == "ACTIVE"
    api.change("subnet", subnet, enable_dhcp=True)
    waiting = api.make("port", network_id=network, binding__host_id="compute-1")
    assert waiting["status"] == "DOWN"
    api.change("subnet", subnet, enable_dhcp=False)
    assert api.get(f"ports/{waiting['id']}")["status"] == "ACTIVE"


# -- notifications


def test_what_agents_are_told_and_with_which_priority(api: Api) -> None:
    api.report()
    heard = api.listen()
    network = api.make("network", name="blue")["id"]
    assert heard == []
    subnet = api.make("subnet", network_id=network, cidr="10.0.0.0/24", ip_version=4)["id"]
    assert heard[0] == ("network_create_end", {"network": {"id": network}, "priority": 0})
    assert heard[1][1]["subnet"]["network"]["id"] == network
    assert _told(heard) == [("network_create_end", 0), ("subnet_create_end", 3)]
    port = api.make("port", network_id=network)
    assert heard[0][1]["port"] == {
        **port,
        "standard_attr_id": 1,
        "network": {**api.get(f"networks/{network}"), "standard_attr_id": 1},
    }
    assert _told(heard) == [("port_create_end", 5)]
    api.change("port", port["id"], name="web", device_id="vm", binding__host_id="compute-1")
    api.plugin.call("host-1", "dhcp_ready_on_ports", {"port_ids": [port["id"]]})
    assert heard == []
    api.change("port", port["id"], extra_dhcp_opts=[{"opt_name": "mtu", "opt_value": "1400"}])
    api.change("port", port["id"], dns_name="web")
    api.change("port", port["id"], fixed_ips=[{"ip_address": "10.0.0.9"}])
    api.change("subnet", subnet, dns_nameservers=["10.0.0.5"])
    api.change("network", network, mtu=1400)
    assert heard[-1][1]["network"]["mtu"] == 1400
    assert _told(heard) == [("port_update_end", 6)] * 3 + [("subnet_update_end", 3), ("network_update_end", 1)]
    api.delete(f"ports/{port['id']}")
    assert heard[0][1] == {
        "port_id": port["id"],
        "network_id": network,
        "fixed_ips": [{"subnet_id": subnet, "ip_address": "10.0.0.9"}],
        "priority": 6,
    }
    api.delete(f"subnets/{subnet}")
    api.delete(f"networks/{network}")
    assert heard[-1][1] == {"network_id": network, "priority": 2}
    assert _told(heard) == [("port_delete_end", 6), ("subnet_delete_end", 4), ("network_delete_end", 2)]
    api.change("agent", api.agent()["id"], admin_state_up=False)
    assert heard == [("agent_updated", {"admin_state_up": False})]


def test_a_deleted_network_takes_its_dhcp_port_along_and_everybody_hears_of_it(api: Api) -> None:
    api.report()
    network, _ = api.network()
    body = {"network_id": network, "device_id": Settings(host="host-1").dhcp_device_id(network), "fixed_ips": []}
    api.plugin.call("host-1", "create_dhcp_port", {"port": {"port": body}})
    heard, elsewhere = api.listen(), api.listen("host-9")
    api.delete(f"networks/{network}")
    assert _told(heard) == [("port_delete_end", 6), ("subnet_delete_end", 4), ("network_delete_end", 2)]
    assert _told(elsewhere) == [("network_delete_end", 2)]
    assert api.get("ports") == []


def test_one_agent_of_several_is_told_of_a_new_port_first(tmp_path: Path) -> None:
    options = Options(database=str(tmp_path / "db"), listen="127.0.0.1:0", dhcp_agents_per_network=2)
    with ReferenceServer(options) as server:
        api = Api(server)
        heard = [api.listen(host) for host in ("host-1", "host-2")]
        for host in ("host-1", "host-2"):
            api.report(host)
        network, _ = api.network()
        assert sorted(agent["host"] for agent in api.get(f"networks/{network}/dhcp-agents")) == ["host-1", "host-2"]
        for each in heard:
            each.clear()
        api.make("port", network_id=network)
        assert sorted(_told(each)[0] for each in heard) == [("port_create_end", 5), ("port_create_end", 6)]
        api.connection.close()


def test_nothing_is_told_of_what_was_refused(api: Api) -> None:
    api.report()
    network, _ = api.network("10.0.0.0/29")
    heard = api.listen()
    assert api.refused("POST", "/v2.0/ports", {"ports": [{"network_id": network}] * 9})[0] == 409
    assert heard == []
    gone = {"port": {"port": {"network_id": network, "fixed_ips": [{"subnet_id": "gone"}]}}}
    assert api.plugin.call("host-1", "create_dhcp_port", gone) is None
    assert heard == []


def test_a_transport_that_fails_and_one_that_has_left(api: Api) -> None:
    def fail(method: str, payload: Any) -> None:
        raise OSError("gone")

    api.report()
    api.plugin.subscribe("host-1", fail)
    heard: list[str] = []
    end = api.plugin.subscribe("host-1", lambda method, payload: heard.append(method))
    network, _ = api.network()
    assert heard == ["network_create_end", "subnet_create_end"]
    end()
    end()
    api.make("port", network_id=network)
    assert len(heard) == 2


def test_from_many_threads_everything_is_told_once_and_in_the_order_of_commits(api: Api) -> None:
    api.report()
    network, subnet = api.network()
    heard = api.listen()
    body = {"network_id": network, "fixed_ips": [{"subnet_id": subnet}]}

    def work() -> None:
        for _ in range(15):
            api.plugin.call("host-1", "create_dhcp_port", {"port": {"port": body}})

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    made = [api.make("port", network_id=network) for _ in range(15)]
    for thread in threads:
        thread.join()
    told = [payload["port"] for _, payload in heard]
    # Addresses are given in order, so they tell the order of commits.
    assert [port["fixed_ips"][0]["ip_address"] for port in told] == [f"10.0.0.{n}" for n in range(2, 77)]
    assert {port["id"] for port in made} < {port["id"] for port in told}


def test_an_agent_may_call_from_within_a_notification(api: Api) -> None:
    api.report()
    answers: list[Any] = []
    api.plugin.subscribe(
        "host-1", lambda method, payload: answers.append(api.plugin.call("host-1", "get_active_networks_info", {}))
    )
    network, _ = api.network()
    assert [answer[0]["id"] for answer in answers] == [network, network]


# -- agents and their networks


def test_heartbeats(api: Api, clock: Clock) -> None:
    assert api.report(binary="b", topic="t", start_flag=True, configurations={"networks": 1}) == "new"
    clock.now += 60
    assert api.report(configurations={"networks": 2}) == "alive"
    agent = api.agent()
    assert (agent["alive"], agent["configurations"], agent["binary"]) == (True, {"networks": 2}, "b")
    assert (agent["started_at"], agent["heartbeat_timestamp"]) == ("2027-01-15 08:00:00", "2027-01-15 08:01:00")
    clock.now += 76
    assert api.agent()["alive"] is False
    assert api.get("agents?alive=true") == []
    assert api.report(start_flag=True) == "revived"
    assert api.agent()["started_at"] == "2027-01-15 08:02:16"


def test_an_unknown_or_disabled_agent_gets_nothing(api: Api) -> None:
    api.network()
    assert _networks(api) == []
    api.report()
    assert len(_networks(api)) == 1
    api.change("agent", api.agent()["id"], admin_state_up=False)
    assert _networks(api) == []


def test_networks_go_to_the_least_loaded_agent(api: Api) -> None:
    for host in ("host-1", "host-2", "host-3"):
        api.report(host)
    for _ in range(6):
        api.network()
    assert [len(_networks(api, f"host-{n}")) for n in (1, 2, 3)] == [2, 2, 2]


def test_an_agent_that_asks_is_given_what_nobody_serves(api: Api) -> None:
    network, _ = api.network()
    without_dhcp, _ = api.network(enable_dhcp=False)
    down = api.make("network", admin_state_up=False)["id"]
    api.make("subnet", network_id=down, cidr="10.0.0.0/24", ip_version=4)
    api.report()
    assert _networks(api) == [network]
    assert {each["id"] for each in api.get(f"agents/{api.agent()['id']}/dhcp-networks")} == {network, down}
    assert api.get(f"networks/{without_dhcp}/dhcp-agents") == []


def test_networks_are_given_and_taken_by_hand(api: Api) -> None:
    api.report()
    network, _ = api.network()
    port = api.make("port", network_id=network, device_id=Settings(host="host-1").dhcp_device_id(network))
    agent, heard = api.agent()["id"], api.listen()
    assert api.ask("DELETE", f"/v2.0/agents/{agent}/dhcp-networks/{network}") == (204, None)
    assert heard == [("network_delete_end", {"network_id": network, "priority": 2})]
    assert api.get(f"ports/{port['id']}")["device_id"] == "reserved_dhcp_port"
    again = f"/v2.0/agents/{agent}/dhcp-networks/{network}"
    assert api.refused("DELETE", again)[:2] == (409, "NetworkNotHostedByDhcpAgent")
    heard.clear()
    where, body = f"/v2.0/agents/{agent}/dhcp-networks", {"network_id": network}
    assert api.ask("POST", where, body) == (201, None)
    assert heard == [("network_create_end", {"network": {"id": network}, "priority": 0})]
    assert api.refused("POST", where, body)[:2] == (409, "NetworkHostedByDHCPAgent")
    assert api.refused("POST", where, {"network_id": "none"})[:2] == (404, "NetworkNotFound")
    api.change("agent", agent, admin_state_up=False)
    assert api.refused("POST", where, body)[:2] == (404, "InvalidDHCPAgent")


def test_networks_of_a_dead_agent_go_to_a_live_one(tmp_path: Path) -> None:
    options = Options(database=str(tmp_path / "db"), listen="127.0.0.1:0", agent_down_time=0.4)
    with ReferenceServer(options) as server:
        api = Api(server)
        api.report("host-1")
        network, _ = api.network()
        port = api.make("port", network_id=network, device_id=Settings(host="host-1").dhcp_device_id(network))
        heard = api.listen("host-2")
        deadline = time.monotonic() + 20
        while api.get(f"networks/{network}/dhcp-agents")[0]["host"] != "host-2":
            assert time.monotonic() < deadline
            api.report("host-2")
            time.sleep(0.05)
        while not heard:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert heard[0] == ("network_create_end", {"network": {"id": network}, "priority": 0})
        assert api.get(f"ports/{port['id']}")["device_id"] == "reserved_dhcp_port"
        api.connection.close()


def test_after_an_outage_of_the_server_nothing_moves_at_once(tmp_path: Path) -> None:
    """All agents look dead then; whoever reports first would be given everything."""
    clock, options = Clock(), Options(database=str(tmp_path / "db"), listen="127.0.0.1:0")
    with ReferenceServer(options, clock) as server:
        api = Api(server)
        api.report("host-1")
        network, _ = api.network()
        api.connection.close()
    clock.now += 1000
    with ReferenceServer(options, clock) as server:
        api = Api(server)
        api.report("host-2")
        assert server.neutron.fail_over() == []
        assert [agent["host"] for agent in api.get(f"networks/{network}/dhcp-agents")] == ["host-1"]
        api.connection.close()


# -- refusals


@pytest.mark.parametrize(
    "method, arguments, name",
    [
        ("no_such_method", {}, "NoSuchMethod"),
        ("get_network_info", {}, "HTTPBadRequest"),
        ("get_dhcp_port", {"port_id": "none"}, "PortNotFound"),
        ("create_dhcp_port", {"port": {"port": {"network_id": "n", "mac_address": "zz"}}}, "HTTPBadRequest"),
        ("dhcp_ready_on_ports", {}, "HTTPBadRequest"),
        ("dhcp_ready_on_ports", {"port_ids": "abc"}, "HTTPBadRequest"),
        ("dhcp_ready_on_ports", {"port_ids": ["abc", 7]}, "HTTPBadRequest"),
        ("dhcp_ready_on_ports", {"port_ids": {"abc": 1}}, "HTTPBadRequest"),
        ("report_state", {"agent_state": {"agent_type": 7}}, "InvalidInput"),
        ("report_state", {"agent_state": {"configurations": {"x": float("nan")}}}, "InvalidInput"),
        ("report_state", {"agent_state": {"configurations": {"x": "\ud800"}}}, "InvalidInput"),
    ],
)
def test_calls_that_are_refused(api: Api, method: str, arguments: Wire, name: str) -> None:
    with pytest.raises(RpcRefusal) as caught:
        api.plugin.call("host-1", method, arguments)
    assert caught.value.name == name


def test_a_failed_claim_leaves_nothing(api: Api) -> None:
    api.report()
    network, subnet = api.network("10.0.0.0/30")
    api.make("port", network_id=network)
    body = {"network_id": network, "fixed_ips": [{"subnet_id": subnet}]}
    with pytest.raises(RpcRefusal) as caught:
        api.plugin.call("host-1", "create_dhcp_port", {"port": {"port": body}})
    assert caught.value.name == "IpAddressGenerationFailure"
    assert len(api.get("ports")) == 1


# -- routed networks


def test_routed_networks(tmp_path: Path) -> None:
    hosts = {"rack-1": ("host-1", "compute-1"), "rack-2": ("host-2", "compute-2")}
    options = Options(
        database=str(tmp_path / "db"), listen="127.0.0.1:0", segment_hosts=hosts, dhcp_agents_per_network=2
    )
    with ReferenceServer(options) as server:
        api = Api(server)
        for host in ("host-1", "host-2", "host-3"):
            api.report(host)
        heard = [api.listen(f"host-{n}") for n in (1, 2, 3)]
        provider = {"network_type": "vlan", "physical_network": "rack-1", "segmentation_id": 11}
        network = api.make("network", **{f"provider:{name}": value for name, value in provider.items()})["id"]
        first = api.get(f"segments?network_id={network}")[0]["id"]
        second = api.make("segment", network_id=network, network_type="flat", physical_network="rack-2")["id"]
        on = {"network_id": network, "ip_version": 4}
        one = api.make("subnet", cidr="10.1.0.0/24", segment_id=first, **on)["id"]
        two = api.make("subnet", cidr="10.2.0.0/24", segment_id=second, **on)["id"]
        assert api.refused("POST", "/v2.0/subnets", {"subnet": {**on, "cidr": "10.3.0.0/24"}})[0] == 400
        assert [_told(each) for each in heard] == [
            [("network_create_end", 0), ("subnet_create_end", 3)],
            [("network_create_end", 0), ("subnet_create_end", 3)],
            [],
        ]
        port = api.make("port", network_id=network)
        assert port["fixed_ips"] == []  # nobody knows yet on which segment it will be
        bound = api.change("port", port["id"], binding__host_id="compute-2")
        assert bound["fixed_ips"] == [{"subnet_id": two, "ip_address": "10.2.0.2"}]
        seen = api.plugin.call("host-1", "get_network_info", {"network_id": network})
        assert [each["id"] for each in seen["subnets"]] == [one]
        assert [each["id"] for each in seen["non_local_subnets"]] == [two]
        assert [each["hosts"] for each in seen["segments"]] == [["compute-1", "host-1"], ["compute-2", "host-2"]]
        assert parse_networks([seen])[0][0].segments[1].physical_network == "rack-2"
        api.connection.close()
