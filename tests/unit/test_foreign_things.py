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
from dhcpcore.testing.wireform import network_form
from support.as_served import observed
from support.script import Script, network, serving

ROUTER = "11111111-2222-4333-8444-555555555555"
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

    def test_nor_is_a_file_of_nobody(self) -> None:
        assert not look({f"{DIRECTORY}/README.conf": "Do not remove.\n"}).proxies

    def test_a_networks_is(self) -> None:
        files: dict[str, str | AdapterError] = {f"{DIRECTORY}/net.conf": OF_A_NETWORK}
        for process in ([], [haproxy("net", "qdhcp-net")], [haproxy("net", None)]):
            (proxy,) = look(files, *process).proxies
            assert (proxy.network_id, proxy.proxy_id) == ("net", "net")
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
        error = AdapterError("/var/lib/neutron/dhcp/a/host: Input/output error (EIO)")
        host = look(
            {
                "/var/lib/neutron/dhcp/a/host": error,
                "/var/lib/neutron/dhcp/b/host": "",
                f"{DIRECTORY}/c.conf": AdapterError("permission denied"),
            }
        )
        assert [instance.key.network_id for instance in host.instances] == ["b"]
        assert [(each.network_id, each.reason) for each in host.unreadable] == [
            ("a", str(error)),
            ("c", "permission denied"),
        ]

    def test_nothing_is_planned_for_it_but_another_look_after_a_pause(self) -> None:
        script = serving(network("a"), network("b"))
        before = script.record("a").served
        whole = observed(script)
        blind = evolve(
            whole,
            instances=tuple(each for each in whole.instances if each.key.network_id == "b"),
            unreadable=(Unreadable(network_id="a", reason="host: Input/output error (EIO)"),),
        )
        script.tell(events.HostObserved(observed=blind))
        assert script.record("a").served == before
        assert not script.plan()
        retry = script.record("a").retry
        assert retry is not None
        assert retry.reason == "host: Input/output error (EIO)"
        script.now = retry.not_before
        (again,) = [action for action in script.start() if action.network_id == "a"]
        assert isinstance(again, ObserveHost)
        script.observed = blind
        script.succeed(again)
        later = script.record("a").retry
        assert later is not None
        assert later.attempts == 2
        script.now = later.not_before
        (again,) = [action for action in script.start() if action.network_id == "a"]
        script.observed = whole
        script.succeed(again)
        script.settle()
        assert script.record("a").retry is None
        assert script.record("a").served[InstanceKey(network_id="a")].alive

    def test_at_the_start_the_others_are_served(self) -> None:
        script = Script()
        script.server |= {"a": network("a"), "b": network("b")}
        script.observed = ObservedHost(unreadable=(Unreadable(network_id="a", reason="EIO"),))
        for _ in range(12):
            script.succeed(*script.start())
        assert script.state.observation.done
        assert script.record("b").served
        assert not script.record("a").served


def test_an_answer_about_another_network_than_was_asked_for_is_refused() -> None:
    """Taken for the one, it would leave the question open, and be asked again at once, for ever."""

    def make(call: Call) -> Any:
        return network_form(network("A"))

    action = FetchNetwork(network_id="a", sent_seq=1)
    with pytest.raises(AdapterError, match="unreadable answer: id: expected a, got A"):
        follow(recipe(action, Settings(host="host-1")), make)
    assert isinstance(action, actions.FetchNetwork)
