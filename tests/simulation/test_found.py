"""What the simulation found in fold and plan, each as one small case."""

from __future__ import annotations

from dhcpcore import actions, events
from dhcpcore.model.port import FixedIP
from support.as_served import observed
from support.script import Script, network, port, serving


def test_whether_a_network_is_ours_is_told_by_the_full_answer_asked_in_one_breath() -> None:
    """A late network_create_end of a network that went elsewhere: anybody may ask for it, and it is not listed."""
    script = serving(network("a"))
    elsewhere = network("b")
    script.tell(events.NetworkCreated(network_id="b"), events.ServerConnected())
    script.now += 60.0
    plan = script.start()
    (full,) = [action for action in plan if isinstance(action, actions.FetchNetworks)]
    (single,) = [action for action in plan if isinstance(action, actions.FetchNetwork)]
    script.succeed(full)
    script.server["b"] = elsewhere
    script.succeed(single)
    script.settle()
    assert "b" not in script.state.networks
    assert "create_dhcp_port" not in script.kinds()


def test_a_port_on_a_subnet_that_is_not_known_is_asked_for_and_not_reported() -> None:
    """The news of the subnet was lost: nothing is loaded for the port, so it is not ready."""
    script = serving()
    new = port(7, fixed_ips=(FixedIP(subnet_id="net-s9", ip_address="10.9.0.7"),), status="DOWN")
    script.tell(events.PortCreated(port=new))
    plan = script.start()
    assert [action.kind for action in plan] == ["fetch_network"]
    script.succeed(*plan)
    assert not script.state.ready.queue
    script.settle()
    assert "notify_ready" not in script.kinds()


def test_a_claimed_port_that_a_later_answer_lacks_is_asked_for() -> None:
    """The server was restored while the claim's answer was on its way: the port that it tells of is no more."""
    script = serving(network("a"))
    script.server["b"] = network("b")
    script.tell(events.NetworkCreated(network_id="b"))
    script.succeed(*script.start())
    (claim,) = script.start().actions
    assert isinstance(claim, actions.CreateDhcpPort)
    answer = script.result(claim)
    script.server["b"] = network("b")  # as it was before
    script.now += 60.0
    script.tell(events.ServerConnected())
    script.succeed(*(action for action in script.start() if isinstance(action, actions.FetchNetworks)))
    script.tell(events.ActionSucceeded(action=claim, result=answer))
    assert any(isinstance(action, actions.FetchNetwork) for action in script.start())
    # Where no answer came in between, the claim is believed.
    believed = serving(network("a"))
    believed.server["b"] = network("b")
    believed.tell(events.NetworkCreated(network_id="b"))
    believed.settle()
    assert believed.kinds().count("fetch_network") == 1


def test_a_claimed_port_that_was_deleted_meanwhile_is_not_served_on() -> None:
    """port_delete_end overtakes the answer to the claim."""
    script = serving(network("a"))
    script.server["b"] = network("b")
    script.tell(events.NetworkCreated(network_id="b"))
    script.succeed(*script.start())
    (claim,) = script.start().actions
    answer = script.result(claim)
    own = script.own_port("b")
    script.tell(events.PortDeleted(port_id=own.id, network_id="b"))
    script.tell(events.ActionSucceeded(action=claim, result=answer))
    kinds = [action.kind for action in script.start()]
    assert "fetch_network" in kinds
    assert "enable" not in kinds


def test_what_came_after_the_question_makes_an_empty_answer_no_safer() -> None:
    """The brake counts what the answer could have listed, not what has become ours since it was asked for."""
    networks = [network(f"n{number}") for number in range(12)]
    script = serving(*networks)
    script.now += 60.0
    script.tell(events.ServerConnected())
    (full,) = [action for action in script.start() if isinstance(action, actions.FetchNetworks)]
    for number in range(9):
        script.tell(events.NetworkCreated(network_id=f"n{number}"))
    script.tell(events.ActionSucceeded(action=full, result=events.FetchedNetworks()))
    assert script.state.brake is not None
    assert script.state.brake.network_ids == {"n9", "n10", "n11"}
    assert script.state.brake.served == 12


def test_an_empty_answer_before_the_host_was_seen_disables_nothing() -> None:
    """An agent that was restarted knows its networks from a first answer; the second is empty, and only then the host
    is seen: what runs there is not to be disabled because nobody knew that it runs."""
    before = serving(*(network(f"n{number}") for number in range(12)))
    script = Script()
    script.server = dict(before.server)
    script.observed = observed(before)
    first = script.start()
    script.succeed(*(action for action in first if not isinstance(action, actions.ObserveHost)))
    script.server.clear()
    script.now += 60.0
    script.tell(events.ServerConnected())
    script.succeed(*(action for action in script.start() if isinstance(action, actions.FetchNetworks)))
    script.succeed(*(action for action in first if isinstance(action, actions.ObserveHost)))
    script.now += 5.0
    script.settle()
    assert script.state.brake is not None
    assert len(script.state.brake.network_ids) == 12
    assert not {"disable", "release_dhcp_port"} & set(script.kinds())


def test_a_fetch_that_fails_after_its_network_went_is_not_repeated() -> None:
    """Created, asked for, and taken away again before the answer was lost: to ask again would make it ours."""
    script = serving(network("a"))
    script.server["b"] = network("b")
    script.tell(events.NetworkCreated(network_id="b"))
    (fetch,) = script.start().actions
    script.tell(events.NetworkDeleted(network_id="b"))
    script.fail(fetch)
    script.now += 60.0
    script.settle()
    assert "b" not in script.state.networks
    assert script.kinds().count("fetch_network") == 1


def test_a_claim_that_waited_for_a_fetch_goes_on_when_that_fails() -> None:
    """A full answer told all there was to know meanwhile; nothing else would look at the network again."""
    script = serving(network("a"))
    script.server["b"] = network("b")
    script.tell(events.NetworkCreated(network_id="b"), events.ServerConnected())
    script.now += 60.0
    plan = script.start()
    (fetch,) = [action for action in plan if isinstance(action, actions.FetchNetwork)]
    script.succeed(*(action for action in plan if action is not fetch))
    assert "create_dhcp_port" not in [action.kind for action in script.start()]
    script.fail(fetch)
    assert "create_dhcp_port" in [action.kind for action in script.start()]


def test_what_was_told_before_a_connection_does_not_win_over_what_is_asked_on_it() -> None:
    """The server was restored; a deletion that is no more comes late, while the question waits for the connection."""
    script = serving(network("a", ports=(port(1, "a"), port(2, "a"))))
    script.now += 60.0
    script.tell(events.ServerConnected())
    (full,) = [action for action in script.start() if isinstance(action, actions.FetchNetworks)]
    script.tell(events.PortDeleted(port_id="a-p1", network_id="a"), events.ServerConnected())
    script.succeed(full)
    script.now += 60.0
    script.settle()
    desired = script.record("a").desired
    assert desired is not None
    assert "a-p1" in {each.id for each in desired.ports}


def test_a_first_fetch_that_a_notice_overtook_is_made_again_on_the_first_connection() -> None:
    """A backup was restored meanwhile: the network of which the notice told is another agent's again."""
    script = Script()
    script.server["a"] = network("a")
    script.succeed(*(action for action in script.start() if not isinstance(action, actions.FetchNetworks)))
    script.tell(events.NetworkCreated(network_id="b"))
    script.tell(events.ServerConnected())
    assert script.state.sync.need is not None
    assert "connected to the server" in script.state.sync.need.reasons
