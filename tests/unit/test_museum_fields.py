"""Every field of every model changes something that is served, or is declared to mean nothing to DHCP.

A field that nobody looks at is a change that nobody sees: an MTU that did not reach the DHCP port (Launchpad 1671634),
a DHCP switch taken for no change (Launchpad 1805824), a revision under another name (Launchpad 1625867).
"""

from __future__ import annotations

from typing import Any, Final

import pytest
from attrs import evolve, fields

from dhcpcore import events
from dhcpcore.model.network import HostRoute, Network, Segment, Subnet
from dhcpcore.model.port import DnsAssignment, ExtraDhcpOption, FixedIP, Port
from support.script import Script, dhcp_port, network, port, subnet

V6: Final = subnet(
    number=1,
    cidr="fd00::/64",
    ip_version=6,
    gateway_ip="fd00::1",
    ipv6_address_mode="dhcpv6-stateful",
    ipv6_ra_mode="dhcpv6-stateful",
)
V4: Final = subnet(host_routes=(HostRoute(destination="10.9.0.0/16", nexthop="10.0.0.9"),))
OPTION: Final = ExtraDhcpOption(opt_name="67", opt_value="pxe.0")
NAMES: Final = DnsAssignment(ip_address="10.0.0.5", hostname="web", fqdn="web.example.org.")
MACHINE: Final = port(
    5,
    fixed_ips=(
        FixedIP(subnet_id="net-s0", ip_address="10.0.0.5"),
        FixedIP(subnet_id="net-s1", ip_address="fd00::5"),
    ),
    dns_assignment=(NAMES,),
    extra_dhcp_opts=(OPTION,),
)
SEGMENT: Final = Segment(id="seg", segmentation_id=7)
SEEN: Final = (FixedIP(subnet_id="net-s0", ip_address="10.0.255.2"), FixedIP(subnet_id="net-s1", ip_address="fd00::2"))

#: What is looked at elsewhere, or not at all, and why.
IRRELEVANT: Final = {
    (Network, "id"): "the key of everything",
    (Network, "project_id"): "goes into the claim of a DHCP port, and into nothing that is served",
    (Network, "non_local_subnets"): "below",
    (Subnet, "id"): "the key of its tag",
    (Subnet, "network_id"): "the network it is found in",
    (Subnet, "revision_number"): "the server does not raise it with every change",
    (Subnet, "ip_version"): "told by the range",
    (Segment, "id"): "the key of its subnets",
    (Segment, "network_id"): "the network it is found in",
    (Segment, "network_type"): "a matter of the interface driver's agent",
    (Segment, "physical_network"): "likewise",
    (Segment, "name"): "for people",
    (Port, "network_id"): "the network it is found in",
    (Port, "revision_number"): "decides which of two notifications is the newer one",
    (Port, "admin_state_up"): "of our DHCP port: below",
    (Port, "binding_host_id"): "of our DHCP port: below; of others: whether they are reported",
    (Port, "binding_vif_type"): "whether a port is reported",
    (Port, "status"): "whether a port is reported",
    (Port, "device_id"): "of agents' and routers' ports: below",
}


def whole(machine: Port = MACHINE, *, v4: Subnet = V4, v6: Subnet = V6, **more: Any) -> Network:
    """The network that all changes are made to."""
    own = dhcp_port(Script().settings, fixed_ips=SEEN)
    return network(ports=(machine, own), **({"subnets": (v4, v6)} | more))


def of_ports(**changes: Any) -> Network:
    return whole(evolve(MACHINE, **changes))


#: For each field a network that differs in it alone from the one before (the last of a pair) or from `whole()`.
CHANGES: Final[dict[tuple[type, str], Network | tuple[Network, Network]]] = {
    (Network, "admin_state_up"): whole(admin_state_up=False),
    (Network, "mtu"): whole(mtu=1400),
    (Network, "subnets"): whole(subnets=(V4,)),
    (Network, "segments"): whole(
        segments=(SEGMENT,), subnets=(evolve(V4, segment_id="seg"), evolve(V6, segment_id="seg"))
    ),
    (Network, "ports"): evolve(whole(), ports=whole().ports[1:]),
    (Subnet, "cidr"): whole(v4=evolve(V4, cidr="10.0.0.0/17")),
    (Subnet, "enable_dhcp"): whole(v6=evolve(V6, enable_dhcp=False)),
    (Subnet, "gateway_ip"): whole(v4=evolve(V4, gateway_ip="10.0.0.2")),
    (Subnet, "dns_nameservers"): whole(v4=evolve(V4, dns_nameservers=("8.8.8.8",))),
    (Subnet, "host_routes"): whole(v4=evolve(V4, host_routes=())),
    (Subnet, "ipv6_address_mode"): whole(v6=evolve(V6, ipv6_address_mode="slaac")),
    (Subnet, "ipv6_ra_mode"): (
        whole(v6=evolve(V6, ipv6_address_mode=None, ipv6_ra_mode=None)),
        whole(v6=evolve(V6, ipv6_address_mode=None, ipv6_ra_mode="slaac")),
    ),
    (Subnet, "segment_id"): (
        whole(segments=(SEGMENT,)),
        whole(segments=(SEGMENT,), v4=evolve(V4, segment_id="seg")),
    ),
    (Subnet, "subnetpool_id"): whole(v6=evolve(V6, subnetpool_id="prefix_delegation")),
    (Segment, "segmentation_id"): tuple(  # type: ignore[dict-item]
        whole(
            segments=(evolve(SEGMENT, segmentation_id=number),),
            subnets=(evolve(V4, segment_id="seg"), evolve(V6, segment_id="seg")),
        )
        for number in (7, 8)
    ),
    (HostRoute, "destination"): whole(
        v4=evolve(V4, host_routes=(HostRoute(destination="10.8.0.0/16", nexthop="10.0.0.9"),))
    ),
    (HostRoute, "nexthop"): whole(
        v4=evolve(V4, host_routes=(HostRoute(destination="10.9.0.0/16", nexthop="10.0.0.8"),))
    ),
    (Port, "id"): of_ports(id="net-p6"),
    (Port, "mac_address"): of_ports(mac_address="fa:16:3e:00:00:99"),
    (Port, "fixed_ips"): of_ports(fixed_ips=MACHINE.fixed_ips[:1]),
    (Port, "device_owner"): of_ports(device_owner="network:floatingip"),
    (Port, "dns_assignment"): of_ports(dns_assignment=None),
    (Port, "extra_dhcp_opts"): of_ports(extra_dhcp_opts=()),
    (FixedIP, "subnet_id"): of_ports(
        fixed_ips=(evolve(MACHINE.fixed_ips[0], subnet_id="net-s9"), MACHINE.fixed_ips[1])
    ),
    (FixedIP, "ip_address"): of_ports(
        fixed_ips=(evolve(MACHINE.fixed_ips[0], ip_address="10.0.0.6"), MACHINE.fixed_ips[1])
    ),
    (DnsAssignment, "ip_address"): of_ports(dns_assignment=(evolve(NAMES, ip_address="fd00::5"),)),
    (DnsAssignment, "hostname"): of_ports(dns_assignment=(evolve(NAMES, hostname="mail"),)),
    (DnsAssignment, "fqdn"): of_ports(dns_assignment=(evolve(NAMES, fqdn="mail.example.org."),)),
    (ExtraDhcpOption, "opt_name"): of_ports(extra_dhcp_opts=(evolve(OPTION, opt_name="66"),)),
    (ExtraDhcpOption, "opt_value"): of_ports(extra_dhcp_opts=(evolve(OPTION, opt_value="grub.efi"),)),
    (ExtraDhcpOption, "ip_version"): of_ports(extra_dhcp_opts=(evolve(OPTION, ip_version=6),)),
}

#: Fields that mean something in some cases only: those cases.
CASES: Final = {
    "non_local_subnets": (whole(), whole(non_local_subnets=(subnet(number=2),))),
    "admin_state_up of the DHCP port": (
        whole(),
        evolve(whole(), ports=(MACHINE, evolve(whole().ports[1], admin_state_up=False))),
    ),
    "binding_host_id of the DHCP port": (
        whole(),
        evolve(whole(), ports=(MACHINE, evolve(whole().ports[1], binding_host_id="host-2"))),
    ),
    "device_id of the DHCP port": (
        whole(),
        evolve(whole(), ports=(MACHINE, evolve(whole().ports[1], device_id="reserved_dhcp_port"))),
    ),
}

NEUTRAL: Final = {
    "project_id": whole(project_id="another"),
    "revision_number of a subnet": whole(v4=evolve(V4, revision_number=9)),
    "revision_number of a port": of_ports(revision_number=9),
    "binding_host_id of a machine": of_ports(binding_host_id="host-8"),
    "binding_vif_type": of_ports(binding_vif_type="unbound"),
    "status": of_ports(status="DOWN"),
    "admin_state_up of a machine": of_ports(admin_state_up=False),
    "device_id of a machine": of_ports(device_id="vm-2"),
}


def done(before: Network, after: Network) -> set[str]:
    """The kinds of everything that an agent does when a network changes so."""
    script = Script(before, enable_isolated_metadata=True)
    script.settle()
    script.kinds()
    script.server["net"] = after
    script.tell(events.ResyncRequested(network_id="net", reason="asked"))
    script.settle()
    return set(script.kinds()) - {"fetch_network", "notify_ready"}


def test_every_field_is_accounted_for() -> None:
    """A new field of a model is a change that is served, or one that is declared irrelevant."""
    models = (Network, Subnet, Segment, HostRoute, Port, FixedIP, DnsAssignment, ExtraDhcpOption)
    known = {(model, each.name) for model in models for each in fields(model)}
    assert known == CHANGES.keys() | IRRELEVANT.keys()
    assert not CHANGES.keys() & IRRELEVANT.keys()


@pytest.mark.parametrize("field", CHANGES, ids=lambda field: f"{field[0].__name__}.{field[1]}")
def test_a_change_of_this_field_is_served(field: tuple[type, str]) -> None:
    """Every model field changes some artifact."""
    change = CHANGES[field]
    before, after = change if isinstance(change, tuple) else (whole(), change)
    assert done(before, after)


@pytest.mark.parametrize("case", CASES)
def test_a_change_in_this_case_is_served(case: str) -> None:
    assert done(*CASES[case])


@pytest.mark.parametrize("case", NEUTRAL)
def test_a_change_that_means_nothing_to_dhcp_does_nothing(case: str) -> None:
    """What is declared irrelevant is."""
    assert done(whole(), NEUTRAL[case]) == set()
