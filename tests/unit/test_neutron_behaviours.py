"""Behaviours that Neutron's own DHCP unit tests name and no other test of ours shows; see docs/neutron-tests.md."""

from __future__ import annotations

import copy
from typing import Any

import attrs
import pytest

from dhcpcore import actions, events
from dhcpcore.model.capabilities import HostCapabilities
from dhcpcore.model.settings import Settings
from dhcpcore.wire import parse_network
from support.render_input import files
from support.script import Script, dhcp_port, network, port, serving, subnet

#: A network as a server sends it: members of members are objects too.
WIRE: dict[str, Any] = {
    "id": "net",
    "subnets": [{"id": "s4", "cidr": "10.0.0.0/24", "ip_version": 4, "enable_dhcp": True}],
    "ports": [
        {
            "id": "p",
            "mac_address": "fa:16:3e:00:00:05",
            "fixed_ips": [{"subnet_id": "s4", "ip_address": "10.0.0.5"}],
            "extra_dhcp_opts": [{"opt_name": "client-id", "opt_value": "01:02", "ip_version": 4}],
        }
    ],
}


# -- models


def test_a_model_is_a_value() -> None:
    """Members are attributes, all the way down; none can be set, deleted or added; copies are equal and hash alike."""
    read = parse_network(WIRE)
    assert read.ports[0].fixed_ips[0].ip_address == "10.0.0.5"
    assert read.ports[0].extra_dhcp_opts[0].opt_value == "01:02"
    for model, name in ((read, "mtu"), (read.ports[0], "mac_address"), (read, "no_such_member")):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(model, name, None)
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            delattr(model, name)
    with pytest.raises(AttributeError):
        _ = read.no_such_member  # type: ignore[attr-defined]
    with pytest.raises(TypeError):
        attrs.evolve(read, no_such_member=1)  # type: ignore[call-arg]
    for other in (copy.copy(read), copy.deepcopy(read), parse_network(WIRE)):
        assert other == read
        assert hash(other) == hash(read)
        assert str(other) == str(read)
    assert "10.0.0.5" in str(read)
    assert attrs.evolve(read, mtu=1400) != read


@pytest.mark.parametrize("name", ["client-id", 61, "61"])
def test_a_client_id_is_known_by_name_number_and_text(name: object) -> None:
    """Whatever its spelling it tells the client in hosts, and is no line of opts."""
    told = copy.deepcopy(WIRE)
    told["ports"][0]["extra_dhcp_opts"] = [{"opt_name": name, "opt_value": "test_client_id_num", "ip_version": 4}]
    rendered = files(parse_network(told))
    assert rendered.host == "fa:16:3e:00:00:05,id:test_client_id_num,host-10-0-0-5.openstacklocal,10.0.0.5\n"
    assert "port-p" not in rendered.opts


# -- the DHCP port


def _reserved(settings: Settings, number: int) -> Any:
    return dhcp_port(settings, id=f"net-res{number}", device_id="reserved_dhcp_port", binding_host_id="")


def test_where_one_reserved_port_is_refused_the_next_is_asked_for() -> None:
    script = Script()
    reserved = [_reserved(script.settings, number) for number in (1, 2)]
    script.server["net"] = network(ports=tuple(reserved))
    script.succeed(*script.start().actions)
    (first,) = script.start().actions
    assert isinstance(first, actions.ClaimReservedPort)
    # Somebody else was faster: the server answers None, and has the port as another agent's from now on.
    taken = attrs.evolve(reserved[0], device_id="dhcp-of-another", binding_host_id="host-2")
    script.server["net"] = network(ports=(taken, reserved[1]))
    script.tell(events.ActionSucceeded(action=first, result=None))
    script.now = 60.0
    claims = [action for plan in script.settle() for action in plan if isinstance(action, actions.ClaimAction)]
    assert [(claim.kind, getattr(claim, "port_id", None)) for claim in claims] == [("claim_reserved_port", "net-res2")]
    assert "enable" in script.kinds()


def test_a_claim_that_breaks_in_the_server_is_made_again_and_makes_no_second_port() -> None:
    script = Script()
    script.server["net"] = network(ports=(_reserved(script.settings, 1),))
    script.succeed(*script.start().actions)
    (claim,) = script.start().actions
    script.fail(claim, reason="FakeRemoteError: it broke")
    assert not [action for action in script.plan() if isinstance(action, actions.ClaimAction)]
    script.now = 60.0
    claims = [action for plan in script.settle() for action in plan if isinstance(action, actions.ClaimAction)]
    assert [claim.kind for claim in claims] == ["claim_reserved_port"]
    assert "enable" in script.kinds()


def test_a_driver_that_serves_on_gateways_asks_for_no_address() -> None:
    script = Script(network(), capabilities=HostCapabilities(use_gateway_ips=True))
    script.succeed(*script.start().actions)
    (claim,) = script.start().actions
    assert isinstance(claim, actions.CreateDhcpPort)
    assert claim.payload["port"]["fixed_ips"] == []


def test_what_the_server_is_asked_for_a_port() -> None:
    """Neutron's create_dhcp_port takes a port with these members; the server adds owner and host itself."""
    script = Script(network(project_id="project"))
    script.succeed(*script.start().actions)
    (claim,) = script.start().actions
    assert isinstance(claim, actions.CreateDhcpPort)
    assert claim.payload == {
        "port": {
            "name": "",
            "admin_state_up": True,
            "device_id": script.settings.dhcp_device_id("net"),
            "network_id": "net",
            "project_id": "project",
            "fixed_ips": [{"subnet_id": "net-s0"}],
        }
    }


# -- what is told of nothing


@pytest.mark.parametrize(
    "event",
    [
        events.NetworkDeleted(network_id="nobody"),
        events.PortDeleted(port_id="nobody", network_id="nobody"),
        events.PortDeleted(port_id="nobody", network_id="net"),
        events.PortDeleted(port_id="nobody"),
        events.SubnetDeleted(subnet_id="nobody", network_id="nobody"),
        events.SubnetDeleted(subnet_id="nobody"),
    ],
    ids=repr,
)
def test_what_is_deleted_and_was_never_known_needs_nothing(event: events.Event) -> None:
    script = serving(network(ports=(port(5),)))
    script.tell(event)
    assert [action.kind for plan in script.settle() for action in plan] == []


def test_a_port_of_a_deleted_network_is_deleted_without_a_word() -> None:
    script = serving(network(ports=(port(5),)))
    del script.server["net"]
    script.tell(events.NetworkDeleted(network_id="net"), events.PortDeleted(port_id="net-p5", network_id="net"))
    kinds = [action.kind for plan in script.settle() for action in plan]
    assert (kinds[0], kinds[-1]) == ("disable", "remove_namespace")
    assert set(kinds) <= {"disable", "release_dhcp_port", "remove_namespace"}
    assert "net" not in script.state.networks


# -- ready ports


def test_a_partial_sync_reports_ports_of_its_network_only() -> None:
    script = serving(network("a", ports=(port(5, "a"),)), network("b", ports=(port(5, "b"),)))
    script.change("a", ports=(*script.server["a"].ports, port(6, "a", status="DOWN")))
    script.change("b", ports=(*script.server["b"].ports, port(6, "b", status="DOWN")))
    script.now = 10.0
    script.tell(events.ResyncRequested(network_id="a", reason="asked"))
    reports = [action for plan in script.settle() for action in plan if isinstance(action, actions.NotifyReady)]
    assert [report.port_ids for report in reports] == [("a-p6",)]


def test_ports_of_a_subnet_that_goes_are_reserved_no_more() -> None:
    script = serving(network(subnets=(subnet(number=0), subnet(number=1)), ports=(port(5),)))
    moved = attrs.evolve(
        port(6), fixed_ips=(attrs.evolve(port(6).fixed_ips[0], subnet_id="net-s1", ip_address="10.1.0.6"),)
    )
    script.change(ports=(*script.server["net"].ports, moved))
    script.tell(events.PortCreated(port=moved))
    script.settle()
    (served,) = script.record().served.values()
    assert "10.1.0.6" in served.spec.host
    script.change(subnets=(subnet(number=0),))
    script.tell(events.SubnetDeleted(subnet_id="net-s1", network_id="net"))
    script.settle()
    (served,) = script.record().served.values()
    assert "10.1.0.6" not in served.spec.host
    assert not any("net-s1" in argument for argument in served.spec.argv)


# -- our own port


def test_another_address_of_our_own_port_is_set_and_dnsmasq_runs_on() -> None:
    """Whether the port was known before or not: it is ours by its device id (dnsmasq runs with --bind-dynamic)."""
    script = serving(network(ports=(port(5),)))
    (own,) = (each for each in script.server["net"].ports if each.id == "net-dhcp")
    moved = attrs.evolve(own, fixed_ips=(attrs.evolve(own.fixed_ips[0], ip_address="10.0.255.9"),), revision_number=2)
    script.change(ports=(port(5), moved))
    script.tell(events.PortUpdated(port=moved))
    kinds = [action.kind for plan in script.settle() for action in plan]
    assert kinds == ["update_device", "notify_ready"]
    (served,) = script.record().served.values()
    assert served.spec.device.addresses == ("10.0.255.9/16",)
