"""Server, agent, and a first network with two machines."""

from __future__ import annotations

from typing import Final

from demo.host import namespaces
from demo.parts import HOST, REPORT_INTERVAL
from demo.stage import Stage
from demo.steps.step import Step
from demo.waiting import NotSo, Stopwatch, expect, until

#: The first network: what a machine on it must be told.
CIDR: Final = "10.1.0.0/24"
ROUTER: Final = "10.1.0.1"
RESOLVERS: Final = ("10.1.0.53", "10.1.0.54")
ROUTES: Final = (("192.168.50.0/24", "10.1.0.254"),)
MTU: Final = 1450
NTP: Final = "10.1.0.123"
ADDRESSES: Final = {"ann": "10.1.0.11", "bob": "10.1.0.12"}


def server(stage: Stage) -> str:
    watch = Stopwatch()
    stage.server.start()
    mode = stage.server.query("PRAGMA journal_mode")
    expect("the database's journal", mode, "wal")
    tables = stage.server.query("SELECT count(*) FROM sqlite_master WHERE type = 'table'")
    return f"{stage.server.url} after {watch}; SQLite, {tables} tables, journal {mode}"


def agent(stage: Stage) -> str:
    stage.agent.configure(stage.server.url)
    watch = Stopwatch()
    stage.agent.start()

    def alive() -> bool:
        stage.agent.running()
        return stage.is_alive()

    until("the server has the agent alive", alive)
    taken = str(watch)
    first = stage.server.query("SELECT heartbeat_timestamp FROM agents")
    query = f"SELECT heartbeat_timestamp FROM agents WHERE host = '{HOST}' AND heartbeat_timestamp > {first}"
    again = f"SELECT count(*) FROM agents WHERE host = '{HOST}' AND heartbeat_timestamp > {first}"
    until("a second heartbeat is in the database", lambda: stage.server.query(again), 5 * REPORT_INTERVAL)
    pause = stage.server.query(query) - first
    version = stage.agent.status()["agent"]["dnsmasq"]
    return f"alive after {taken}, the next heartbeat {pause:.1f} s later; dhcpcore agent with dnsmasq {version}"


def network(stage: Stage) -> str:
    ident = stage.network("office", mtu=MTU)
    routes = [{"destination": destination, "nexthop": nexthop} for destination, nexthop in ROUTES]
    stage.subnet("office", CIDR, gateway_ip=ROUTER, host_routes=routes, dns_nameservers=list(RESOLVERS))
    # A router's port, so that the network is not an isolated one.
    stage.port("office", "", ROUTER, device_owner="network:router_interface", device_id="a-router")
    watch = Stopwatch()
    option = {"opt_name": "ntp-server", "opt_value": NTP}
    for name, address in ADDRESSES.items():
        port = stage.port("office", name, address, extra_dhcp_opts=[option])
        stage.machine(port)
    taken = str(watch)
    if f"qdhcp-{ident}" not in namespaces():
        raise NotSo(f"there is no namespace qdhcp-{ident}")
    return f"dnsmasq is process {stage.dnsmasq('office').pid} in qdhcp-{ident[:8]}...; two ports ACTIVE within {taken}"


STEPS: Final = (
    Step(what="A server listens, with its database", run=server, is_needed=True),
    Step(what="An agent reports and is alive in the database", run=agent, is_needed=True),
    Step(what="A network with two machines is served", run=network, is_needed=True),
)
