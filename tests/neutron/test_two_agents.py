"""Two machines, each with our agent: networks that both serve, and one machine that dies."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support import host as hosts
from support.clients.wires import Leased, Wire, discover_frame, new_transaction
from support.dhcp_packets import ACK, OFFER, SERVER_ID
from support.neutron.control_plane import ControlPlane
from support.neutron.machine import Machine, connect_control_plane
from support.neutron.run import run_with_neutron
from support.neutron.wire import is_answered
from support.site import address, bridge, until

#: Seconds without a report until an agent counts as dead.
DOWN_TIME = 10

if hosts.inside():

    @contextmanager
    def two_machines(folder: Path) -> Iterator[tuple[ControlPlane, Machine, Machine]]:
        connect_control_plane()
        try:
            with (
                ControlPlane(
                    folder / "server",
                    hosts=["host-a", "host-b"],
                    agent_down_time=DOWN_TIME,
                    periodic_workers=True,
                ) as server,
                Machine("a", 2, folder, server) as a,
                Machine("b", 3, folder, server) as b,
            ):
                yield server, a, b
        finally:
            hosts.clear()

    def offers(wire: Wire, mac: str, seconds: float = 1.0) -> set[tuple[str, str]]:
        """Addresses that are offered within a time, and by which servers."""
        got = set()
        deadline = time.monotonic() + seconds
        transaction = new_transaction()
        wire.send(discover_frame(mac, transaction))
        while (reply := wire.receive(max(0.0, deadline - time.monotonic()))) is not None:
            if reply.transaction == transaction and reply.kind == OFFER:
                got.add((reply.address, ".".join(map(str, reply.options[SERVER_ID]))))
        return got

    def has(server: ControlPlane, machine: Machine, network: str) -> bool:
        return network in {each["id"] for each in server.hosted(machine.name)}

    def serving(machine: Machine, network: str) -> bool:
        instances: list[dict[str, Any]] = machine.agent.status()["instances"]
        return any(each["network"] == network for each in instances)

    def test_both_serve_and_one_dies(tmp_path: Path) -> None:
        """Law: both agents of a network answer alike; when one machine dies the other has its networks, too.

        A client keeps its lease and its server's address, and the machine that comes back serves nothing that is not
        its own any more.
        """
        with two_machines(tmp_path) as (server, a, b):
            both = server.create("network")["id"]
            for machine in (a, b):
                machine.plug(both)
            server.create("subnet", network_id=both, cidr="10.0.0.0/24", ip_version=4)
            server.wait_for_dhcp_ports(both)
            for machine in (a, b):
                if not has(server, machine, both):
                    server.schedule(machine.name, both)
            server.wait_for_dhcp_ports(both, 2)
            port = server.port(both)
            server.wait_active(both)
            addresses = set(server.dhcp_addresses(both))
            assert len(addresses) == 2
            with Wire(bridge(both)) as wire:
                until("both answer", lambda: len(offers(wire, port["mac_address"])) == 2)
                assert offers(wire, port["mac_address"]) == {(address(port), each) for each in addresses}
                assert wire.take_lease(port["mac_address"]).address == address(port)
                other = server.port(both)
                server.delete("port", port["id"])
                until("neither answers", lambda: not offers(wire, port["mac_address"], 0.5))
                until("both answer", lambda: len(offers(wire, other["mac_address"])) == 2)

            # One that only one of them serves: its machine dies.
            single = server.network()["id"]
            server.wait_for_dhcp_ports(single)
            dies, lives = (a, b) if has(server, a, single) else (b, a)
            dies.plug(single)
            client = server.port(single)
            is_answered(client)
            (where,) = server.dhcp_addresses(single)
            with Wire(bridge(single)) as wire:
                lease: Leased = wire.take_lease(client["mac_address"])
            assert (lease.address, lease.server) == (address(client), where)
            staying = lives.dnsmasqs()
            dies.die()
            dies.unplug(single)
            until("the other machine serves it", lambda: serving(lives, single), 90)
            lives.plug(single)
            is_answered(client)
            assert set(staying) <= set(lives.dnsmasqs())
            # The DHCP port moved with its address: even who renews from the server that it knows is answered.
            assert server.dhcp_addresses(single) == (where,)
            with Wire(bridge(single)) as wire:
                for broadcast in (False, True):
                    reply = wire.extend(lease, broadcast=broadcast, seconds=5)
                    assert reply is not None, broadcast
                    assert (reply.kind, reply.address) == (ACK, address(client))

            # The machine that is back serves what is its own, and no more.
            dies.agent.start()
            expected = {each["id"] for each in server.hosted(dies.name)}
            until(
                f"it serves {expected}",
                lambda: {each["network"] for each in dies.agent.status()["instances"]} == expected,
            )
            assert single not in expected
            is_answered(client)
            is_answered(other)

else:

    def test_two_agents(tmp_path: Path) -> None:
        """Law: see the tests inside."""
        run_with_neutron(__file__, tmp_path, seconds=600)
