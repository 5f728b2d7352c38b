"""The loop's laws: one owner of the state, lanes that do not wait for each other, nothing that ends it silently."""

from __future__ import annotations

import signal
import threading
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dhcpcore import ActionFailed, ObservedProcess
from dhcpcore.errors import AdapterError
from dhcpcore.events import ProcessDied, ResyncRequested
from dhcpcore.model.spec import InstanceKey
from dhcpcore_adapters.agent.deaths import Deaths
from dhcpcore_adapters.agent.loop import ChildDied
from support.hand_executor import HOST, Rig


def test_a_first_start_serves_everything_and_reports_it() -> None:
    rig = Rig()
    networks = [rig.network(ports=3) for _ in range(3)]
    rig.settle()
    rig.clock.advance(2.0)
    rig.settle()
    assert sorted(network for network in rig.agent.state.networks) == sorted(networks)
    assert rig.agent.state.counts.networks == 3
    ports = [port for each in networks for port in rig.server.tables.ports_of(each)]
    assert {port["status"] for port in ports if port["device_owner"] != "network:dhcp"} == {"ACTIVE"}


def test_a_heartbeat_is_sent_while_host_and_server_are_busy() -> None:
    """Museum class RPC: a state report waits for nothing: it has a lane, and a connection, of its own."""
    rig = Rig()
    rig.network()
    rig.settle()
    rig.port(next(iter(rig.agent.state.networks)))
    rig.deliver()
    rig.agent.step()
    busy = list(rig.executor.waiting)
    rig.clock.advance(31.0)
    rig.agent.step()
    assert [lane for lane, _, _ in busy] == ["host"]
    before = rig.server.tables.agents[HOST].reports
    assert rig.executor.run("report") == 1
    assert rig.server.tables.agents[HOST].reports == before + 1


def test_a_reload_overtakes_first_starts() -> None:
    """Museum L8: a port event does not wait for a sync."""
    rig = Rig()
    served = rig.network()
    rig.settle()
    for _ in range(20):
        rig.network()
    rig.clock.advance(5.0)
    rig.agent.connected()
    for _ in range(3):  # the fetch, the claims, the first starts
        rig.agent.step()
        rig.executor.run("server")
    rig.port(served)
    rig.deliver()
    rig.agent.step()
    waiting = [rank for lane, rank, _ in rig.executor.waiting if lane == "host"]
    assert sorted(waiting) == [0] + 20 * [1]


def test_networks_are_worked_on_in_parallel_and_each_in_order() -> None:
    """Museum class RACE: chains of different networks are jobs of their own; one network never has two at a time."""
    rig = Rig(enable_isolated_metadata=True)
    for _ in range(4):
        rig.network()
    most = 0
    for _ in range(30):
        rig.agent.step()
        in_flight = rig.agent.state.in_flight
        on_host = [scope for scope in in_flight if scope.startswith("network:") or scope == "observe"]
        assert len(on_host) == len([lane for lane, _, _ in rig.executor.waiting if lane == "host"])
        most = max(most, len(on_host))
        if not rig.executor.run():
            break
    assert most == 4


@given(
    st.one_of(
        st.none(),
        st.text(max_size=5),
        st.integers(),
        st.dictionaries(st.text(max_size=8), st.one_of(st.none(), st.integers(), st.text(max_size=3)), max_size=3),
    ),
    st.text(max_size=20) | st.sampled_from(["port_update_end", "network_create_end", "subnet_delete_end"]),
)
def test_no_notification_ends_the_loop(payload: Any, method: str) -> None:
    """Museum class CRASH and L4: whatever the server tells, the loop goes on, and what was refused is reported."""
    rig = Rig()
    rig.agent.notified(method, payload)
    rig.agent.step()
    rig.settle()
    assert not rig.agent.state.in_flight
    assert len(rig.reporter.find("a notification was refused")) <= 1


def test_what_was_refused_is_fetched() -> None:
    rig = Rig()
    network_id = rig.network()
    rig.settle()
    rig.port(network_id)
    notice = rig.server.notices.take_all(HOST)[0]
    notice.payload["port"]["fixed_ips"] = "everywhere"
    rig.agent.notified(notice.method, notice.payload)
    rig.settle()
    record = rig.agent.state.networks[network_id]
    assert record.desired is not None
    assert len(record.desired.ports) == 3


def test_an_adapter_that_raises_anything_fails_its_action_only() -> None:
    """L9: a thread that meets a bug does not die silently, and its action does not stay under way for ever."""
    rig = Rig()
    broken, sound = rig.network(), rig.network()

    class Careless:
        def __init__(self, inner: Any) -> None:
            self.inner = inner

        def __getattr__(self, name: str) -> Any:
            return getattr(self.inner, name)

        def ensure_device(self, spec: Any) -> None:
            if spec.network_id == broken:
                raise ZeroDivisionError("a bug")
            self.inner.ensure_device(spec)

    object.__setattr__(rig.adapters, "namespaces", Careless(rig.adapters.namespaces))
    rig.settle()
    assert not rig.agent.state.in_flight
    assert rig.agent.state.networks[sound].served
    retry = rig.agent.state.networks[broken].retry
    assert retry is not None
    assert "ZeroDivisionError" in retry.reason
    assert any(report.message == "an adapter broke its contract" for report in rig.reporter.records)


def test_after_a_failure_the_rest_of_the_chain_is_told_as_skipped() -> None:
    rig = Rig(enable_isolated_metadata=True)
    network_id = rig.network()
    rig.settle()
    told: list[Any] = []
    rig.server.faults.arm("process.*", error=lambda: AdapterError("no"), times=None)
    put = rig.agent.put

    def listen(event: Any) -> None:
        told.append(event)
        put(event)

    rig.agent.put = listen  # type: ignore[method-assign]
    rig.server.delete_port(
        next(p["id"] for p in rig.server.tables.ports_of(network_id) if p["device_owner"] != "network:dhcp")
    )
    rig.server.delete_network(network_id)
    rig.deliver()
    rig.agent.step()
    rig.executor.run()
    faults = [event.fault for event in told if isinstance(event, ActionFailed)]
    assert "error" in faults
    assert "skipped" in faults


def test_connected_while_the_first_fetch_waits_asks_once() -> None:
    """One get_active_networks_info at a start, whether the connection comes before or after the first step."""
    for early in (True, False):
        rig = Rig()
        rig.network()
        if early:
            rig.agent.connected()
        rig.agent.step()
        if not early:
            rig.agent.connected()
        rig.server.calls.clear()
        rig.settle()
        asked = [call.method for call in rig.server.calls if call.method == "get_active_networks_info"]
        assert len(asked) == 1, early


def test_connected_again_asks_for_everything_once() -> None:
    rig = Rig()
    rig.network()
    rig.settle()
    rig.clock.advance(5.0)
    rig.settle()
    rig.clock.advance(5.0)
    rig.server.calls.clear()
    rig.agent.disconnected("the line was cut")
    rig.agent.connected()
    rig.settle()
    assert [call.method for call in rig.server.calls].count("get_active_networks_info") == 1


def test_the_agent_ends_with_its_children_where_the_operator_wants_it() -> None:
    """Neutron check_child_processes_action = exit."""
    rig = Rig(check_child_processes_action="exit")
    network_id = rig.network()
    rig.settle()
    key = InstanceKey(network_id=network_id)
    (process,) = rig.host.dnsmasqs(key)
    rig.agent.put(ProcessDied(key=key, pid=process.pid + 1000, at=rig.clock.monotonic()))
    rig.agent.step()  # another process of it: none of ours
    rig.agent.put(ProcessDied(key=key, pid=process.pid, at=rig.clock.monotonic()))
    with pytest.raises(ChildDied, match="check_child_processes_action"):
        rig.agent.step()


class _Watcher:
    def __init__(self, callback: Any) -> None:
        self.callback = callback
        self.watched: list[ObservedProcess] = []

    def watch(self, process: ObservedProcess) -> None:
        self.watched.append(process)

    def close(self) -> None:
        pass


def test_every_process_that_is_started_or_found_is_watched_and_brought_back() -> None:
    """Museum class PROC: whoever started it, its death is noticed, and it is back with the next plan."""
    rig = Rig(enable_isolated_metadata=True)
    network_id = rig.network()
    watchers: list[_Watcher] = []

    def make(callback: Any) -> _Watcher:
        watchers.append(_Watcher(callback))
        return watchers[-1]

    deaths = Deaths(make, tell=rig.agent.put, clock=rig.clock, reporter=rig.reporter)
    rig.agent._observe = deaths.observe
    rig.settle()
    assert {process.program for process in watchers[0].watched} == {"dnsmasq", "haproxy"}
    for process in list(watchers[0].watched):
        rig.host.kill(process.pid)
        watchers[0].callback(process)
    rig.settle()
    assert len(rig.host.dnsmasqs(InstanceKey(network_id=network_id))) == 1
    assert len(rig.host.living("haproxy", network_id)) == 1


def test_wrong_types_in_one_network_of_a_thousand() -> None:
    """Law: the 999 others are served; the bad one is asked for again with backoff, and served once it can be read."""
    rig = Rig()
    ids = [rig.network() for _ in range(1000)]
    bad = ids[500]

    def garbled(network: Any) -> Any:
        return network | {"ports": 17} if network is not None and network["id"] == bad else network

    rig.server.garble("get_active_networks_info", lambda answer: [garbled(each) for each in answer])
    rig.server.garble("get_network_info", garbled)
    rig.settle()
    served = {network_id for network_id in ids if rig.host.dnsmasqs(InstanceKey(network_id=network_id))}
    assert served == set(ids) - {bad}
    retry = rig.agent.state.record(bad).need_retry
    assert retry is not None
    assert "ports" in retry.reason
    rig.server.garble("get_active_networks_info", None)
    rig.server.garble("get_network_info", None)
    rig.clock.advance(60.0)
    rig.settle()
    assert len(rig.host.dnsmasqs(InstanceKey(network_id=bad))) == 1


def test_a_connection_after_the_first_asks_for_everything_though_an_answer_is_on_its_way() -> None:
    """What is on its way may have been answered on the connection before, and something told in between was lost."""
    rig = Rig()
    rig.network()
    rig.agent.connected()
    rig.settle()
    rig.clock.advance(5.0)
    rig.agent.put(ResyncRequested(reason="an operator", at=rig.clock.monotonic()))
    rig.agent.step()
    assert "fetch_networks" in rig.agent.state.in_flight
    rig.agent.connected()
    rig.clock.advance(5.0)
    rig.settle()
    asked = [call for call in rig.server.calls if call.method == "get_active_networks_info"]
    assert len(asked) >= 2
    assert asked[-1] is not asked[-2]
    assert rig.agent.state.sync.need is None


def test_a_signal_may_come_at_any_moment() -> None:
    """What a handler does takes no lock that the interrupted loop may hold: no SIGTERM hangs the agent."""
    rig = Rig()
    done = threading.Event()

    def end(*_: object) -> None:
        rig.agent.wake()

    before = signal.signal(signal.SIGUSR1, end)
    storm = threading.Thread(target=_storm, args=[threading.main_thread().ident, done])
    try:
        storm.start()
        until = time.monotonic() + 1.0
        while time.monotonic() < until:
            rig.agent.step()
            rig.executor.run()
            rig.agent.wait(0.001)
    finally:
        done.set()
        storm.join()
        signal.signal(signal.SIGUSR1, before)


def _storm(thread: int, done: threading.Event) -> None:
    while not done.is_set():
        signal.pthread_kill(thread, signal.SIGUSR1)
        time.sleep(0.0001)
