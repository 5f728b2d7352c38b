"""The server keeps every law of the contract that agents hold it to, behind the in-process transport."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from dhcpcore import AdapterError
from dhcpcore.testing import conformance
from dhcpcore_adapters.rpc import InProcessTransport, Notify
from reference_server import DhcpPlugin, Neutron, Options, agents, bodies, networks, ports, scheduling, schema, subnets
from reference_server.views import find_ports


class Watched:
    """The plugin, with a memory of calls, and faults on demand."""

    def __init__(self, plugin: DhcpPlugin) -> None:
        self.plugin = plugin
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.faults: dict[str, str] = {}

    def call(self, host: str, method: str, arguments: Mapping[str, Any]) -> Any:
        fault = self.faults.pop(method, None)
        if fault == "before":
            raise TimeoutError("no answer")
        self.calls.append((method, tuple(arguments.values())))
        answer = self.plugin.call(host, method, arguments)
        if fault == "after":
            raise TimeoutError("no answer")
        return answer

    def subscribe(self, host: str, notify: Notify) -> Any:
        return self.plugin.subscribe(host, notify)


class ServerWorld(conformance.ServerRpcWorld):
    host = "host-1"

    def __init__(self, database: Path) -> None:
        self.now = 1_800_000_000.0
        options = Options(database=str(database), network_auto_schedule=False)
        self.neutron = Neutron(options, lambda: self.now)
        self.watched = Watched(DhcpPlugin(self.neutron))
        self.transport = InProcessTransport(self.watched, self.host)
        self.transport.start(_Deaf())
        self.rpc = self.transport.server

    def close(self) -> None:
        self.transport.close()
        self.neutron.close()

    def create_network(self, cidr: str = "10.77.0.0/24", *, hosted: bool = True) -> tuple[str, str]:
        with self.neutron.transaction() as tx:
            network_id = str(networks.create_network(tx, {})["id"])
        subnet_id = self.create_subnet(network_id, cidr)
        if hosted:
            self._agent()
            with self.neutron.transaction() as tx:
                agent = agents.dhcp_agent_on(tx, self.host)
                assert agent is not None
                scheduling.bind(tx, network_id, agent)
        return network_id, subnet_id

    def _agent(self) -> None:
        """Networks are given to agents that the server knows: where this one has not reported, it is disabled."""
        with self.neutron.transaction() as tx:
            if agents.dhcp_agent_on(tx, self.host) is None:
                agents.report_state(tx, self.host, {})
                agents.update_agent(tx, self.agent_id(tx), {"admin_state_up": False})

    def create_subnet(self, network_id: str, cidr: str, *, enable_dhcp: bool = True) -> str:
        body = {"network_id": network_id, "cidr": cidr, "ip_version": 4, "enable_dhcp": enable_dhcp}
        with self.neutron.transaction() as tx:
            return str(subnets.create_subnet(tx, bodies.read(bodies.SubnetCreate, body, "subnet"))["id"])

    def create_port(self, network_id: str, attributes: Mapping[str, Any]) -> Mapping[str, Any]:
        body = {"network_id": network_id, **attributes}
        with self.neutron.transaction() as tx:
            return ports.create_port(tx, bodies.read(bodies.PortCreate, body, "port"))

    def ports(self, network_id: str) -> Sequence[Mapping[str, Any]]:
        with self.neutron.transaction() as tx:
            return find_ports(tx, schema.ports.c.network_id == network_id)

    def delete_network(self, network_id: str) -> None:
        with self.neutron.transaction() as tx:
            networks.delete_network(tx, network_id)

    def calls(self) -> Sequence[tuple[str, tuple[Any, ...]]]:
        return self.watched.calls

    def agent_state(self) -> Mapping[str, Any]:
        with self.neutron.transaction() as tx:
            agent = agents.dhcp_agent_on(tx, self.host)
        assert agent is not None
        return agent

    def set_admin_state(self, *, up: bool) -> None:
        with self.neutron.transaction() as tx:
            agents.update_agent(tx, self.agent_id(tx), {"admin_state_up": up})

    def agent_id(self, tx: Any) -> str:
        agent = agents.dhcp_agent_on(tx, self.host)
        assert agent is not None
        return str(agent["id"])

    def forget_heartbeats(self) -> None:
        self.now += self.neutron.options.agent_down_time + 1

    def lose_request(self, method: str) -> None:
        self.watched.faults[method] = "before"

    def lose_answer(self, method: str) -> None:
        self.watched.faults[method] = "after"

    def fail_inside(self, method: str) -> None:
        """The database is broken for one call."""
        watched, engine = self.watched, self.neutron._engine

        def fail(*_: Any) -> None:
            sa.event.remove(engine, "begin", fail)
            raise RuntimeError("simulated")

        assert method not in watched.faults
        sa.event.listen(engine, "begin", fail)


class _Deaf:
    def connected(self) -> None: ...
    def disconnected(self, reason: str) -> None: ...
    def notified(self, method: str, payload: Any) -> None: ...


class TestReferenceServer(conformance.ServerRpcConformance):
    @pytest.fixture
    def world(self, tmp_path: Path) -> Iterator[ServerWorld]:
        world = ServerWorld(tmp_path / "db")
        yield world
        world.close()


def test_a_fault_inside_undoes_the_whole_call(tmp_path: Path) -> None:
    world = ServerWorld(tmp_path / "db")
    network_id, subnet_id = world.create_network()
    world.fail_inside("create_dhcp_port")
    with pytest.raises(AdapterError):
        world.rpc.create_dhcp_port({"port": {"network_id": network_id, "fixed_ips": [{"subnet_id": subnet_id}]}})
    assert world.ports(network_id) == []
    world.close()
