"""A client of Neutron's API that we did not write works against the server as against Neutron."""

from __future__ import annotations

from typing import Any

import openstack
import pytest
from openstack import exceptions

from reference_server import ReferenceServer

from .conftest import Api

# openstacksdk speaks of its own future whenever it is used.
pytestmark = [
    pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK50Warning"),
    pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK60Warning"),
]


def test_networks_subnets_and_ports_from_creation_to_deletion(cloud: Any) -> None:
    network = cloud.create_network(name="blue", mtu=1400, description="first")
    assert (network.name, network.mtu, network.is_admin_state_up, network.status) == ("blue", 1400, True, "ACTIVE")
    subnet = cloud.create_subnet(
        network_id=network.id,
        cidr="10.1.0.0/24",
        ip_version=4,
        dns_nameservers=["10.1.0.5"],
        host_routes=[{"destination": "10.9.0.0/16", "nexthop": "10.1.0.9"}],
    )
    assert (subnet.gateway_ip, subnet.is_dhcp_enabled) == ("10.1.0.1", True)
    assert cloud.get_network(network.id).subnet_ids == [subnet.id]
    port = cloud.create_port(network_id=network.id, name="web", dns_name="web", binding_host_id="compute-1")
    assert port.fixed_ips == [{"subnet_id": subnet.id, "ip_address": "10.1.0.2"}]
    assert port.dns_assignment[0]["fqdn"] == "web.openstacklocal."
    assert port.binding_host_id == "compute-1"

    assert cloud.update_network(network, name="green").name == "green"
    assert cloud.update_subnet(subnet, dns_nameservers=["10.1.0.6"]).dns_nameservers == ["10.1.0.6"]
    changed = cloud.update_port(port, extra_dhcp_opts=[{"opt_name": "bootfile-name", "opt_value": "a.0"}])
    assert changed.extra_dhcp_opts == [{"opt_name": "bootfile-name", "opt_value": "a.0", "ip_version": 4}]
    assert changed.revision_number == 2  # and `port` is the same object

    cloud.delete_port(port, ignore_missing=False)
    cloud.delete_subnet(subnet, ignore_missing=False)
    cloud.delete_network(network, ignore_missing=False)
    assert list(cloud.networks()) == list(cloud.subnets()) == list(cloud.ports()) == []


def test_find_by_name_and_id(cloud: Any) -> None:
    network = cloud.create_network(name="blue")
    assert cloud.find_network("blue").id == cloud.find_network(network.id).id == network.id
    assert cloud.find_network("red") is None
    cloud.create_network(name="blue")
    with pytest.raises(exceptions.DuplicateResource):
        cloud.find_network("blue")


def test_bulk_creation_is_all_or_nothing(cloud: Any) -> None:
    network = cloud.create_network()
    cloud.create_subnet(network_id=network.id, cidr="10.1.0.0/29", ip_version=4)
    made = list(cloud.create_ports([{"network_id": network.id, "name": f"p{n}"} for n in range(3)]))
    assert [port.name for port in made] == ["p0", "p1", "p2"]
    with pytest.raises(exceptions.ConflictException):
        list(cloud.create_ports([{"network_id": network.id} for _ in range(3)]))  # there are two addresses left
    assert len(list(cloud.ports())) == 3
    assert cloud.create_port(network_id=network.id).fixed_ips[0]["ip_address"] == "10.1.0.5"


def test_filters_fields_order_and_pages(cloud: Any) -> None:
    blue, red = cloud.create_network(name="blue"), cloud.create_network(name="red", is_admin_state_up=False)
    subnet = cloud.create_subnet(network_id=blue.id, cidr="10.1.0.0/24", ip_version=4)
    for number in range(5):
        cloud.create_port(network_id=blue.id, name=f"p{number}", device_owner="compute:nova", device_id=f"vm-{number}")
    cloud.create_port(network_id=red.id, name="other")

    def names(**query: Any) -> list[str]:
        return sorted(port.name for port in cloud.ports(**query))

    everyone = ["p0", "p1", "p2", "p3", "p4"]
    assert names(network_id=blue.id) == names(device_owner="compute:nova") == everyone
    assert names(name=["p1", "p3"]) == ["p1", "p3"]
    assert names(device_id="vm-2") == ["p2"]
    assert names(fixed_ips=["ip_address=10.1.0.3"]) == ["p1"]
    assert names(fixed_ips=f"subnet_id={subnet.id}") == everyone
    assert names(mac_address="fa:16:3e:ff:ff:ff", name="p0") == []
    assert names(limit=2) == [*sorted(["other", *everyone])]  # openstacksdk asks for page after page
    assert [n.name for n in cloud.networks(is_admin_state_up=False)] == ["red"]
    assert [p.name for p in cloud.ports(sort_key="name", sort_dir="desc")] == ["p4", "p3", "p2", "p1", "p0", "other"]
    assert [s.id for s in cloud.subnets(ip_version=4, cidr="10.1.0.0/24")] == [subnet.id]
    pairs = {"sort_key": ["device_owner", "name"], "sort_dir": ["asc", "desc"]}
    assert [p.name for p in cloud.ports(**pairs)] == ["other", "p4", "p3", "p2", "p1", "p0"]
    assert [p.name for p in cloud.ports(**pairs, limit=2)] == ["other", "p4", "p3", "p2", "p1", "p0"]
    assert [p.name for p in cloud.ports(sort_key=["device_owner", "name"])] == ["other", *everyone]
    assert names(page_reverse=False) == ["other", *everyone]


def test_agents(cloud: Any, api: Api) -> None:
    assert list(cloud.agents()) == []
    api.report(binary="neutron-dhcp-agent", topic="dhcp_agent", configurations={"networks": 0})
    (agent,) = cloud.agents(agent_type="DHCP agent")
    assert (agent.host, agent.is_alive, agent.is_admin_state_up) == ("host-1", True, True)
    assert cloud.get_agent(agent.id).configuration == {"networks": 0}
    network = cloud.create_network()
    cloud.add_dhcp_agent_to_network(agent, network)
    assert [each.id for each in cloud.dhcp_agent_hosting_networks(agent)] == [network.id]
    assert [each.id for each in cloud.network_hosting_dhcp_agents(network)] == [agent.id]
    cloud.remove_dhcp_agent_from_network(agent, network)
    assert list(cloud.network_hosting_dhcp_agents(network)) == []
    assert cloud.update_agent(agent, is_admin_state_up=False).is_admin_state_up is False
    cloud.delete_agent(agent, ignore_missing=False)
    assert list(cloud.agents()) == []


def test_segments(cloud: Any) -> None:
    network = cloud.create_network(
        provider_network_type="vlan", provider_physical_network="rack-1", provider_segmentation_id=11
    )
    (first,) = cloud.segments(network_id=network.id)
    assert (first.network_type, first.physical_network, first.segmentation_id) == ("vlan", "rack-1", 11)
    second = cloud.create_segment(
        network_id=network.id, network_type="vlan", physical_network="rack-2", segmentation_id=12, name="two"
    )
    subnet = cloud.create_subnet(network_id=network.id, cidr="10.1.0.0/24", ip_version=4, segment_id=second.id)
    with pytest.raises(exceptions.ConflictException):
        cloud.delete_segment(second)
    cloud.delete_subnet(subnet)
    cloud.delete_segment(second)
    assert [each.id for each in cloud.segments()] == [first.id]


def test_extensions_and_versions(cloud: Any, api: Api) -> None:
    assert {"agent", "dhcp_agent_scheduler", "extra_dhcp_opt", "segment"} <= {each.alias for each in cloud.extensions()}
    assert cloud.find_extension("dns-integration").name == "DNS Integration"
    _, answer = api.ask("GET", "/")
    assert [(each["id"], each["status"]) for each in answer["versions"]] == [("v2.0", "CURRENT")]


def test_a_change_of_what_is_not_there_any_more(cloud: Any) -> None:
    """If-Match: a client that has read an old revision changes nothing."""
    network = cloud.create_network(name="blue")
    cloud.update_network(network.id, name="green")
    with pytest.raises(exceptions.PreconditionFailedException):
        cloud.update_network(network.id, if_revision=network.revision_number, name="red")
    assert cloud.get_network(network.id).name == "green"


def test_what_went_wrong_reaches_the_user(cloud: Any) -> None:
    with pytest.raises(exceptions.BadRequestException, match=r"port\.mac_address.*'zz' is not a valid MAC address"):
        cloud.create_port(network_id=cloud.create_network().id, mac_address="zz")
    with pytest.raises(exceptions.NotFoundException):
        cloud.get_port("no-such-port")


@pytest.mark.parametrize("suffix", ["", "/", "/v2.0"])
def test_endpoints_that_people_write(server: ReferenceServer, suffix: str) -> None:
    connection = openstack.connection.Connection(auth_type="none", auth={"endpoint": server.url + suffix})
    assert list(connection.network.networks()) == []
    connection.close()
