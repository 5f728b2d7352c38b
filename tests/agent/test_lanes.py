"""Which thread waits for whom: a server that hangs holds up no work on the host, and nothing is forgotten by that."""

from __future__ import annotations

from typing import Any

import pytest

from dhcpcore import AdapterError
from dhcpcore.model.spec import InstanceKey
from support.hand_executor import HOST, Rig


def device_ids(rig: Rig, network_id: str) -> list[str]:
    """Of the DHCP ports that the server has on a network."""
    ports = rig.server.tables.ports_of(network_id)
    return [port["device_id"] for port in ports if port["device_owner"] == "network:dhcp"]


def files(rig: Rig) -> list[str]:
    """Every file and directory of an instance."""
    confs = rig.settings.confs_dir
    return [*rig.host.disk.names(confs), *rig.host.disk.files(confs)]


def taken_away(**options: Any) -> tuple[Rig, str]:
    """An agent that served a network, and has just been told that it is another's now."""
    rig = Rig(**options)
    rig.server.desk.auto_schedule = False
    network_id = rig.network()
    rig.settle()
    assert device_ids(rig, network_id)
    rig.server.desk.remove_network(network_id, HOST)
    for port in rig.server.tables.ports_of(network_id):
        # The server reserves it for whoever comes next; one that was made at that very moment is ours to give back.
        if port["device_owner"] == "network:dhcp":
            port["device_id"] = rig.settings.dhcp_device_id(network_id, None)
    rig.deliver()
    return rig, network_id


def again(rig: Rig) -> Rig:
    """The agent was killed; another one starts on the same host."""
    later = Rig(rig.server)
    later.host = rig.host
    for name in ("processes", "namespaces", "files"):
        object.__setattr__(later.adapters, name, getattr(rig.adapters, name))
    return later


def test_no_lane_of_the_host_asks_the_server() -> None:
    """A network goes from the host, to its namespace, while no call to the server is answered."""
    rig, network_id = taken_away()
    asked: list[str] = []
    before = len(rig.server.calls)
    for _ in range(10):
        rig.agent.step()
        rig.executor.run("host")
        asked = [call.method for call in rig.server.calls[before:]]
    assert asked == []
    assert rig.host.dnsmasqs(InstanceKey(network_id=network_id)) == []
    assert device_ids(rig, network_id)
    rig.settle()
    assert device_ids(rig, network_id) == []
    assert files(rig) == []
    assert f"qdhcp-{network_id}" not in rig.host.namespaces
    assert network_id not in rig.agent.state.networks


@pytest.mark.parametrize("audits", [0, 3])
def test_a_port_is_owed_until_it_is_given_back_whoever_is_killed(audits: int) -> None:
    """What was disabled leaves a trace on the host until the server has its port: the next agent gives it back."""
    rig, network_id = taken_away()
    rig.server.faults.arm("server.release_dhcp_port", error=AdapterError("TimeoutError: no answer"), times=None)
    for _ in range(1 + audits):
        rig.settle()
        rig.clock.advance(3600.0)
    assert device_ids(rig, network_id)
    rig.server.faults.disarm()
    later = again(rig)
    for _ in range(3):
        later.settle()  # what the server lists is believed once it has heard of this agent
        rig.clock.advance(60.0)
    assert device_ids(rig, network_id) == []
    assert files(rig) == []
    assert later.agent.state.networks.get(network_id) is None


def test_an_audit_takes_what_waits_for_the_server_for_no_instance() -> None:
    """While a port is owed the host is done: looking at it disables nothing a second time."""
    rig, network_id = taken_away()
    rig.server.faults.arm("server.release_dhcp_port", error=AdapterError("TimeoutError: no answer"), times=None)
    rig.settle()
    rig.reporter.records.clear()
    for _ in range(3):
        rig.clock.advance(rig.settings.audit_interval * 1.3)
        rig.settle()
    done = [record.fields["action"] for record in rig.reporter.find("action done")]
    assert "observe" in done
    assert "disable" not in done
    assert not rig.agent.state.record(network_id).served


def test_a_network_that_comes_back_serves_on_the_port_that_was_owed() -> None:
    """Disabled while the server hung, and wanted again: nothing is released while it serves, nor is it owed later."""
    rig, network_id = taken_away()
    rig.agent.step()
    rig.executor.run("host")  # disabled; the port is not given back yet
    rig.server.desk.bind(network_id, HOST)
    rig.agent.notified("network_create_end", {"network": {"id": network_id}})
    rig.settle()
    (process,) = rig.host.dnsmasqs(InstanceKey(network_id=network_id))
    assert len(device_ids(rig, network_id)) == 1
    assert not rig.agent.state.record(network_id).owed
    assert not process.zombie


def test_a_server_that_does_not_know_the_network_is_owed_nothing() -> None:
    """The network went with its ports meanwhile: what is left of the instance goes."""
    rig, network_id = taken_away()
    gone = AdapterError("NetworkNotFound: Network could not be found.")
    rig.server.faults.arm("server.release_dhcp_port", error=gone, times=1)
    rig.settle()
    assert files(rig) == []
    assert rig.agent.state.networks.get(network_id) is None
