"""Ports of a routed network: each is ready when its own segment's instance serves it, whatever holds another one up."""

from __future__ import annotations

from attrs import evolve

from dhcpcore import actions
from dhcpcore.model.network import Network, Segment
from dhcpcore.model.port import FixedIP, Port
from support.as_served import observed
from support.script import Script, network, port, subnet


def _routed() -> Network:
    segments = tuple(Segment(id=f"seg{n}", network_id="net", network_type="vlan", segmentation_id=n) for n in (1, 2))
    subnets = tuple(subnet(number=n, segment_id=f"seg{n}") for n in (1, 2))
    return network(subnets=subnets, segments=segments, ports=(_port(1), _port(2)))


def _port(segment: int, status: str = "ACTIVE") -> Port:
    address = FixedIP(subnet_id=f"net-s{segment}", ip_address=f"10.{segment}.0.9")
    return port(segment, fixed_ips=(address,), status=status)


def _claims_fail(script: Script, plan: actions.Plan) -> None:
    """Everything in a plan succeeds, but that the second segment has no address for a DHCP port."""
    for action in plan:
        if isinstance(action, actions.CreateDhcpPort) and action.key.segmentation == "2":
            script.fail(action, reason="IpAddressGenerationFailure: no more addresses", fault="address_exhausted")
        else:
            script.succeed(action)


def _settle(script: Script) -> None:
    for _ in range(20):
        plan = script.start()
        if not plan:
            return
        _claims_fail(script, plan)
    raise AssertionError("no end")


def _reported(script: Script) -> set[str]:
    return {port_id for a in script.history if isinstance(a, actions.NotifyReady) for port_id in a.port_ids}


def _restarted(status: str) -> Script:
    """An agent that starts over the first segment's instance, which serves all that it should."""
    before = Script(_routed())
    _settle(before)
    script = Script()
    script.server = dict(before.server)
    wanted = script.server["net"]
    ports = tuple(evolve(each, status=status if each.id == "net-p1" else "ACTIVE") for each in wanted.ports)
    script.server["net"] = evolve(wanted, ports=ports)
    script.observed = observed(before)
    _settle(script)
    return script


def test_a_port_is_reported_though_another_segment_has_no_address_for_a_dhcp_port() -> None:
    """Killed before the report: nothing has to be done for its own segment, so no outcome tells that it is ready."""
    script = _restarted("BUILD")
    assert "reload" not in [action.kind for action in script.history]
    assert _reported(script) == {"net-p1"}


def test_no_port_is_reported_where_none_waits() -> None:
    script = _restarted("ACTIVE")
    assert _reported(script) == set()


def test_a_port_of_the_segment_that_is_not_served_is_not_reported() -> None:
    """Not before the segment has its DHCP port, and then at once."""
    script = Script(_routed())
    script.change(ports=(_port(1, status="DOWN"), _port(2, status="DOWN")))
    _settle(script)
    assert "net-p1" in _reported(script)
    assert "net-p2" not in _reported(script)
    assert set(script.record().awaiting_ready) == {"net-p2"}


def test_what_found_no_room_in_the_plan_is_reported_by_the_next_one() -> None:
    """Another report was under way: the port waits in the queue, not for the other segment."""
    before = Script(_routed())
    _settle(before)
    script = Script(network("other", ports=(port(7, "other", status="DOWN"),)))
    script.server |= before.server
    wanted = script.server["net"]
    script.server["net"] = evolve(wanted, ports=tuple(evolve(each, status="BUILD") for each in wanted.ports))
    script.observed = observed(before)
    held: list[actions.Action] = []
    for _ in range(20):
        plan = script.start()
        reports = [action for action in plan if isinstance(action, actions.NotifyReady)]
        held.extend(reports)
        _claims_fail(script, evolve(plan, actions=tuple(a for a in plan if a not in reports)))
        if not plan:
            break
    assert held, "nothing was reported at all"
    script.succeed(*held)
    _settle(script)
    assert "net-p1" in _reported(script)
