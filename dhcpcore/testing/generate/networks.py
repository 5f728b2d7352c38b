"""Whole networks: subnets that do not overlap, segments, and ports that fit them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

from attrs import evolve

from dhcpcore.model.network import Network, Segment, Subnet
from dhcpcore.model.port import Port
from dhcpcore.testing.choices import Choices
from dhcpcore.testing.generate.flavour import Flavour
from dhcpcore.testing.generate.ports import (
    Draft,
    dhcp_port,
    lone_draft,
    ovn_metadata_port,
    reserved_dhcp_port,
    router_port,
    served_port,
)
from dhcpcore.testing.generate.subnets import subnet
from dhcpcore.testing.generate.texts import (
    domain_name,
    free_text,
    identifier,
    project_id,
    unique_identifier,
)

#: The host whose agent the generated networks are described to.
HOST: Final = "host-1"
_MTUS: Final = (1500, 1450, 1400, 9000, 1280, 0)

T = TypeVar("T")


def segment(
    c: Choices,
    flavour: Flavour = Flavour.TYPICAL,
    *,
    network_id: str | None = None,
    segment_id: str | None = None,
    taken: Sequence[object] = (),
) -> Segment:
    """One segment; `taken` are the segmentation ids of the same network that it must not have.

    Two segments of a network with one segmentation id (on different physical networks) would share a directory, in the
    stock agent as here; only hostile networks have them.
    """
    flat = c.chance(15) and (None not in taken or flavour is Flavour.HOSTILE)
    segmentation: int | str | None = None
    if not flat:
        segmentation = c.integer(1, 4094)
        if flavour is Flavour.HOSTILE and c.chance(20):
            hostile: tuple[int | str, ...] = (0, 16777215, 2**63 - 1, "None", "7", "external", "pids")
            segmentation = c.pick(hostile)
        while segmentation in taken and flavour is not Flavour.HOSTILE:
            segmentation = 1 + int(segmentation) % 4094
    return Segment(
        id=segment_id or identifier(c, flavour),
        network_id=network_id or identifier(c, flavour),
        segmentation_id=segmentation,
        network_type="flat" if segmentation is None else "vlan",
        physical_network=c.pick(("physnet1", "physnet2", "rack-7")),
        name=free_text(c, flavour) or None,
    )


def _segments(c: Choices, flavour: Flavour, network_id: str, ids: set[str]) -> list[Segment]:
    made: list[Segment] = []
    for _ in range(c.integer(1, 3)):
        segment_id = unique_identifier(c, flavour, ids)
        ids.add(segment_id)
        taken = [other.segmentation_id for other in made]
        made.append(segment(c, flavour, network_id=network_id, segment_id=segment_id, taken=taken))
    return made


def _subnets(
    c: Choices, flavour: Flavour, network_id: str, count: int, segments: Sequence[Segment], ids: set[str]
) -> list[Subnet]:
    made = []
    for index in range(count):
        subnet_id = unique_identifier(c, flavour, ids)
        ids.add(subnet_id)
        segment_id = segments[index % len(segments)].id if segments else None
        made.append(subnet(c, flavour, network_id=network_id, subnet_id=subnet_id, index=index, segment_id=segment_id))
    # Neutron sends them sorted by id (get_network_info).
    return sorted(made, key=lambda item: item.id)


def _agent_ports(c: Choices, draft: Draft, local: Sequence[Segment]) -> list[Port]:
    ports = []
    if not c.chance(40):
        if local:
            ports += [dhcp_port(c, draft, draft.host, one) for one in local]
        else:
            ports.append(dhcp_port(c, draft, draft.host))
    if c.chance(20):
        ports.append(dhcp_port(c, draft, "host-2.example.org"))
    if c.chance(8):
        ports.append(reserved_dhcp_port(c, draft))
    if draft.flavour is not Flavour.TYPICAL and c.chance(4):
        ports.append(dhcp_port(c, draft, draft.host))  # two of ours
    if c.chance(8):
        ports.append(ovn_metadata_port(c, draft))
    return ports


def network(
    c: Choices,
    flavour: Flavour = Flavour.TYPICAL,
    *,
    network_id: str | None = None,
    host: str = HOST,
    max_subnets: int = 3,
    max_ports: int = 5,
    segmented: bool | None = None,
    ids: set[str] | None = None,
) -> Network:
    """One network as Neutron describes it to the agent on `host`.

    Fixed IPs lie in the network's own subnets, MAC addresses and addresses are unique: always when typical, mostly
    otherwise.

    Args:
        max_subnets: 1 to 16; max_ports: beside those of agents and routers.
        segmented: whether it is a routed network; default: seldom.
        ids: ids that other objects of the same server have; those made here are added.
    """
    ids = set() if ids is None else ids
    own_id = network_id or unique_identifier(c, flavour, ids)
    ids.add(own_id)
    if segmented is None:
        segmented = c.chance(15)
    segments = _segments(c, flavour, own_id, ids) if segmented else []
    count = c.integer(0 if c.chance(10) else 1, max_subnets)
    subnets = _subnets(c, flavour, own_id, max(count, len(segments)), segments, ids)
    # A host mapped to no segment would not have been given the network.
    local = c.some(segments, 1) if segments and c.chance(60) else segments
    reachable = {one.id for one in local}
    draft = Draft(
        network_id=own_id,
        flavour=flavour,
        host=host,
        subnets=[s for s in subnets if not segments or s.segment_id in reachable],
        segments=segments,
        dns=domain_name(c, flavour) if c.chance(50) else None,
        ids=ids,
    )
    ports = _agent_ports(c, draft, local)
    draft.subnets = subnets
    ports += [router_port(c, draft, one) for one in subnets if c.chance(45)]
    ports += [served_port(c, draft) for _ in range(c.integer(0, max_ports))]
    if c.chance(50):
        ports = c.shuffled(ports)
    return Network(
        id=own_id,
        project_id=project_id(c),
        admin_state_up=not c.chance(4),
        mtu=c.pick(_MTUS) if not c.chance(8) else None,
        subnets=tuple(s for s in subnets if not segments or s.segment_id in reachable),
        non_local_subnets=tuple(s for s in subnets if segments and s.segment_id not in reachable),
        segments=tuple(segments),
        ports=tuple(ports),
    )


def port(c: Choices, flavour: Flavour = Flavour.TYPICAL, *, host: str = HOST) -> Port:
    """A port by itself, of any kind."""
    network_id = identifier(c, flavour)
    own = subnet(c, flavour, network_id=network_id)
    draft = lone_draft(c, flavour, (own,), network_id)
    kind = c.integer(0, 11)
    if kind == 8:
        return dhcp_port(c, draft, host)
    if kind == 9:
        return reserved_dhcp_port(c, draft)
    if kind == 10:
        return ovn_metadata_port(c, draft)
    return router_port(c, draft, own) if kind == 11 else served_port(c, draft)


def networks(
    c: Choices,
    flavour: Flavour = Flavour.TYPICAL,
    *,
    host: str = HOST,
    count: int | None = None,
    max_subnets: int = 2,
    max_ports: int = 3,
) -> tuple[Network, ...]:
    """Several networks with different ids, as a full answer lists them; default: none to four."""
    ids: set[str] = set()
    return tuple(
        network(c, flavour, host=host, max_subnets=max_subnets, max_ports=max_ports, ids=ids)
        for _ in range(c.integer(0, 4) if count is None else count)
    )


def reordered(c: Choices, original: Network) -> Network:
    """The same network as another answer could list it: ports, subnets and segments in another order.

    Lists whose order means something (a port's addresses and options, a subnet's routes and servers) stay.
    """
    return evolve(
        original,
        ports=tuple(c.shuffled(original.ports)),
        subnets=tuple(c.shuffled(original.subnets)),
        non_local_subnets=tuple(c.shuffled(original.non_local_subnets)),
        segments=tuple(c.shuffled(original.segments)),
    )
