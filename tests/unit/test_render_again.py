"""An instance rendered again: what did not change is taken from the last time, and nobody can tell."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve, fields
from hypothesis import given
from hypothesis import strategies as st

import dhcpcore.plan.network as plan_network
from dhcpcore.model.capabilities import DnsmasqCapabilities
from dhcpcore.model.network import Network
from dhcpcore.model.settings import Settings
from dhcpcore.model.spec import InstanceSpec
from dhcpcore.render.framing import Templates
from dhcpcore.render.instance import render_instance
from support.as_served import observed
from support.render_input import network as network_of
from support.render_input import port, subnet, subnet6, view
from support.script import Script, network, serving
from support.script import port as port_of

DHCP_PORT = port("d", "10.0.0.2", "fd00::2", device_owner="network:dhcp")
MOVED = port("d", "10.0.0.3", "fd00::2", device_owner="network:dhcp")
SUBNETS = (subnet(gateway_ip="10.0.0.1"), subnet6())
NETWORKS = (
    network_of(DHCP_PORT, port("a", "10.0.0.5"), subnets=SUBNETS),
    network_of(DHCP_PORT, port("a", "10.0.0.6"), subnets=SUBNETS),
    network_of(MOVED, port("a", "10.0.0.5"), subnets=(subnet(dns_nameservers=("10.0.0.9",)), subnet6())),
)
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "settings": (Settings(), Settings(dns_domain="example.org"), Settings(dhcp_lease_duration=60), Settings()),
    "capabilities": (DnsmasqCapabilities(), DnsmasqCapabilities(host_tags=False)),
    "bridged": (True, False),
    "use_gateway_ips": (False, True),
    "ipv6": (True, False),
    "templates": (None, Templates(host="{{ lines }}# end\n")),
    "shared": (False, True),
}
asked = st.tuples(
    st.sampled_from(NETWORKS),
    st.booleans(),
    st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in ARGUMENTS.items()}),
)


def _parts(spec: InstanceSpec) -> dict[str, Any]:
    """All that is told of an instance; two are equal whatever their view and their warnings are."""
    return {each.name: getattr(spec, each.name) for each in fields(InstanceSpec) if each.name != "lines"}


def _rendered(of: Network, reuse: InstanceSpec | None = None, **arguments: Any) -> InstanceSpec:
    own = next(each for each in of.ports if each.id == "d")
    return render_instance(view(of), dhcp_port=own, reuse=reuse, **({"settings": Settings()} | arguments))


@given(st.lists(asked, max_size=8))
def test_what_is_reused_is_what_would_be_rendered(many: list[tuple[Network, bool, dict[str, Any]]]) -> None:
    """Law: with what an earlier rendering left, of whatever network and under whatever settings, all is as without."""
    before = None
    for of, another, arguments in many:
        now = _rendered(evolve(of) if another else of, before, **arguments)
        assert _parts(now) == _parts(_rendered(of, **arguments))
        # What is served may be told otherwise than it was rendered: the device as it was found, say.
        before = evolve(now, host="", device=evolve(now.device, addresses=()))


def test_the_same_network_is_not_rendered_again() -> None:
    of = NETWORKS[0]
    once = _rendered(of)
    assert _rendered(of, once).lines is once.lines
    assert _rendered(of, once, ipv6=False).lines is not once.lines
    assert _rendered(evolve(of), once).lines is not once.lines


def _renderings(monkeypatch: pytest.MonkeyPatch) -> list[InstanceSpec]:
    """What plans render from now on."""
    specs: list[InstanceSpec] = []

    def rendering(*arguments: Any, **named: Any) -> InstanceSpec:
        specs.append(render_instance(*arguments, **named))
        return specs[-1]

    monkeypatch.setattr(plan_network, "render_instance", rendering)
    return specs


def _look(script: Script) -> None:
    """An audit that finds a lease."""
    script.observed = evolve(
        script.observed,
        instances=tuple(evolve(each, leases=f"{each.leases or ''}duid 00\n") for each in script.observed.instances),
    )
    script.now += 400.0
    script.settle()


def test_an_instance_of_another_life_is_rendered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be served for months before it is changed; meanwhile each audit asks whether it is right."""
    before = serving(network("a", ports=(port_of(1, "a"),)))
    script = Script(*before.server.values())
    script.observed = observed(before)
    script.settle()
    assert script.record("a").served
    specs = _renderings(monkeypatch)
    _look(script)
    _look(script)
    assert len(specs) > 1
    assert all(spec.lines is specs[0].lines for spec in specs)
