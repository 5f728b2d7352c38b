from __future__ import annotations

from itertools import permutations

from attrs import evolve

from dhcpcore.model.network import Network, Segment
from dhcpcore.model.spec import InstanceKey
from dhcpcore.render.views import instance_views, segment_view, segment_warnings, serves_dhcp
from support.render_input import network, subnet, told

A = Segment(id="a", network_id="net", segmentation_id=101)
B = Segment(id="b", network_id="net", segmentation_id=None)
TWIN = Segment(id="twin", network_id="net", segmentation_id=101)


def cut(of: Network) -> dict[str | None, list[str]]:
    return {view.key.segmentation: [subnet.id for subnet in view.subnets] for view in instance_views(of)}


def test_without_segments_there_is_one_instance() -> None:
    of = network(subnets=[subnet("x"), subnet("y", "10.1.0.0/24", enable_dhcp=False)])
    assert cut(of) == {None: ["x", "y"]}
    assert instance_views(of)[0].key == InstanceKey(network_id="net")
    assert cut(network(subnets=[])) == {None: []}
    assert cut(network(subnets=[], segments=[A], non_local=[subnet("far", segment_id="a")])) == {None: []}


def test_segments_are_served_apart() -> None:
    """A network with k segments renders as k independent units."""
    subnets = [subnet("x", segment_id="b"), subnet("y", "10.1.0.0/24", segment_id="a"), subnet("z", segment_id="b")]
    far = (subnet("far", "10.9.0.0/24"),)
    views = instance_views(network(subnets=subnets, segments=[A, B], non_local=far))
    assert [(view.key.directory, [s.id for s in view.subnets]) for view in views] == [
        ("101/net", ["y"]),
        ("None/net", ["x", "z"]),
    ]
    assert all(view.network.non_local_subnets == far for view in views)
    assert [s.id for s in views[0].all_subnets] == ["y", "far"]


def test_subnets_of_no_known_segment_are_served_together() -> None:
    subnets = [subnet("x", segment_id="gone"), subnet("y"), subnet("z", segment_id="a")]
    assert cut(network(subnets=subnets, segments=[A])) == {None: ["x", "y"], "101": ["z"]}


def test_of_segments_with_one_segmentation_id_one_is_served_whatever_the_order() -> None:
    """A permutation of the server's answer changes nothing."""
    subnets = [subnet("x", segment_id="twin"), subnet("y", segment_id="a")]
    for segments in permutations([A, TWIN]):
        for ordered in permutations(subnets):
            of = network(subnets=ordered, segments=segments)
            assert cut(of) == {"101": ["y"]}
            assert told(segment_warnings(instance_views(of)[0])) == [("segment-duplicate", "network net")]
    alone = network(subnets=[subnet("y", segment_id="a")], segments=[A, TWIN])
    assert segment_warnings(instance_views(alone)[0]) == ()


def test_views_are_in_the_order_of_their_keys() -> None:
    segments = [evolve(A, id=f"s{number}", segmentation_id=number) for number in (3, 1, 2)]
    subnets = [subnet(f"x{number}", segment_id=f"s{number}") for number in (2, 3, 1)]
    assert list(cut(network(subnets=subnets, segments=segments))) == ["1", "2", "3"]


def test_the_instance_of_a_segment_that_the_caller_names() -> None:
    of = network(subnets=[subnet("x", segment_id="a"), subnet("y")], segments=[A])
    assert [s.id for s in segment_view(of, A).subnets] == ["x"]
    assert [s.id for s in segment_view(of, B).subnets] == ["x", "y"]
    assert segment_view(of, B).key.segmentation == "None"
    assert segment_view(of, None).key.segmentation is None


def test_an_instance_without_a_dhcp_subnet_serves_nothing() -> None:
    assert serves_dhcp(instance_views(network(subnets=[subnet(enable_dhcp=False), subnet("y")]))[0])
    assert not serves_dhcp(instance_views(network(subnets=[subnet(enable_dhcp=False)], non_local=[subnet("far")]))[0])
