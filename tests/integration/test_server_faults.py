"""The server misbehaves: over the real transport, to a real agent with real dnsmasq processes.

Two servers: the in-memory one, whose every call can be made to fail and whose notifications are delivered by hand, and
the reference server, for what a database and an operator do.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from dhcpcore import AdapterError
from dhcpcore.testing import MemoryServer
from dhcpcore_adapters.agent.control import ask
from dhcpcore_adapters.clock import SystemClock
from support import host as hosts
from support.clients.wire_latency import answered, fell_silent
from support.memory_plugin import Lost, MemoryPlugin
from support.site import AgentProgram, Server, address, bridge, running, until

HOST: Final = "host-1"
#: Seconds after which a call counts as unanswered here.
CALL: Final = 1.0

if hosts.inside():
    from support.rpc_server import serving

    class Fake:
        """The in-memory server behind the real endpoint, and the agent that it serves."""

        def __init__(self, plugin: MemoryPlugin, agent: AgentProgram) -> None:
            self.plugin, self.server, self.agent = plugin, plugin.server, agent

        def network(self, **attributes: Any) -> str:
            """A network with a subnet, of this agent; nobody has told it."""
            with self.plugin.lock:
                network_id: str = self.server.create_network(**attributes)["id"]
                self.server.create_subnet(network_id, "10.0.0.0/24")
                self.server.desk.bind(network_id, HOST)
                return network_id

        def port(self, network_id: str, **attributes: Any) -> dict[str, Any]:
            with self.plugin.lock:
                return self.server.create_port(network_id, **{"binding:host_id": "compute-1"}, **attributes)

        def take(self) -> list[tuple[str, Any]]:
            """The notifications that wait; they are lost unless they are told."""
            with self.plugin.lock:
                return [(each.method, each.payload) for each in self.server.notices.take_all(HOST)]

        def tell(self, notices: list[tuple[str, Any]] | None = None) -> None:
            for method, payload in self.take() if notices is None else notices:
                self.plugin.notify(HOST, method, payload)

        def sync(self) -> None:
            """As the agent does by itself from time to time."""
            ask(self.agent.control, {"command": "sync"})

        def served(self, network_id: str, port: dict[str, Any], seconds: float = 15.0) -> None:
            is_served(network_id, port, seconds)

    def is_served(network_id: str, port: dict[str, Any], seconds: float) -> None:
        """Like `answered`, though the bridge may come, or go and come, meanwhile."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                answered(bridge(network_id), port["mac_address"], address(port), max(0.5, deadline - time.monotonic()))
                return
            except OSError:
                assert time.monotonic() < deadline, "there is no bridge"
                time.sleep(0.05)

    @pytest.fixture(scope="module")
    def fake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fake]:
        folder = tmp_path_factory.mktemp("fake")
        # A lost answer is one that comes too late.
        plugin = MemoryPlugin(MemoryServer(SystemClock()), hang=lambda: time.sleep(2 * CALL))
        try:
            with serving(plugin, path=Path("/run/fake.sock")) as url:
                agent = AgentProgram(folder / "agent", Server(folder / "unused"), url=url)
                limits = f'url = "{url}", call_timeout = {CALL}'
                agent._ours = agent._ours.replace(f'url = "{url}"', limits)
                agent.write_settings(**agent.settings)
                with agent:
                    yield Fake(plugin, agent)
        finally:
            plugin.close()
            hosts.clear()

    @pytest.fixture
    def calm(fake: Fake) -> Iterator[tuple[str, dict[str, Any]]]:
        """A network that is served by one process all the time."""
        network_id = fake.network()
        port = fake.port(network_id)
        fake.tell()
        fake.sync()
        fake.served(network_id, port)
        pid = fake.agent.dnsmasq_pid(network_id)
        yield network_id, port
        fake.served(network_id, port, 2.0)
        assert fake.agent.dnsmasq_pid(network_id) == pid

    @contextmanager
    def failing(fake: Fake, method: str, error: BaseException, when: Any, times: int) -> Iterator[None]:
        with fake.plugin.lock:
            fault = fake.server.faults.arm(f"server.{method}", error=error, when=when, times=times)
        yield
        assert fault.fired >= 1
        with fake.plugin.lock:
            fault.times = 0

    @pytest.mark.parametrize(
        "method", ["get_network_info", "get_active_networks_info", "create_dhcp_port", "dhcp_ready_on_ports"]
    )
    @pytest.mark.parametrize("how", ["error", "unanswered", "answer lost"])
    def test_calls_that_fail(fake: Fake, calm: tuple[str, dict[str, Any]], method: str, how: str) -> None:
        """Law: errors, timeouts and answers that are lost cost time, never the network; no port is claimed twice."""
        error: BaseException = AdapterError("RuntimeError: the database is away") if how == "error" else Lost("lost")
        with failing(fake, method, error, "after" if how == "answer lost" else "before", 2):
            network_id = fake.network()
            port = fake.port(network_id)
            if method == "get_active_networks_info":
                fake.take()
                fake.sync()
            else:
                fake.tell()
                fake.plugin.notify(HOST, "network_create_end", {"network": {"id": network_id}})
            fake.served(network_id, port, 30.0)
            until("it is reported", lambda: any(port["id"] in ids for _, ids in fake.server.ready_reports), 30.0)
        with fake.plugin.lock:
            own = [each for each in fake.server.tables.ports_of(network_id) if each["device_owner"] == "network:dhcp"]
        assert len(own) == 1

    def test_wrong_types_in_one_network(fake: Fake, calm: tuple[str, dict[str, Any]]) -> None:
        """Law: the others of the same answer are served; the bad one is named with what is wrong, and served later."""
        ids = [fake.network() for _ in range(12)]
        ports = {network_id: fake.port(network_id) for network_id in ids}
        bad = ids[5]

        def garbled(network: Any) -> Any:
            return network | {"ports": 17} if network is not None and network["id"] == bad else network

        with fake.plugin.lock:
            fake.take()
            fake.server.garble("get_active_networks_info", lambda answer: [garbled(each) for each in answer])
            fake.server.garble("get_network_info", garbled)
        fake.sync()
        for network_id in ids:
            if network_id != bad:
                fake.served(network_id, ports[network_id])
        until("it is told", lambda: any(each["network"] == bad for each in fake.agent.status()["pending"]))
        assert "ports: not a list" in fake.agent.log or "ports" in fake.agent.log
        with fake.plugin.lock:
            fake.server.garble("get_active_networks_info", None)
            fake.server.garble("get_network_info", None)
        fake.served(bad, ports[bad], 90.0)

    @pytest.mark.parametrize("seed", range(3))
    def test_notifications_that_are_lost_doubled_and_out_of_order(
        fake: Fake, calm: tuple[str, dict[str, Any]], seed: int
    ) -> None:
        """Law: whatever arrives, and how often, one sync later what the server has is served, and nothing else."""
        rolls = random.Random(seed)
        network_id = fake.network()
        first = fake.port(network_id)
        fake.tell()
        fake.sync()
        fake.served(network_id, first)
        ports = {port["id"]: port for port in (fake.port(network_id) for _ in range(5))}
        gone: list[dict[str, Any]] = []
        for port_id in list(ports)[:4]:
            moved = [
                {"subnet_id": ports[port_id]["fixed_ips"][0]["subnet_id"], "ip_address": f"10.0.0.{200 + len(gone)}"}
            ]
            with fake.plugin.lock:
                if len(gone) < 2:
                    fake.server.update_port(port_id, fixed_ips=moved)
                    fake.server.delete_port(port_id)
                    gone.append(ports.pop(port_id))
                else:
                    ports[port_id] = fake.server.update_port(port_id, extra_dhcp_opts=[])
        notices = [each for each in fake.take() for _ in range(rolls.choice((0, 1, 1, 3)))]
        rolls.shuffle(notices)
        fake.tell(notices)
        fake.sync()
        for port in (first, *ports.values()):
            fake.served(network_id, port)
        for port in gone:
            fell_silent(bridge(network_id), port["mac_address"], 5.0)
        # What is older than that, told now, brings nobody back.
        fake.tell([each for each in notices if each[0] in ("port_create_end", "port_update_end")])
        time.sleep(0.5)
        fake.sync()
        for port in gone:
            fell_silent(bridge(network_id), port["mac_address"], 5.0)

    def test_a_network_is_deleted_and_created_again_with_its_id(fake: Fake, calm: tuple[str, dict[str, Any]]) -> None:
        """Law: the new one is served as it is, whatever of the old one was told late."""
        network_id = fake.network()
        old = fake.port(network_id)
        fake.tell()
        fake.sync()
        fake.served(network_id, old)
        with fake.plugin.lock:
            fake.server.delete_port(old["id"])
            fake.server.delete_network(network_id)
        late = fake.take()
        assert fake.network(id=network_id) == network_id
        new = fake.port(network_id, mac_address="fa:16:3e:77:77:77")
        fake.tell([*fake.take(), *late])
        fake.sync()
        fake.served(network_id, new)
        fell_silent(bridge(network_id), old["mac_address"], 5.0)

    # -- what an operator, or another agent, does to the database

    @pytest.fixture(scope="module")
    def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, AgentProgram]]:
        with running(tmp_path_factory.mktemp("site"), host="host-2") as made:
            yield made

    def own_ports(server: Server, network_id: str) -> list[dict[str, Any]]:
        return server.list("ports", f"network_id={network_id}&device_owner=network:dhcp")

    def claims(agent: AgentProgram, network_id: str) -> list[str]:
        """What the log says of claims for a network."""
        return [line for line in agent.log.splitlines() if "action=create_dhcp_port" in line and network_id in line]

    def test_no_address_is_left(site: tuple[Server, AgentProgram]) -> None:
        """Law: the claim waits for news and says so, and does not ask again and again; a freed address is news."""
        server, agent = site
        network = server.create("network")["id"]
        subnet = server.create("subnet", network_id=network, cidr="10.0.0.0/24", ip_version=4, enable_dhcp=False)
        pool = [{"start": "10.0.0.10", "end": "10.0.0.11"}]
        server.update("subnet", subnet["id"], allocation_pools=pool)
        taken = [server.port(network) for _ in range(2)]
        server.update("subnet", subnet["id"], enable_dhcp=True)

        def why() -> str:
            waiting = [each for each in agent.status()["pending"] if each["network"] == network]
            return "; ".join(str(each["retry"]) for each in waiting if each["what"] == "claim" and each["retry"])

        until("it is told", why, told=lambda: agent.log[-3000:])
        assert "'in_seconds': None" in why()
        time.sleep(3)  # what is told of the subnet is news, too
        asked = claims(agent, network)
        time.sleep(2)
        assert claims(agent, network) == asked, agent.log[-4000:]
        server.delete("port", taken.pop()["id"])
        is_served(network, taken[0], 20.0)
        until("nothing is waited for", lambda: not why())

    @pytest.mark.parametrize("how", ["deleted", "elsewhere"])
    def test_the_dhcp_port_is_taken_away(site: tuple[Server, AgentProgram], how: str) -> None:
        """Law: deleted, or given to another host: a port of our own is claimed, and its address served from."""
        server, agent = site
        network, calm = server.served(), server.served()
        pid = agent.dnsmasq_pid(calm["id"])
        (before,) = own_ports(server, network["id"])
        if how == "deleted":
            server.delete("port", before["id"])
        else:
            server.update("port", before["id"], binding__host_id="host-3", device_id="dhcp-of-somebody-else")

        def ours() -> str:
            now = [each for each in own_ports(server, network["id"]) if each["device_id"] == before["device_id"]]
            return str(now[0]["id"]) if now and now[0]["id"] != before["id"] else ""

        if how == "elsewhere":
            # The server tells nobody of that; the next sync shows it.
            ask(agent.control, {"command": "sync"})
        after = until("another port is claimed", ours, told=lambda: agent.log[-3000:])
        (port,) = network["ports"]
        is_served(network["id"], port, 15.0)

        def devices() -> list[str]:
            instances = agent.status()["instances"]
            return [each["device"] for each in instances if each["network"] == network["id"] and each["alive"]]

        until("it serves on its device", lambda: devices() == [f"ns-{after[:11]}"])
        assert agent.dnsmasq_pid(calm["id"]) == pid

else:

    def test_server_faults(tmp_path: Path) -> None:
        """Law: see the tests inside."""
        if (why := hosts.missing()) is not None:
            pytest.skip(why)
        hosts.run_inside(__file__, tmp_path, seconds=280)
