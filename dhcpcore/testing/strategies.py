"""Hypothesis strategies for every noun and event; each in three flavours (see `Flavour`).

    from dhcpcore.testing import Flavour, strategies

    @given(strategies.networks(Flavour.HOSTILE))
    def test_whatever_comes(network): ...

The generators behind them are in `dhcpcore.testing.generate`; `sample` makes values from a seed, without Hypothesis's
machinery, some ten times faster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from hypothesis.strategies import SearchStrategy

from dhcpcore.events import Event
from dhcpcore.model.capabilities import HostCapabilities
from dhcpcore.model.lease import Lease
from dhcpcore.model.network import HostRoute, Network, Segment, Subnet
from dhcpcore.model.port import DnsAssignment, ExtraDhcpOption, FixedIP, Port
from dhcpcore.model.settings import Settings
from dhcpcore.observed import ObservedHost
from dhcpcore.testing.choices import Choices, SeededChoices
from dhcpcore.testing.drawing import drawn
from dhcpcore.testing.generate import addresses, options, texts, wire
from dhcpcore.testing.generate import events as event_generators
from dhcpcore.testing.generate import histories as history_generators
from dhcpcore.testing.generate import leases as lease_generators
from dhcpcore.testing.generate import networks as network_generators
from dhcpcore.testing.generate import operations as operation_generators
from dhcpcore.testing.generate import ports as port_generators
from dhcpcore.testing.generate import settings as settings_generators
from dhcpcore.testing.generate import subnets as subnet_generators
from dhcpcore.testing.generate.flavour import Flavour
from dhcpcore.testing.generate.histories import History, Mutation
from dhcpcore.testing.generate.leases import LeasesFile
from dhcpcore.testing.generate.networks import HOST
from dhcpcore.testing.generate.operations import Operation
from dhcpcore.testing.generate.wire import Malformed
from dhcpcore.testing.wireform import WireDict

T = TypeVar("T")
TYPICAL = Flavour.TYPICAL


def sample(generator: Callable[[Choices], T], seed: int, count: int) -> Iterator[T]:
    """`count` values of a generator (``lambda c: generate.networks.network(c)``), the same ones for the same seed."""
    for number in range(count):
        yield generator(SeededChoices(f"{seed}/{number}"))


# -- texts ------------------------------------------------------------------------------------------------------------


def identifiers(flavour: Flavour = TYPICAL) -> SearchStrategy[str]:
    """Ids that models accept."""
    return drawn(lambda c: texts.identifier(c, flavour))


def mac_addresses(flavour: Flavour = TYPICAL) -> SearchStrategy[str]:
    """MAC addresses."""
    return drawn(lambda c: texts.mac_address(c, flavour))


def host_names(flavour: Flavour = TYPICAL) -> SearchStrategy[str]:
    """Names of machines; hostile ones are what a host line takes for something else."""
    return drawn(lambda c: texts.host_name(c, flavour))


def hostile_texts() -> SearchStrategy[str]:
    """Texts that try to be more than one value."""
    return drawn(texts.hostile_text)


# -- nouns ------------------------------------------------------------------------------------------------------------


def host_routes(flavour: Flavour = TYPICAL) -> SearchStrategy[HostRoute]:
    """Routes that a subnet announces."""

    def make(c: Choices) -> HostRoute:
        return subnet_generators.host_route(c, addresses.address_range(c, 0, c.pick((4, 6)), flavour), flavour)

    return drawn(make)


def subnets(
    flavour: Flavour = TYPICAL, *, network_id: str | None = None, version: int | None = None
) -> SearchStrategy[Subnet]:
    """Subnets, IPv4 and IPv6 in every mode."""
    return drawn(lambda c: subnet_generators.subnet(c, flavour, network_id=network_id, version=version))


def segments(flavour: Flavour = TYPICAL) -> SearchStrategy[Segment]:
    """Segments, flat ones among them."""
    return drawn(lambda c: network_generators.segment(c, flavour))


def extra_dhcp_options(flavour: Flavour = TYPICAL) -> SearchStrategy[ExtraDhcpOption]:
    """Extra DHCP options."""
    return drawn(lambda c: options.extra_dhcp_option(c, flavour))


def fixed_ips(flavour: Flavour = TYPICAL) -> SearchStrategy[FixedIP]:
    """Addresses of ports, each on a subnet of its own."""

    def make(c: Choices) -> FixedIP:
        address = addresses.address_of_version(c, c.pick((4, 6)))
        return FixedIP(subnet_id=texts.identifier(c, flavour), ip_address=address)

    return drawn(make)


def dns_assignments(flavour: Flavour = TYPICAL) -> SearchStrategy[DnsAssignment]:
    """Names of one address."""

    def make(c: Choices) -> DnsAssignment:
        name = texts.host_name(c, flavour)
        fqdn = f"{name}.{texts.domain_name(c, flavour)}."
        return DnsAssignment(ip_address=addresses.address_of_version(c, c.pick((4, 6))), hostname=name, fqdn=fqdn)

    return drawn(make)


def ports(flavour: Flavour = TYPICAL, *, on: Sequence[Subnet] = (), host: str = HOST) -> SearchStrategy[Port]:
    """Ports of every kind by themselves, or ports of machines on given subnets."""

    def make(c: Choices) -> Port:
        if not on:
            return network_generators.port(c, flavour, host=host)
        return port_generators.served_port(c, port_generators.lone_draft(c, flavour, on, on[0].network_id))

    return drawn(make)


def networks(
    flavour: Flavour = TYPICAL,
    *,
    host: str = HOST,
    max_subnets: int = 3,
    max_ports: int = 5,
    segmented: bool | None = None,
) -> SearchStrategy[Network]:
    """Whole networks, consistent in themselves; see `dhcpcore.testing.generate.networks.network`."""
    return drawn(
        lambda c: network_generators.network(
            c, flavour, host=host, max_subnets=max_subnets, max_ports=max_ports, segmented=segmented
        )
    )


def network_lists(
    flavour: Flavour = TYPICAL, *, host: str = HOST, count: int | None = None
) -> SearchStrategy[tuple[Network, ...]]:
    """Several networks with different ids."""
    return drawn(lambda c: network_generators.networks(c, flavour, host=host, count=count))


def reorderings(original: Network) -> SearchStrategy[Network]:
    """The same network, its ports, subnets and segments in another order."""
    return drawn(lambda c: network_generators.reordered(c, original))


def leases(flavour: Flavour = TYPICAL) -> SearchStrategy[Lease]:
    """Leases of both families."""
    return drawn(lambda c: lease_generators.lease(c, flavour))


def leases_files(flavour: Flavour = TYPICAL) -> SearchStrategy[LeasesFile]:
    """Leases files; hostile ones are mostly damaged."""
    return drawn(lambda c: lease_generators.leases_file(c, flavour))


def leases_files_of(network: Network, flavour: Flavour = TYPICAL) -> SearchStrategy[LeasesFile]:
    """Leases files that an instance of `network` may have."""
    return drawn(lambda c: lease_generators.leases_file(c, flavour, lease_generators.leases_of(c, network, flavour)))


def settings(flavour: Flavour = TYPICAL, *, host: str = HOST) -> SearchStrategy[Settings]:
    """Settings with some options changed."""
    return drawn(lambda c: settings_generators.settings(c, flavour, host=host))


def capabilities() -> SearchStrategy[HostCapabilities]:
    """What hosts can do."""
    return drawn(settings_generators.capabilities)


# -- the wire ---------------------------------------------------------------------------------------------------------


def wire_forms(network: Network) -> SearchStrategy[WireDict]:
    """Wire forms that mean `network`: Neutron's own, and sparse ones."""
    return drawn(lambda c: wire.network_wire(c, network))


def wire_networks(flavour: Flavour = TYPICAL, *, host: str = HOST) -> SearchStrategy[WireDict]:
    """Networks in wire form."""
    return drawn(lambda c: wire.network_wire(c, network_generators.network(c, flavour, host=host)))


def malformed_networks(*, host: str = HOST) -> SearchStrategy[Malformed]:
    """Networks in wire form with one wrong value, and where it is."""
    return drawn(lambda c: wire.malformed_network(c, network_generators.network(c, host=host)))


# -- what happens -----------------------------------------------------------------------------------------------------


def mutations(
    flavour: Flavour = TYPICAL,
    *,
    original: Network | None = None,
    host: str = HOST,
    among: Sequence[Operation] = operation_generators.ON_A_NETWORK,
) -> SearchStrategy[Mutation]:
    """One step on one network: answers before and after, and what Neutron tells the agent meanwhile."""
    return drawn(lambda c: history_generators.mutation(c, flavour, original=original, host=host, among=among))


def histories(flavour: Flavour = TYPICAL, *, host: str = HOST, max_steps: int = 8) -> SearchStrategy[History]:
    """Some networks, operations on them, and what the agent is told; full answers before and after."""
    return drawn(lambda c: history_generators.history(c, flavour, host=host, max_steps=max_steps))


def observed_hosts(flavour: Flavour = TYPICAL, *, network_ids: Sequence[str] = ()) -> SearchStrategy[ObservedHost]:
    """Hosts as they may be found; hostile ones full of garbage."""
    return drawn(lambda c: event_generators.observed_host(c, flavour, network_ids))


def events(
    flavour: Flavour = TYPICAL, *, known: Sequence[Network] | None = None, at: float = 0.0
) -> SearchStrategy[Event]:
    """Events of every kind, mostly about `known` networks."""
    return drawn(lambda c: event_generators.event(c, flavour, known=known, at=at))


def event_series(
    flavour: Flavour = TYPICAL, *, host: str = HOST, max_events: int = 12
) -> SearchStrategy[tuple[Event, ...]]:
    """Events of every kind about a few networks, at growing times."""
    return drawn(lambda c: event_generators.event_series(c, flavour, host=host, max_events=max_events))


def notified_events(
    flavour: Flavour = TYPICAL, *, host: str = HOST, max_steps: int = 8
) -> SearchStrategy[tuple[Event, ...]]:
    """What a server tells one agent over a history, parsed into events."""
    return drawn(lambda c: event_generators.notified(c, flavour, host=host, max_steps=max_steps))
