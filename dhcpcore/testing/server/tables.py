"""The database of the in-memory server: rows in wire form, copied as a whole for a backup."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from attrs import define, field

from dhcpcore.testing.wireform import WireDict, copied


@define(kw_only=True)
class AgentRow:
    """A DHCP agent as the server knows it.

    Attributes:
        heartbeat: wall seconds of the last report.
        reports: how many came; state: the last one's ``agent_state``.
    """

    host: str
    heartbeat: float
    admin_state_up: bool = True
    reports: int = 0
    state: WireDict = field(factory=dict)


@define
class Tables:
    """Everything the server knows.

    Attributes:
        networks, subnets, ports, segments: id to row in wire form (a network's row has no ports and subnets).
        bindings: network id to the hosts whose agents serve it.
        awaiting_dhcp: ids of ports that turn ACTIVE only when an agent has reported them (provisioning blocks).
        serial: how many ids and MAC addresses were given out.
    """

    networks: dict[str, WireDict] = field(factory=dict)
    subnets: dict[str, WireDict] = field(factory=dict)
    ports: dict[str, WireDict] = field(factory=dict)
    segments: dict[str, WireDict] = field(factory=dict)
    bindings: dict[str, list[str]] = field(factory=dict)
    agents: dict[str, AgentRow] = field(factory=dict)
    awaiting_dhcp: set[str] = field(factory=set)
    serial: int = 0
    #: Indices, by network id, of subnets, ports and segments, each in order of creation.
    network_subnets: defaultdict[str, dict[str, None]] = field(factory=lambda: defaultdict(dict))
    network_ports: defaultdict[str, dict[str, None]] = field(factory=lambda: defaultdict(dict))
    network_segments: defaultdict[str, dict[str, None]] = field(factory=lambda: defaultdict(dict))
    #: subnet id to the addresses in use, and to where a search for a free one may begin.
    taken: defaultdict[str, set[str]] = field(factory=lambda: defaultdict(set))
    full_below: dict[str, int] = field(factory=dict)

    def next_serial(self) -> int:
        """Another number, never given out before."""
        self.serial += 1
        return self.serial

    def subnets_of(self, network_id: str) -> list[WireDict]:
        """Rows of a network's subnets, sorted by id as Neutron answers them."""
        return [self.subnets[each] for each in sorted(self.network_subnets.get(network_id, ()))]

    def ports_of(self, network_id: str) -> list[WireDict]:
        """Rows of a network's ports."""
        return [self.ports[each] for each in self.network_ports.get(network_id, ())]

    def segments_of(self, network_id: str) -> list[WireDict]:
        """Rows of a network's segments."""
        return [self.segments[each] for each in self.network_segments.get(network_id, ())]

    def add_port(self, row: WireDict) -> None:
        """Insert a port and mark its addresses as used."""
        self.ports[row["id"]] = row
        self.network_ports[row["network_id"]][row["id"]] = None
        for fixed_ip in row["fixed_ips"]:
            self.taken[fixed_ip["subnet_id"]].add(fixed_ip["ip_address"])

    def set_fixed_ips(self, row: WireDict, fixed_ips: list[dict[str, Any]]) -> None:
        """Give a port other addresses."""
        self._free(row)
        row["fixed_ips"] = fixed_ips
        for fixed_ip in fixed_ips:
            self.taken[fixed_ip["subnet_id"]].add(fixed_ip["ip_address"])

    def drop_port(self, port_id: str) -> WireDict:
        """Delete a port; returns its row."""
        row = self.ports.pop(port_id)
        self.network_ports[row["network_id"]].pop(port_id, None)
        self._free(row)
        self.awaiting_dhcp.discard(port_id)
        return row

    def _free(self, row: WireDict) -> None:
        for fixed_ip in row["fixed_ips"]:
            self.taken[fixed_ip["subnet_id"]].discard(fixed_ip["ip_address"])
            self.full_below.pop(fixed_ip["subnet_id"], None)

    def copy(self) -> Tables:
        """A backup: shares nothing with this one."""
        twin = Tables(
            networks=copied(self.networks),
            subnets=copied(self.subnets),
            ports=copied(self.ports),
            segments=copied(self.segments),
            bindings=copied(self.bindings),
            awaiting_dhcp=set(self.awaiting_dhcp),
            serial=self.serial,
        )
        for host, agent in self.agents.items():
            twin.agents[host] = AgentRow(
                host=host,
                heartbeat=agent.heartbeat,
                admin_state_up=agent.admin_state_up,
                reports=agent.reports,
                state=copied(agent.state),
            )
        for mine, other in (
            (self.network_subnets, twin.network_subnets),
            (self.network_ports, twin.network_ports),
            (self.network_segments, twin.network_segments),
        ):
            other.update({key: dict(value) for key, value in mine.items()})
        twin.taken.update({key: set(value) for key, value in self.taken.items()})
        return twin
