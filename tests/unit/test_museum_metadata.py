"""Metadata proxies as the bugs of other agents had them: not started, not stopped, stopped under another name.

Each of these has its law over generated histories too (tests/property/test_museum_state.py).
"""

from __future__ import annotations

from attrs import evolve

from dhcpcore import actions, events
from dhcpcore.model.network import Segment, Subnet
from dhcpcore.model.port import FixedIP, Port
from support.script import Script, network, port, serving, subnet

ROUTER = port(
    1,
    id="net-router",
    device_owner="network:router_interface",
    device_id="router-1",
    fixed_ips=(FixedIP(subnet_id="net-s0", ip_address="10.0.0.1"),),
)


def isolated(*ports: Port, subnets: tuple[Subnet, ...] | None = None, **options: bool) -> Script:
    """An agent that serves metadata on isolated networks, and this network."""
    of = network(ports=ports, subnets=(subnet(),) if subnets is None else subnets)
    return serving(of, enable_isolated_metadata=True, **options)


def proxies(script: Script) -> list[tuple[str, str]]:
    """What was done about proxies: start or stop, and which."""
    script.settle()
    done = []
    for action in script.history:
        if isinstance(action, actions.StartProxy):
            done.append(("start", action.spec.proxy_id))
        elif isinstance(action, actions.StopProxy):
            done.append(("stop", action.proxy_id))
    script.history.clear()
    return done


def on_metadata_network() -> Script:
    """A metadata network with a router: its proxy is the router's."""
    script = Script(enable_isolated_metadata=True, enable_metadata_network=True)
    ips = (FixedIP(subnet_id="net-s0", ip_address="169.254.192.1"),)
    own = script.own_port(fixed_ips=(FixedIP(subnet_id="net-s0", ip_address="169.254.192.2"),))
    of = subnet(cidr="169.254.192.0/18", gateway_ip="169.254.192.1")
    script.server["net"] = network(ports=(evolve(ROUTER, fixed_ips=ips), own), subnets=(of,))
    assert proxies(script) == [("start", "router-1")]
    return script


def test_a_proxy_ends_under_the_id_that_it_was_started_under() -> None:
    """Launchpad 1526084: spawned for the router, destroyed for the network, never killed."""
    script = on_metadata_network()
    script.tell(events.NetworkDeleted(network_id="net"))
    assert proxies(script) == [("stop", "router-1")]


def test_a_proxy_whose_id_changes_ends_under_the_old_one() -> None:
    """Launchpad 1526084: the router goes, and the network's own proxy takes over."""
    script = on_metadata_network()
    script.tell(events.PortDeleted(port_id="net-router", network_id="net"))
    assert proxies(script) == [("stop", "router-1"), ("start", "net")]


def test_an_answer_in_another_order_leaves_the_proxy_alone() -> None:
    """Of two routers it was the first one's, and the server has its ports in any order."""
    script = on_metadata_network()
    known = script.server["net"].ports
    (router,) = (each for each in known if each.id == "net-router")
    address = FixedIP(subnet_id=router.fixed_ips[0].subnet_id, ip_address="169.254.192.3")
    script.change(ports=(evolve(router, id="net-router2", device_id="router-0", fixed_ips=(address,)), *known))
    for at in (10.0, 20.0):
        script.now = at
        script.tell(events.ResyncRequested(reason="asked"))
        script.settle()
        script.change(ports=script.server["net"].ports[::-1])
    assert proxies(script) == [("stop", "router-1"), ("start", "router-0")]


def test_a_router_port_that_comes_or_goes_stops_or_starts_the_proxy() -> None:
    """Launchpad 1753540: the proxy was looked at when the agent started, and never again."""
    script = isolated()
    assert script.record().proxy is not None
    script.tell(events.PortCreated(port=ROUTER))
    assert proxies(script) == [("stop", "net")]
    script.tell(events.PortDeleted(port_id="net-router", network_id="net"))
    assert proxies(script) == [("start", "net")]


def test_a_deleted_network_takes_its_proxy_along() -> None:
    """Launchpad 1648095: whether it had one was asked of the network after that had been emptied."""
    script = isolated()
    script.tell(events.NetworkDeleted(network_id="net"))
    assert proxies(script) == [("stop", "net")]
    assert "net" not in script.state.networks


def test_a_proxy_ends_with_the_last_instance_though_another_waits_for_its_port() -> None:
    """A network that is made again on a segment whose addresses are used up: nobody is left that the proxy serves."""
    script = isolated()
    on_segment = subnet(cidr="10.9.0.0/16", segment_id="seg-a")
    script.change(subnets=(on_segment,), segments=(Segment(id="seg-a", segmentation_id=7),), ports=())
    script.tell(events.ResyncRequested(network_id="net", reason="asked"))
    for _ in range(5):
        for action in script.start():
            if isinstance(action, actions.ClaimAction):
                script.fail(action, fault="address_exhausted")
            else:
                script.succeed(action)
    assert not script.record().served
    assert script.record().proxy is None
    assert not script.record().namespace


def test_an_ipv4_subnet_behind_an_ipv6_one_has_its_proxy() -> None:
    """Launchpad 1556991: with an IPv6 subnet first there was none, and an IPv4 one added later did not start it."""
    v6 = subnet(number=1, cidr="fd00::/64", ip_version=6, gateway_ip="fd00::1", ipv6_address_mode="slaac")
    routed = evolve(ROUTER, fixed_ips=(FixedIP(subnet_id="net-s1", ip_address="fd00::1"),))
    script = isolated(routed, subnets=(v6,))
    assert script.record().proxy is None
    script.change(subnets=(v6, subnet()))
    script.tell(events.SubnetCreated(subnet=subnet()))
    assert proxies(script) == [("start", "net")]


def test_only_addresses_that_the_device_has_are_bound() -> None:
    """Launchpad 2103417: the IPv6 address was set on some networks only, and bound on all."""
    script = isolated()
    assert script.record().proxy is not None
    assert "fe80::a9fe:a9fe" not in (script.record().proxy.config or "")  # type: ignore[union-attr]
    (served,) = script.record().served.values()
    assert served.spec.device.addresses == ("10.0.255.2/16", "169.254.169.254/32")


def test_ipv6_is_bound_once_the_device_has_the_address() -> None:
    """Launchpad 2103417: an address was bound that nobody had set; here, one that the next restart sets."""
    script = isolated()
    six = subnet(number=6, cidr="fd00::/64", ip_version=6, gateway_ip=None, ipv6_address_mode="dhcpv6-stateful")
    script.change(subnets=(*script.server["net"].subnets, six))
    script.tell(events.SubnetCreated(subnet=six))
    for _ in range(10):
        plan = script.start()
        at = [action.kind for action in plan]
        for action in plan:
            if isinstance(action, actions.StartProxy) and action.spec.bind_interface is not None:
                before = plan.actions[: at.index("start_proxy")]
                served = [each.spec for each in script.record().served.values()]
                served += [each.spec for each in before if isinstance(each, actions.ApplyAction)]
                assert any("fe80::a9fe:a9fe/128" in spec.device.addresses for spec in served), at
        script.succeed(*plan.actions)
    proxy = script.record().proxy
    assert proxy is not None
    assert proxy.config is not None
    assert "fe80::a9fe:a9fe" in proxy.config
