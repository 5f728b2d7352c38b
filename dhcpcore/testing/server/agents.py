"""The server's view of DHCP agents: heartbeats, who is alive, and which agent serves which network."""

from __future__ import annotations

from dhcpcore.contracts import Clock
from dhcpcore.testing.identity import dhcp_device_id
from dhcpcore.testing.server.notices import Notices
from dhcpcore.testing.server.refusals import Refusal
from dhcpcore.testing.server.tables import AgentRow, Tables
from dhcpcore.testing.wireform import WireDict, copied


class AgentDesk:
    """Registration, liveness and scheduling (Neutron: agents_db, agentschedulers_db, dhcp_agent_scheduler)."""

    def __init__(self, tables: Tables, notices: Notices, clock: Clock) -> None:
        self.tables = tables
        self.notices = notices
        self.clock = clock
        #: Options agent_down_time (seconds), dhcp_agents_per_network, network_auto_schedule.
        self.agent_down_time = 75.0
        self.agents_per_network = 1
        self.auto_schedule = True
        #: False: an old server without report_state.
        self.supports_reports = True
        #: True: answers null, as a server does whose clock says that the report was sent before it started.
        self.skips_reports = False

    def report(self, host: str, agent_state: WireDict) -> str | None:
        """A heartbeat. Returns ``new``, ``revived``, ``alive``, or None where it was skipped."""
        if not self.supports_reports:
            raise Refusal("UnsupportedVersion", "Endpoint does not support RPC version 1.4")
        if self.skips_reports:
            return None
        now = self.clock.wall()
        agent = self.tables.agents.get(host)
        if agent is None:
            status = "new"
            agent = self.tables.agents[host] = AgentRow(host=host, heartbeat=now)
        else:
            status = "alive" if self.is_alive(host) else "revived"
        agent.heartbeat = now
        agent.reports += 1
        agent.state = copied(agent_state)
        return status

    def is_alive(self, host: str) -> bool:
        """Whether the agent's last heartbeat is younger than agent_down_time."""
        agent = self.tables.agents.get(host)
        return agent is not None and self.clock.wall() - agent.heartbeat <= self.agent_down_time

    def hosts_of(self, network_id: str) -> list[str]:
        """Hosts whose agents serve the network."""
        return self.tables.bindings.get(network_id, [])

    def listeners(self, network_id: str) -> list[str]:
        """Hosts whose agents are told about the network: those that serve it and are not administratively down."""
        return [host for host in self.hosts_of(network_id) if self.is_listening(host)]

    def is_listening(self, host: str) -> bool:
        """Whether the host's agent is told of anything: not where it is administratively down."""
        agent = self.tables.agents.get(host)
        return agent is None or agent.admin_state_up

    def bind(self, network_id: str, host: str) -> None:
        """Give a network to an agent without a word (set-up of a test)."""
        hosts = self.tables.bindings.setdefault(network_id, [])
        if host not in hosts:
            hosts.append(host)

    def add_network(self, network_id: str, host: str) -> None:
        """Give a network to an agent, and tell it (REST: POST /agents/ID/dhcp-networks)."""
        if network_id not in self.tables.networks:
            raise Refusal("NetworkNotFound", f"Network {network_id} could not be found.")
        if host in self.hosts_of(network_id):
            raise Refusal("NetworkHostedByDHCPAgent", f"The network {network_id} has been already hosted by {host}.")
        self.bind(network_id, host)
        self.notices.cast(host, "network_create_end", {"network": {"id": network_id}})

    def remove_network(self, network_id: str, host: str) -> None:
        """Take a network away from an agent, and tell it; its DHCP port becomes a reserved one."""
        if host not in self.hosts_of(network_id):
            raise Refusal("NetworkNotHostedByDhcpAgent", f"The network {network_id} is not hosted by {host}.")
        self.tables.bindings[network_id].remove(host)
        own = dhcp_device_id(host, network_id)
        for port in self.tables.ports_of(network_id):
            if port["device_id"] == own:
                port["device_id"] = "reserved_dhcp_port"
                port["revision_number"] += 1
        self.notices.cast(host, "network_delete_end", {"network_id": network_id})

    def schedule(self, network_id: str) -> None:
        """Find live agents for a network that has too few, and tell them (on subnet and port creation)."""
        if not self.auto_schedule:
            return
        for host in self._candidates(network_id):
            if len(self.hosts_of(network_id)) >= self.agents_per_network:
                return
            self.bind(network_id, host)
            self.notices.cast(host, "network_create_end", {"network": {"id": network_id}})

    def schedule_for(self, host: str) -> None:
        """Give an agent that asks for its networks those that have too few agents (network_auto_schedule)."""
        if not self.auto_schedule or not (self.is_alive(host) and self.is_listening(host)):
            return
        for network_id in self.tables.networks:
            if not any(subnet["enable_dhcp"] for subnet in self.tables.subnets_of(network_id)):
                continue
            short = len(self.hosts_of(network_id)) < self.agents_per_network
            if short and host in self._candidates(network_id):
                self.bind(network_id, host)

    def could_serve(self, host: str, network_id: str) -> bool:
        """Whether the network may be given to this host's agent: it lives, is enabled, reaches it, and has it not."""
        return host in self._candidates(network_id)

    def _candidates(self, network_id: str) -> list[str]:
        """Live agents without the network, the least loaded first; for a routed network those that reach it."""
        mapped = {
            host
            for segment in self.tables.segments_of(network_id)
            for host in segment["hosts"]
            if any(subnet["segment_id"] == segment["id"] for subnet in self.tables.subnets_of(network_id))
        }
        routed = any(subnet["segment_id"] for subnet in self.tables.subnets_of(network_id))
        load = dict.fromkeys(self.tables.agents, 0)
        for hosts in self.tables.bindings.values():
            for host in hosts:
                if host in load:
                    load[host] += 1
        fit = [
            host
            for host in load
            if self.is_alive(host)
            and self.is_listening(host)
            and host not in self.hosts_of(network_id)
            and (not routed or host in mapped)
        ]
        return sorted(fit, key=lambda host: (load[host], host))

    def reschedule_dead(self) -> list[str]:
        """Take networks away from agents that are down, where others live (allow_automatic_dhcp_failover)."""
        moved = []
        for network_id, hosts in list(self.tables.bindings.items()):
            for host in list(hosts):
                if host in self.tables.agents and not self.is_alive(host) and self._candidates(network_id):
                    self.remove_network(network_id, host)
                    self.schedule(network_id)
                    moved.append(network_id)
        return moved

    def set_admin_state(self, host: str, up: bool) -> None:
        """An operator enables or disables an agent; it is told."""
        agent = self.tables.agents.get(host)
        if agent is None:
            raise Refusal("AgentNotFoundByTypeHost", f"Agent with agent_type=DHCP agent and host={host} not found")
        agent.admin_state_up = up
        self.notices.cast(host, "agent_updated", {"admin_state_up": up})
