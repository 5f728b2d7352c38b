"""An ACTIVE port that is served otherwise is reported, though the agent that did it, or was to do it, was killed."""

from __future__ import annotations

import pytest
from attrs import evolve

from dhcpcore import actions, events
from dhcpcore.model.port import FixedIP, Port
from dhcpcore.observed import UNREPORTED_MARK, ObservedHost, ObservedInstance
from dhcpcore.recipes import Call, follow, recipe
from support.as_served import observed
from support.script import Script, dhcp_port, network, port, serving, subnet

MOVED = port(5, fixed_ips=(FixedIP(subnet_id="net-s0", ip_address="10.0.9.9"),), revision_number=2)


def _reported(script: Script) -> set[str]:
    return {port_id for a in script.history if isinstance(a, actions.NotifyReady) for port_id in a.port_ids}


def _mark(script: Script) -> tuple[str, ...]:
    (served,) = script.record().served.values()
    return served.unreported


def _restarted(before: Script, *, mark: tuple[str, ...], hears_first: bool = False) -> Script:
    """Another life, over the host and the server as they are, and over what lies there as a mark."""
    script = Script()
    script.server = dict(before.server)
    seen = observed(before)
    script.observed = evolve(seen, instances=tuple(evolve(each, unreported=mark) for each in seen.instances))
    first = script.start()
    order = sorted(first, key=lambda action: isinstance(action, actions.ObserveHost) == hears_first)
    script.succeed(*order)
    script.now = 5.0
    script.settle()
    return script


def _told(script: Script) -> actions.ReloadInstance:
    """The port gets another address, and the agent is told."""
    script.change(ports=(MOVED, port(6), script.own_port()))
    script.tell(events.PortUpdated(port=MOVED))
    (reload,) = script.start()
    assert isinstance(reload, actions.ReloadInstance)
    return reload


def test_what_serves_an_active_port_otherwise_leaves_its_id_before_anything_is_written() -> None:
    script = serving(network(ports=(port(5), port(6))))
    reload = _told(script)
    calls: list[Call] = []
    follow(recipe(reload, script.settings), calls.append)
    written = [str(call.arguments[0]).rpartition("/")[2] for call in calls if call.method == "write"]
    assert written == [UNREPORTED_MARK, ".dirty", *reload.changed_files]
    (mark,) = [call for call in calls if str(call.arguments[0]).endswith(UNREPORTED_MARK)]
    assert mark.arguments[1] == "net-p5\n"


@pytest.mark.parametrize("sighup", [False, True])
def test_the_id_lies_there_before_the_device_has_the_address(sighup: bool) -> None:
    """Of our own port: killed after that, the device is as it should be, and tells nothing."""
    script = serving(network(ports=(port(5), port(6))))
    reload = evolve(_told(script), device=True, sighup=sighup)
    calls: list[str] = []

    def made(call: Call) -> object:
        calls.append(f"{call.method} {str(call.arguments[0]).rpartition('/')[2]}".partition("(")[0])
        return 7 if call.method == "start_dnsmasq" else None

    follow(recipe(reload, script.settings), made)
    devices = [number for number, call in enumerate(calls) if call.startswith("ensure_device")]
    assert calls.index(f"write {UNREPORTED_MARK}") < devices[0]


@pytest.mark.parametrize("hears_first", [False, True])
def test_it_is_reported_by_the_next_life(hears_first: bool) -> None:
    """Loaded, and never reported: for the host and for the server all is as it should be."""
    before = serving(network(ports=(port(5), port(6))))
    before.succeed(_told(before))
    script = _restarted(before, mark=_mark(before), hears_first=hears_first)
    assert _reported(script) == {"net-p5"}
    assert not {"reload", "restart"} & set(script.kinds())


def test_where_no_mark_lies_nothing_is_reported() -> None:
    before = serving(network(ports=(port(5), port(6))))
    before.succeed(_told(before))
    assert _reported(_restarted(before, mark=())) == set()


def test_one_whose_first_try_failed_after_the_files_were_written_is_reported() -> None:
    """Nobody was told of it; the look after the failure finds its files as they should be, and the mark."""
    before = serving(network(ports=(port(5), port(6))))
    before.change(ports=(MOVED, port(6), before.own_port()))
    script = Script()
    script.server = dict(before.server)
    script.observed = observed(before)
    script.succeed(*script.start())
    script.now = 5.0
    plan = script.start()
    while not any(isinstance(action, actions.ReloadInstance) for action in plan):
        script.succeed(*plan.actions)
        plan = script.start()
    for action in plan:
        if isinstance(action, actions.ReloadInstance):
            assert action.unreported == ("net-p5",)
            script.fail(action)
            half_done = [
                evolve(each, host=action.spec.host, dirty=True, unreported=action.unreported)
                for each in script.observed.instances
            ]
            script.observed = evolve(script.observed, instances=tuple(half_done))
        else:
            script.succeed(action)
    script.now = 20.0
    script.settle()
    assert _reported(script) == {"net-p5"}


def test_a_port_that_only_lost_an_address_while_no_agent_ran_is_reported() -> None:
    """The server waits for it as for one that got another."""
    two = (FixedIP(subnet_id="net-s0", ip_address="10.0.0.5"), FixedIP(subnet_id="net-s0", ip_address="10.0.9.9"))
    before = serving(network(ports=(port(5, fixed_ips=two), port(6))))
    before.change(ports=(port(5, fixed_ips=two[:1], revision_number=2), port(6), before.own_port()))
    assert _reported(_restarted(before, mark=())) == {"net-p5"}


def test_our_own_port_that_lost_an_address_while_no_agent_ran_is_reported() -> None:
    """A subnet was deleted: what the device has too much tells it, and what every device has does not."""
    nets = (subnet(number=0), subnet(number=1))
    both = (
        FixedIP(subnet_id="net-s0", ip_address="10.0.255.2"),
        FixedIP(subnet_id="net-s1", ip_address="10.1.255.2"),
    )
    before = Script()
    before.server["net"] = network(subnets=nets, ports=(before.own_port(fixed_ips=both),))
    before.settle()
    assert _reported(_restarted(before, mark=())) == set()
    before.change(subnets=nets[:1], ports=(before.own_port(fixed_ips=both[:1], revision_number=2),))
    assert _reported(_restarted(before, mark=())) == {"net-dhcp"}


def test_a_port_that_changed_while_its_network_was_another_hosts_is_reported() -> None:
    """The network was not wanted for a while, and was still served when it was wanted again."""
    script = serving(network(ports=(port(5), port(6))))
    script.tell(events.NetworkDeleted(network_id="net"))
    plan = script.start()
    script.fail(*plan.actions)
    assert script.record().served
    script.change(ports=(MOVED, port(6), script.own_port()))
    script.tell(events.ResyncRequested(reason="asked"))
    script.now = 300.0
    script.settle()
    assert _reported(script) == {"net-p5"}


def test_what_a_mark_names_that_is_no_port_of_the_network_is_nothing() -> None:
    before = serving(network(ports=(port(5), port(6))))
    assert _reported(_restarted(before, mark=("net-p99", "\udcff", "../.."))) == set()


def test_a_port_that_changed_while_no_agent_ran_is_reported_and_no_other() -> None:
    """It was told of to nobody; what the host serves tells that it is new."""
    before = serving(network(ports=(port(5), port(6))))
    before.change(ports=(MOVED, port(6), before.own_port()))
    script = _restarted(before, mark=())
    assert _reported(script) == {"net-p5"}
    assert "reload" in script.kinds()


def test_an_instance_that_is_enabled_has_its_active_ports_reported_too() -> None:
    """The server may wait for any of them since before this host began to serve; nothing in its answer tells."""
    script = Script(network(ports=(port(5), port(6, status="BUILD"), dhcp_port(Script().settings))))
    script.settle()
    (enable,) = [action for action in script.history if isinstance(action, actions.EnableInstance)]
    assert enable.unreported == ("net-dhcp", "net-p5")
    assert _reported(script) == {"net-dhcp", "net-p5", "net-p6"}
    assert _mark(script) == ()


def test_a_network_that_is_wanted_again_while_it_is_disabled_has_all_its_ports_reported() -> None:
    """Those that are not bound, too: the server tells nobody when it binds one."""
    script = serving(network(ports=(port(5),)))
    script.tell(events.NetworkDeleted(network_id="net"))
    plan = script.start()
    script.change(ports=(port(5), port(7, status="DOWN", binding_host_id="", binding_vif_type="unbound")))
    script.tell(events.ResyncRequested(reason="asked"))
    script.now = 10.0
    script.succeed(*script.start().actions)
    script.succeed(*plan.actions)
    script.settle()
    assert _reported(script) >= {"net-p5", "net-p7"}


def test_one_that_a_killed_agent_had_only_made_a_directory_for_is_enabled() -> None:
    """Nobody was told of its ports, and no file tells which of them it had begun to serve."""
    before = serving(network(ports=(port(5), port(7, status="DOWN", binding_host_id="", binding_vif_type="unbound"))))
    script = Script()
    script.server = dict(before.server)
    (instance,) = observed(before).instances
    bare = ObservedInstance(key=instance.key, directory=instance.directory)
    script.observed = ObservedHost(instances=(bare,), namespaces=("qdhcp-net",))
    script.settle()
    assert "enable" in [action.kind for action in script.history]
    assert _reported(script) == {"net-dhcp", "net-p5", "net-p7"}


@pytest.mark.parametrize("hears_first", [False, True])
def test_over_what_is_served_already_an_unbound_port_is_not_reported(hears_first: bool) -> None:
    """Whichever comes first, the server's answer or the look at the host."""
    before = serving(network(ports=(port(5), port(7, status="DOWN", binding_host_id="", binding_vif_type="unbound"))))
    assert _reported(_restarted(before, mark=(), hears_first=hears_first)) == set()


def test_what_was_enabled_by_a_life_that_ended_before_it_reported_is_reported_by_the_next_and_then_forgotten() -> None:
    before = serving(network(ports=(port(5), port(6))))
    script = _restarted(before, mark=("net-p5", "net-p6"))
    assert _reported(script) == {"net-p5", "net-p6"}
    assert script.kinds()[-1] == "forget_unreported"
    assert _mark(script) == ()


def test_a_mark_is_forgotten_once_all_it_names_were_reported_and_not_before() -> None:
    script = serving(network(ports=(port(5), port(6))))
    script.succeed(_told(script))
    (report,) = script.start()
    assert isinstance(report, actions.NotifyReady)
    script.fail(report)
    assert "forget_unreported" not in [action.kind for action in script.start()]
    script.now = 60.0
    (report,) = [action for action in script.start() if isinstance(action, actions.NotifyReady)]
    script.succeed(report)
    forgotten = [action for action in script.start() if isinstance(action, actions.ForgetUnreported)]
    assert len(forgotten) == 1
    (forget,) = forgotten
    calls: list[Call] = []
    follow(recipe(forget, script.settings), calls.append)
    assert [(call.method, *call.arguments) for call in calls] == [("remove", f"{forget.directory}/{UNREPORTED_MARK}")]
    script.succeed(forget)
    assert _mark(script) == ()
    assert not list(script.start())


def test_a_change_of_another_port_keeps_the_mark_as_long_as_nothing_is_reported_and_drops_it_then() -> None:
    script = serving(network(ports=(port(5), port(6))))
    script.succeed(_told(script))
    (report,) = script.start()
    six = port(6, mac_address="fa:16:3e:99:99:99", revision_number=2, status="BUILD")
    script.tell(events.PortUpdated(port=six))
    (reload,) = script.start()
    assert isinstance(reload, actions.ReloadInstance)
    assert reload.unreported is None
    script.succeed(reload, report)
    assert _mark(script) == ("net-p5",)
    script.tell(events.PortUpdated(port=evolve(six, mac_address="fa:16:3e:99:99:98", revision_number=3)))
    (reload,) = script.start()
    assert isinstance(reload, actions.ReloadInstance)
    assert reload.unreported == ()
    calls: list[Call] = []
    follow(recipe(reload, script.settings), calls.append)
    assert [call.method for call in calls if str(call.arguments[0]).endswith(UNREPORTED_MARK)] == ["remove"]


def test_a_port_that_is_not_active_leaves_no_mark() -> None:
    """Its status tells it: what happens a thousand times a day writes no file more."""
    script = serving(network(ports=(port(5), port(6))))
    new: Port = port(7, status="DOWN")
    script.tell(events.PortCreated(port=new))
    (reload,) = script.start()
    assert isinstance(reload, actions.ReloadInstance)
    assert reload.unreported is None


def test_what_lies_there_is_read_as_it_is() -> None:
    """Whatever is in the file: ids, a line each."""
    script = serving(network())
    texts = {"host": "", UNREPORTED_MARK: "a\n\nb\udcff\n c"}
    name = "0a1b2c3d-4e5f-4000-8000-000000000000"
    directory = f"{script.settings.confs_dir}/{name}"

    def answer(call: Call) -> object:
        if call.method == "list":
            return {script.settings.confs_dir: (name,), directory: tuple(texts)}.get(str(call.arguments[0]), ())
        return texts.get(str(call.arguments[0]).rpartition("/")[2]) if call.method == "read" else ()

    found = follow(recipe(actions.ObserveHost(), script.settings), answer)
    assert isinstance(found, ObservedHost)
    (instance,) = found.instances
    assert instance.unreported == ("a", "b\udcff", "c")
