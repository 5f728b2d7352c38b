"""How a network is cut into dnsmasq instances.

One instance serves one network, or one segment of a routed network.  Knows how Neutron's agent groups subnets by
segment (neutron/agent/dhcp/agent.py, call_driver) and nothing of what is rendered from the result.
"""

from __future__ import annotations

from dhcpcore.model.network import Network, Segment, Subnet
from dhcpcore.model.spec import InstanceKey, InstanceView, Warning


def instance_views(network: Network) -> tuple[InstanceView, ...]:
    """The instances of a network, sorted by key; those without a DHCP subnet are among them (see `serves_dhcp`).

    Without segments, or without a local subnet, there is one instance.  With segments there is one for each segment
    that has a local subnet, and one without segment for local subnets of no known segment.

    Two segments may have one segmentation id (equal VLANs on two physical networks).  Their instances would share
    directory and device id, so only the one whose segment has the smaller id is kept: the choice may not depend on the
    order of the server's answer.  `segment_warnings` says so.
    """
    if not network.segments or not network.subnets:
        return (_view(network, network.subnets, None),)
    segments = {segment.id: segment for segment in network.segments}
    groups: dict[str | None, list[Subnet]] = {}
    for subnet in network.subnets:
        groups.setdefault(subnet.segment_id if subnet.segment_id in segments else None, []).append(subnet)
    views: dict[InstanceKey, InstanceView] = {}
    for segment_id in sorted(groups, key=lambda key: key or ""):
        segment = None if segment_id is None else segments[segment_id]
        view = _view(network, tuple(groups[segment_id]), segment)
        views.setdefault(view.key, view)
    return tuple(views[key] for key in sorted(views))


def segment_view(network: Network, segment: Segment | None) -> InstanceView:
    """The instance of one segment that the caller names, with the segment's local subnets, or all where it has none."""
    own = tuple(subnet for subnet in network.subnets if segment is not None and subnet.segment_id == segment.id)
    return _view(network, own or network.subnets, segment)


def segment_warnings(view: InstanceView) -> tuple[Warning, ...]:
    """One warning for each segment that is not served because this instance has its segmentation id."""
    if view.segment is None:
        return ()
    served = {subnet.segment_id for subnet in view.network.subnets}
    return tuple(
        Warning(
            code="segment-duplicate",
            subject=f"network {view.network.id}",
            message=f"segment {other.id} is not served: segment {view.segment.id} has the same segmentation id",
        )
        for other in sorted(view.network.segments, key=lambda segment: segment.id)
        if other.id != view.segment.id and other.id in served
        if str(other.segmentation_id) == view.key.segmentation
    )


def serves_dhcp(view: InstanceView) -> bool:
    """Whether the instance has a subnet to serve, hence should run."""
    return any(subnet.enable_dhcp for subnet in view.subnets)


def _view(network: Network, subnets: tuple[Subnet, ...], segment: Segment | None) -> InstanceView:
    # A flat segment's directory is literally "None" in Neutron: str() of its missing segmentation id.
    segmentation = None if segment is None else str(segment.segmentation_id)
    return InstanceView(
        key=InstanceKey(network_id=network.id, segmentation=segmentation),
        network=network,
        subnets=subnets,
        segment=segment,
    )
