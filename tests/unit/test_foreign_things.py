"""What is on a host beside what a DHCP agent makes, or cannot be looked at: it is left alone, and disturbs nobody."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from dhcpcore import Settings, actions, events
from dhcpcore.actions import FetchNetwork, ObserveHost
from dhcpcore.errors import AdapterError
from dhcpcore.model.spec import InstanceKey
from dhcpcore.observed import ObservedDevice, ObservedHost, ObservedProcess, ObservedProxy, Unreadable
from dhcpcore.recipes import Call, follow, recipe
from dhcpcore.status import describe_state
from dhcpcore.testing.wireform import network_form
from support.as_served import observed
from support.script import Script, network, port, serving

ROUTER = "11111111-2222-4333-8444-555555555555"
NET, A, B = (f"{letter * 8}-0000-4000-8000-000000000000" for letter in "cab")
DIRECTORY = "/var/lib/neutron/ns-metadata-proxy"
#: As neutron.agent.metadata.driver has it written for a router.
OF_A_ROUTER = "listen listener\n    bind 0.0.0.0:9697\n    http-request set-header X-Neutron-Router-ID {ROUTER}\n"
OF_A_NETWORK = "listen listener\n    bind 169.254.169.254:80\n    http-request set-header X-Neutron-Network-ID net\n"


def look(files: dict[str, str | AdapterError], *processes: ObservedProcess) -> ObservedHost:
    """What an agent sees on a host with these files and processes."""

    def make(call: Call) -> object:
        match call.method, call.arguments:
            case "observe_processes", _:
                return processes
            case "list", (str(directory),):
                if isinstance(refusal := files.get(directory), AdapterError):
                    raise refusal
                return sorted({p[len(directory) + 1 :].split("/")[0] for p in files if p.startswith(f"{directory}/")})
            case "read", (str(path),):
                text = files.get(path)
                if isinstance(text, AdapterError):
                    raise text
                return text
        return ()

    host = follow(recipe(ObserveHost(), Settings(host="host-1")), make)
    assert isinstance(host, ObservedHost)
    return host


def haproxy(proxy_id: str, namespace: str | None) -> ObservedProcess:
    argv = ("haproxy", "-f", f"{DIRECTORY}/{proxy_id}.conf")
    return ObservedProcess(program="haproxy", owner=proxy_id, pid=7, argv=argv, namespace=namespace)


class TestProxiesOfOthers:
    """An L3 agent keeps its routers' proxies in the same directory, and starts them with the same command line."""

    @pytest.mark.parametrize("config", [OF_A_ROUTER, "rubbish", ""])
    def test_one_in_a_routers_namespace_is_not_seen(self, config: str) -> None:
        host = look({f"{DIRECTORY}/{ROUTER}.conf": config}, haproxy(ROUTER, f"qrouter-{ROUTER}"))
        assert not host.proxies
        assert not host.unreadable

    @pytest.mark.parametrize("namespace", [None, "nobody"])
    def test_nor_is_a_routers_file_without_a_process(self, namespace: str | None) -> None:
        processes = [] if namespace is None else [haproxy(ROUTER, None)]
        assert not look({f"{DIRECTORY}/{ROUTER}.conf": OF_A_ROUTER}, *processes).proxies

    def test_nor_does_it_hide_one_of_ours_with_the_same_id(self) -> None:
        ours, theirs = haproxy(ROUTER, "qdhcp-net"), evolve(haproxy(ROUTER, f"qrouter-{ROUTER}"), pid=8)
        (proxy,) = look({f"{DIRECTORY}/{ROUTER}.conf": OF_A_ROUTER}, ours, theirs).proxies
        assert (proxy.network_id, proxy.process) == ("net", ours)

    def test_nor_is_a_file_of_nobody(self) -> None:
        assert not look({f"{DIRECTORY}/README.conf": "Do not remove.\n"}).proxies

    def test_a_networks_is(self) -> None:
        files: dict[str, str | AdapterError] = {f"{DIRECTORY}/{NET}.conf": OF_A_NETWORK}
        for process in ([], [haproxy(NET, f"qdhcp-{NET}")], [haproxy(NET, None)]):
            (proxy,) = look(files, *process).proxies
            assert (proxy.network_id, proxy.proxy_id) == (NET, NET)
        assert not look({f"{DIRECTORY}/{NET}-old.conf": OF_A_NETWORK}).proxies  # somebody's copy
        (damaged,) = look({f"{DIRECTORY}/net.conf": "rubbish"}, haproxy("net", "qdhcp-net")).proxies
        assert damaged.config == "rubbish"


@pytest.mark.parametrize("name", ["", "a:b", "a b", "x" * 201, "\udcff", ".."])
def test_a_namespace_whose_name_no_agent_gives_is_passed_over(name: str) -> None:
    """An id of such a kind cannot be had, and must not end the fold."""
    script = serving(network("a"))
    namespace = f"qdhcp-{name}"
    proxy = ObservedProxy(network_id=name, proxy_id=name, config=OF_A_NETWORK)
    host = evolve(
        observed(script),
        namespaces=("qdhcp-a", namespace),
        stray_devices=(ObservedDevice(namespace=namespace, name="dummy0"),),
        proxies=(proxy,),
    )
    script.tell(events.HostObserved(observed=host))
    assert {*script.state.networks} == {"a"}
    script.settle()
    assert not [kind for kind in script.kinds() if kind.startswith(("remove", "stop", "disable"))]


class TestUnreadable:
    """A file that cannot be read says nothing, neither that all is right nor that it is gone."""

    def test_it_is_told_and_the_others_are_seen(self) -> None:
        error = AdapterError(f"/var/lib/neutron/dhcp/{A}/host: Input/output error (EIO)")
        host = look(
            {
                f"/var/lib/neutron/dhcp/{A}/host": error,
                f"/var/lib/neutron/dhcp/{B}/host": "",
                f"{DIRECTORY}/{NET}.conf": AdapterError("permission denied"),
            }
        )
        assert [instance.key.network_id for instance in host.instances] == [B]
        # Of a proxy's file without a process it is not known that it is a network's.
        assert [(each.network_id, each.reason) for each in host.unreadable] == [(A, str(error))]

    def test_nor_is_anybody_hidden_by_a_directory_that_cannot_be_listed(self) -> None:
        error = AdapterError(f"/var/lib/neutron/dhcp/{A}: Input/output error (EIO)")
        host = look({f"/var/lib/neutron/dhcp/{A}": error, f"/var/lib/neutron/dhcp/{B}/host": ""})
        assert [instance.key.network_id for instance in host.instances] == [B]
        assert [each.network_id for each in host.unreadable] == [A]

    def test_what_is_remembered_of_it_stands_and_one_look_serves_all(self) -> None:
        names = [f"n{number}" for number in range(20)]
        script = serving(*map(network, names), network("b"))
        before = script.record("n0").served
        whole = observed(script)
        blind = evolve(
            whole,
            instances=tuple(each for each in whole.instances if each.key.network_id == "b"),
            unreadable=tuple(Unreadable(network_id=name, reason=f"{name}/host: EIO") for name in names),
        )
        script.tell(events.HostObserved(observed=blind))
        assert script.record("n0").served == before
        assert script.record("n0").unreadable == "n0/host: EIO"
        pending = [each for each in describe_state(script.state, script.now)["pending"] if each["network"] == "n0"]
        assert pending[0]["reasons"] == ["could not be looked at: n0/host: EIO"]
        assert not [action for action in script.start() if isinstance(action, ObserveHost)]
        # A death, a change and a deletion are followed meanwhile.
        script.tell(
            events.ProcessDied(key=InstanceKey(network_id="n0")),
            events.PortCreated(port=port(7, "n1")),
            events.NetworkDeleted(network_id="n2"),
        )
        kinds = {action.network_id: action.kind for action in script.plan()}
        assert {kinds.get(name) for name in ("n0", "n1", "n2")} == {"restart", "reload", "disable"}
        script.settle()
        due = script.state.observation.due
        assert script.now < due < script.now + script.state.settings.audit_interval
        script.now = due
        (look,) = [action for action in script.start() if isinstance(action, ObserveHost)]
        assert look.network_id is None
        script.observed = observed(script)
        script.succeed(look)
        script.settle()
        assert not [record.id for record in script.state.networks.values() if record.unreadable]
        assert script.state.observation.retry is None

    def test_after_a_failure_it_is_looked_at_again_after_a_pause(self) -> None:
        script = serving(network("a"))
        blind = ObservedHost(unreadable=(Unreadable(network_id="a", reason="EIO"),))
        script.tell(events.PortCreated(port=port(5, "a")))
        (reload,) = script.start().actions
        script.fail(reload, reason="EIO")
        for attempts in (2, 3):
            retry = script.record("a").retry
            assert retry is not None
            script.now = retry.not_before
            acted = [action for action in script.start() if action.network_id == "a"]
            if attempts == 2:
                assert isinstance(acted[0], ObserveHost)
                script.observed = blind
                script.succeed(acted[0])
            else:
                # What is remembered is gone by: it is tried again.
                assert [action.kind for action in acted] == ["reload"]
                script.fail(acted[0], reason="EIO")
            later = script.record("a").retry
            assert later is not None
            assert later.attempts == attempts
            assert not [action for action in script.start() if action.network_id == "a"]

    def test_at_the_start_the_others_are_served(self) -> None:
        script = Script()
        script.server |= {"a": network("a"), "b": network("b")}
        script.observed = ObservedHost(unreadable=(Unreadable(network_id="a", reason="EIO"),))
        for _ in range(12):
            script.succeed(*script.start())
        assert script.state.observation.done
        assert script.record("b").served
        assert not script.record("a").served


def test_what_is_seen_at_last_is_weighed_by_the_brake() -> None:
    """An answer that lacked it came while nobody knew what of it was served: it must not go unbraked."""
    names = [f"n{number}" for number in range(12)]
    whole = observed(serving(*map(network, names)))
    script = Script()
    script.observed = ObservedHost(unreadable=tuple(Unreadable(network_id=name, reason="EIO") for name in names))
    for _ in range(12):
        script.succeed(*script.start())
    assert script.state.sync.answered_seq >= 0
    assert not script.state.networks["n0"].wanted
    script.now = 60.0
    script.tell(events.HostObserved(observed=whole, at=script.now))
    script.observed = whole
    for _ in range(4):
        script.succeed(*script.start())
    assert script.state.brake is not None
    assert script.state.brake.network_ids == frozenset(names)
    assert not [kind for kind in script.kinds() if kind == "disable"]


def test_a_leases_file_that_cannot_be_read_stops_nothing() -> None:
    """Law: the one that serves is stopped only where another can be started in its place."""
    script = serving(network("a"))
    script.tell(events.ProcessDied(key=InstanceKey(network_id="a")))
    (restart,) = script.plan().actions
    made: list[str] = []

    def make(call: Call) -> Any:
        made.append(f"{call.method} {call.arguments[0]}" if call.contract == "files" else call.method)
        if call.method == "read" and str(call.arguments[0]).endswith("/leases"):
            raise AdapterError("cannot read leases: it has 6442450944 bytes; move it away")

    with pytest.raises(AdapterError, match="move it away"):
        follow(recipe(restart, script.state.settings), make)
    assert "ensure_device" in made
    assert "stop_dnsmasq" not in made


def test_an_answer_about_another_network_than_was_asked_for_is_refused() -> None:
    """Taken for the one, it would leave the question open, and be asked again at once, for ever."""

    def make(call: Call) -> Any:
        return network_form(network("A"))

    action = FetchNetwork(network_id="a", sent_seq=1)
    with pytest.raises(AdapterError, match="unreadable answer: id: expected a, got A"):
        follow(recipe(action, Settings(host="host-1")), make)
    assert isinstance(action, actions.FetchNetwork)
