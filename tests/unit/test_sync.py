"""What a full or partial sync changes, case by case, and what it leaves alone."""

from __future__ import annotations

from itertools import pairwise

import pytest
from attrs import evolve

from dhcpcore import actions, events
from dhcpcore.model.port import FixedIP
from dhcpcore.model.spec import InstanceKey
from support.script import Script, network, port, serving, subnet


class TestFullSync:
    def test_an_unchanged_answer_changes_nothing(self) -> None:
        script = serving(network(ports=(port(5),)))
        before = script.state
        script.tell(events.ResyncRequested(reason="asked"))
        script.now = 10.0
        assert [a.kind for plan in script.settle() for a in plan] == ["fetch_networks"]
        assert script.state.networks == before.networks

    def test_networks_that_the_server_no_longer_lists_are_disabled(self) -> None:
        script = serving(network("net"), network("other"))
        del script.server["other"]
        script.tell(events.ResyncRequested(reason="asked"))
        script.now = 10.0
        plans = script.settle()
        disabled = [a.network_id for plan in plans for a in plan if isinstance(a, actions.DisableInstance)]
        assert disabled == ["other"]
        assert "other" not in script.state.networks

    def test_a_permutation_of_ports_and_subnets_needs_nothing(self) -> None:
        """Launchpad 1848738: tags were positional."""
        net = network(ports=(port(5), port(6)), subnets=(subnet(number=0), subnet(number=1, enable_dhcp=False)))
        script = serving(net)
        served = script.server["net"]
        script.change(ports=served.ports[::-1], subnets=served.subnets[::-1])
        script.tell(events.ResyncRequested(reason="asked"))
        script.now = 10.0
        assert [a.kind for plan in script.settle() for a in plan] == ["fetch_networks"]

    def test_a_failed_full_sync_is_asked_again_and_nothing_else(self) -> None:
        script = serving()
        script.tell(events.ResyncRequested(reason="asked"))
        script.now = 10.0
        (fetch,) = script.start().actions
        script.fail(fetch)
        assert not script.plan()
        assert script.plan().due == pytest.approx(11.0)
        script.now = 11.0
        assert [a.kind for a in script.plan()] == ["fetch_networks"]

    def test_one_unreadable_network_loses_none(self) -> None:
        script = serving(network("a"), network("b"))
        script.tell(events.ResyncRequested(reason="asked"))
        script.now = 10.0
        script.answers[actions.FetchNetworks] = lambda _: events.FetchedNetworks(
            networks=(script.server["a"],), failed=(events.FailedNetwork(network_id="b", message="no MAC"),)
        )
        script.settle()
        assert set(script.record("b").served) == {InstanceKey(network_id="b")}
        assert not any(isinstance(a, actions.DisableInstance) for a in script.history)
        script.now = 20.0
        assert [(a.kind, a.network_id) for a in script.plan()] == [("fetch_network", "b")]

    def test_a_network_whose_id_cannot_be_read_makes_none_missing(self) -> None:
        script = serving(network("a"), network("b"))
        script.tell(events.ResyncRequested(reason="asked"))
        script.now = 10.0
        script.answers[actions.FetchNetworks] = lambda _: events.FetchedNetworks(
            failed=(events.FailedNetwork(network_id=None, message="no id"),)
        )
        script.settle()
        assert len(script.state.networks) == 2

    def test_resyncs_are_throttled(self) -> None:
        script = serving(resync_throttle=3)
        script.now = 10.0
        script.tell(events.ResyncRequested(reason="asked"))
        script.settle()
        script.now = 11.0
        script.tell(events.ResyncRequested(reason="asked"))
        assert not script.plan()
        assert script.plan().due == pytest.approx(13.0)

    def test_events_after_the_question_win_over_the_answer(self) -> None:
        """Launchpad 1732456: a port deleted between query and cache put came back."""
        script = serving(network(ports=(port(5), port(6))))
        script.tell(events.ResyncRequested(reason="asked"))
        script.now = 10.0
        (fetch,) = script.start().actions
        script.tell(events.PortDeleted(port_id="net-p5", network_id="net"))
        moved = port(6, fixed_ips=(FixedIP(subnet_id="net-s0", ip_address="10.0.9.9"),), revision_number=2)
        script.tell(events.PortUpdated(port=moved), events.PortCreated(port=port(7)))
        script.succeed(fetch)
        desired = script.record().desired
        assert desired is not None
        assert {p.id for p in desired.ports} == {"net-p6", "net-p7", "net-dhcp"}
        assert moved in desired.ports

    def test_an_older_revision_in_the_answer_wins_where_no_event_came_since(self) -> None:
        """A restored backup has old revisions."""
        newer = port(5, revision_number=9, fixed_ips=(FixedIP(subnet_id="net-s0", ip_address="10.0.9.9"),))
        script = serving(network(ports=(newer,)))
        script.change(ports=(port(5, revision_number=2), script.own_port()))
        script.tell(events.ResyncRequested(reason="asked"))
        script.now = 10.0
        script.settle()
        desired = script.record().desired
        assert desired is not None
        assert port(5, revision_number=2) in desired.ports

    def test_a_network_deleted_after_the_question_stays_deleted(self) -> None:
        script = serving()
        script.tell(events.ResyncRequested(reason="asked"))
        script.now = 10.0
        (fetch,) = script.start().actions
        script.tell(events.NetworkDeleted(network_id="net"))
        script.succeed(fetch)
        done = [a.kind for plan in script.settle() for a in plan]
        assert done == ["disable", "release_dhcp_port", "remove_namespace"]
        assert not script.state.networks

    def test_a_network_deleted_while_unknown_and_being_listed_is_not_served(self) -> None:
        script = Script(network())
        plan = script.start()
        script.tell(events.NetworkDeleted(network_id="net"))
        script.succeed(*plan.actions)
        assert script.settle() == []
        assert not script.state.networks

    def test_a_port_of_an_unknown_network_that_is_being_listed_is_not_lost(self) -> None:
        """Launchpad 1659919: network unknown, event lost."""
        script = Script(network(ports=(port(5),)))
        plan = script.start()
        script.tell(events.PortCreated(port=port(6)))
        script.succeed(*plan.actions)
        script.change(ports=(port(5), port(6)))
        script.settle()
        desired = script.record().desired
        assert desired is not None
        assert "net-p6" in {p.id for p in desired.ports}

    @pytest.mark.parametrize("full_first", [True, False])
    def test_whose_a_network_is_only_the_full_answer_says(self, full_first: bool) -> None:
        """The server tells of any network that it knows; where the two disagree, it is asked for everything again."""
        script = serving(network("a"))
        listed = tuple(script.server.values())
        script.answers[actions.FetchNetworks] = lambda action: events.FetchedNetworks(networks=listed)
        script.server["b"] = network("b")
        script.tell(events.NetworkCreated(network_id="b"))
        (first,) = script.start()
        script.now += 10.0
        script.tell(events.ResyncRequested(reason="reconnected"))
        (everything,) = script.start()
        script.tell(events.PortCreated(port=port(1, "b")))
        script.succeed(first)
        (second,) = (action for action in script.start() if isinstance(action, actions.FetchNetwork))
        assert second.sent_seq > everything.sent_seq  # type: ignore[attr-defined]
        # Another agent's by now, and what told of that was lost.
        script.succeed(*((everything, second) if full_first else (second, everything)))
        script.now += 10.0
        script.kinds()
        script.settle()
        assert script.kinds().count("fetch_networks") == 1
        assert "b" not in script.state.networks
        listed = (*listed, script.server["b"])
        script.now += 10.0
        script.tell(events.ResyncRequested(reason="reconnected"))
        script.settle()
        assert script.record("b").served

    def test_a_network_that_was_deleted_while_it_was_asked_for_is_no_riddle(self) -> None:
        """The answer is older than what was told; nothing has to be asked again."""
        script = serving(network("a"))
        script.server["b"] = network("b")
        script.tell(events.NetworkCreated(network_id="b"))
        (fetch,) = script.start()
        script.tell(events.NetworkDeleted(network_id="b"))
        script.succeed(fetch)
        script.now += 10.0
        assert script.settle() == []
        assert "b" not in script.state.networks


class TestPartialSync:
    def test_it_fetches_and_touches_the_named_network_only(self) -> None:
        """L10, and Launchpad 1495592: a resync of one network fetched all."""
        script = serving(network("a"), network("b"))
        for network_id in ("a", "b"):
            script.change(network_id, mtu=1400)
        script.tell(events.ResyncRequested(network_id="a", reason="asked"))
        plans = script.settle()
        assert [(a.kind, a.network_id) for plan in plans for a in plan] == [("fetch_network", "a"), ("restart", "a")]

    def test_its_failure_asks_again_for_exactly_that(self) -> None:
        script = serving(network("a"), network("b"))
        script.tell(events.ResyncRequested(network_id="a", reason="asked"))
        (fetch,) = script.start().actions
        script.fail(fetch)
        assert not script.plan()
        script.now = 1.0
        assert [(a.kind, a.network_id) for a in script.plan()] == [("fetch_network", "a")]

    def test_retries_back_off(self) -> None:
        script = serving()
        script.tell(events.ResyncRequested(network_id="net", reason="asked"))
        times = []
        for _ in range(9):
            (fetch,) = script.start().actions
            times.append(script.now)
            script.fail(fetch)
            due = script.plan().due
            assert due is not None
            script.now = min(due, script.record().need_retry.not_before)  # type: ignore[union-attr]
            script.tell(events.ActionSucceeded(action=actions.ReportState(agent_state={}), result="alive"))
            script.state = evolve(script.state, heartbeat=evolve(script.state.heartbeat, due=1e9))
            script.now = script.record().need_retry.not_before  # type: ignore[union-attr]
        gaps = [round(b - a, 3) for a, b in pairwise(times)]
        assert gaps == [1, 2, 4, 8, 16, 32, 60, 60]

    def test_the_server_knows_none(self) -> None:
        script = serving()
        script.server.clear()
        script.tell(events.ResyncRequested(network_id="net", reason="asked"))
        done = [a.kind for plan in script.settle() for a in plan]
        assert done == ["fetch_network", "disable", "release_dhcp_port", "remove_namespace"]
