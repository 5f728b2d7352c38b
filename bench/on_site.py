"""Measure the agent on a site of its own: real server, dnsmasq and wire; print a table, goals beside the figures.

    python bench/on_site.py [--networks 200] [--ports 10] [--burst 300] [--repeat 9] [--only NAME ...] [--check]

Everything runs in namespaces of its own (tests/support/host.py), without privileges; server, agent, every dnsmasq and
the prober share the machine.  With --check a missed goal makes the exit status 1.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / part) for part in ("bench", "tests", "adapters", "examples", "")]

from agent_meters import age, cpu, memory, spent, user_and_kernel  # noqa: E402  the path is made above
from bare_host import make  # noqa: E402
from support import host as hosts  # noqa: E402
from support.clients.prober import Prober, Target  # noqa: E402
from support.clients.station import Station  # noqa: E402
from support.clients.wire_latency import answered, fell_silent  # noqa: E402
from support.clients.wires import Wire, discover_frame, new_transaction  # noqa: E402
from support.dhcp_packets import OFFER  # noqa: E402
from support.site import AgentProgram, Server, address, bridge, dnsmasq_pids, running, until  # noqa: E402

#: Seconds between two changes, so that none meets the one before it.
QUIET = 0.6
#: Seconds after which a burst of creations is no longer carried out.
SETTLED = 3.0
MTU, DNS = 26, 6


class Row(NamedTuple):
    """A line of the table."""

    title: str
    figure: str
    goal: str = ""
    met: bool | None = None


def milliseconds(title: str, seconds: list[float], goal: float | None) -> Row:
    middle, worst = statistics.median(seconds), max(seconds)
    figure = f"{middle * 1e3:7.1f} ms (worst {worst * 1e3:.0f})"
    return Row(title, figure, *(() if goal is None else (f"{goal * 1e3:.0f} ms", middle <= goal)))


# -- from the REST call's answer to the right answer on the wire


def is_told(wire: Wire, mac: str, option: int, value: bytes, within: float = 5.0) -> float:
    """Seconds until a port is offered an option with this value."""
    begun = time.monotonic()
    while time.monotonic() - begun < within:
        offer = wire.discover(mac, seconds=0.02)
        if offer is not None and offer.options.get(option) == value:
            return time.monotonic() - begun
    raise AssertionError(f"option {option} is not {value!r} after {within} s")


def gone(look: Callable[[], bool]) -> float:
    """Seconds until something is no more."""
    begun = time.monotonic()
    until("it has gone", lambda: not look())
    return time.monotonic() - begun


def arguments(agent: AgentProgram, network: dict[str, Any]) -> str:
    """The command line of a network's dnsmasq."""
    try:
        return Path(f"/proc/{agent.dnsmasq_pid(network['id'])}/cmdline").read_text()
    except (OSError, ValueError):
        return ""  # between two of them


def events(server: Server, agent: AgentProgram, folder: Path, repeat: int) -> list[Row]:
    """Medians on a warm network of 100 ports."""
    network = server.served(ports=100)
    wire_name, subnet = bridge(network["id"]), network["subnet"]["id"]
    first = network["ports"][0]
    time.sleep(SETTLED)
    made: dict[str, list[float]] = {}

    def measured(name: str, seconds: float) -> None:
        made.setdefault(name, []).append(seconds)
        time.sleep(QUIET)

    with ExitStack() as stack:
        stack.enter_context(Station("stays", wire_name, "fa:16:3e:00:00:01", folder / "stays"))
        wire = stack.enter_context(Wire(wire_name))
        for turn in range(repeat):
            port = server.port(network["id"])
            mac = port["mac_address"]
            measured("port create", answered(wire_name, mac, address(port), 5))
            moved = [{"subnet_id": subnet, "ip_address": f"10.0.0.{200 + turn}"}]
            server.update("port", port["id"], fixed_ips=moved)
            measured("port update, address", answered(wire_name, mac, f"10.0.0.{200 + turn}", 5))
            server.update("port", port["id"], extra_dhcp_opts=[{"opt_name": "mtu", "opt_value": f"{1300 + turn}"}])
            measured("port update, option", is_told(wire, mac, MTU, (1300 + turn).to_bytes(2, "big")))
            server.delete("port", port["id"])
            measured("port delete", fell_silent(wire_name, mac, 5, quiet=0.3))
            server.update("subnet", subnet, dns_nameservers=[f"10.0.0.{50 + turn}"])
            measured("subnet update", is_told(wire, first["mac_address"], DNS, bytes([10, 0, 0, 50 + turn])))
            second = server.create("subnet", network_id=network["id"], cidr="10.1.0.0/24", ip_version=4)
            port = server.port(network["id"], fixed_ips=[{"subnet_id": second["id"]}])
            measured("subnet create, with a port", answered(wire_name, port["mac_address"], address(port), 5))
            server.delete("port", port["id"])
            fell_silent(wire_name, port["mac_address"], 5, quiet=0.3)
            server.delete("subnet", second["id"])
            measured(
                "subnet delete, until dnsmasq is without it", gone(lambda: "10.1.0.0" in arguments(agent, network))
            )
            server.update("network", network["id"], mtu=1400 + turn)
            measured("network update, mtu", is_told(wire, first["mac_address"], MTU, (1400 + turn).to_bytes(2, "big")))
            server.update("network", network["id"], admin_state_up=False)
            measured("network update, down", fell_silent(wire_name, first["mac_address"], 5, quiet=0.3))
            server.update("network", network["id"], admin_state_up=True)
            measured("network update, up", answered(wire_name, first["mac_address"], address(first), 5))
            new = server.network(ports=1)
            (port,) = new["ports"]
            with Station("new", bridge(new["id"]), "fa:16:3e:00:00:01", folder / "new"):
                measured("network create", answered(bridge(new["id"]), port["mac_address"], address(port), 5))
                server.delete("port", port["id"])
                fell_silent(bridge(new["id"]), port["mac_address"], 5, quiet=0.3)
                server.delete("network", new["id"])
                space = Path(f"/run/netns/qdhcp-{new['id']}")
                measured("network delete, until its namespace has gone", gone(space.exists))
            known = server.agent("host-1")
            assert known is not None
            server.update("agent", known["id"], admin_state_up=False)
            measured("agent_updated, down", fell_silent(wire_name, first["mac_address"], 5, quiet=0.3))
            server.update("agent", known["id"], admin_state_up=True)
            measured("agent_updated, up", answered(wire_name, first["mac_address"], address(first), 5))
    return [milliseconds(name, got, 0.050 if name.startswith("port") else 0.300) for name, got in made.items()]


def gaps(server: Server, agent: AgentProgram) -> list[Row]:
    """The longest that a client waits that renews its lease while something happens to its network."""
    network = server.served(ports=100)
    time.sleep(SETTLED)
    (port, tagged, *_), name = network["ports"], bridge(network["id"])
    server.update("port", tagged["id"], extra_dhcp_opts=[{"opt_name": "ntp-server", "opt_value": "10.0.0.9"}])
    time.sleep(QUIET)
    with Wire(name) as wire:
        lease = wire.take_lease(port["mac_address"])
    target = Target(name="renews", device=name, mac=lease.mac, expected=lease.address, lease=lease)

    def create() -> None:
        new = server.port(network["id"])
        answered(name, new["mac_address"], address(new), 5)

    def restart() -> None:
        pid = agent.dnsmasq_pid(network["id"])
        server.update("network", network["id"], mtu=1350)
        agent.wait_for_another_dnsmasq(network["id"], pid)

    def agent_restart() -> None:
        agent.stop()
        agent.start()

    rows = []
    for title, happens in (
        ("a renewal during a fast restart (a host has a tag)", create),
        ("a renewal during a restart of dnsmasq (MTU)", restart),
        ("a renewal during a restart of the agent", agent_restart),
    ):
        with Prober([target], 0.004) as prober:
            happens()
            time.sleep(0.5)
        measured = prober.report().worst
        figure = f"{measured.worst_gap * 1e3:7.1f} ms, {measured.unanswered} of {measured.sent} unanswered"
        rows.append(Row(title, figure, "4 s: a client's next try", measured.worst_gap < 4 and not measured.wrong))
    return rows


def burst(server: Server, agent: AgentProgram, ports: int) -> list[Row]:
    """So many ports created on one network, one call after the other."""
    network = server.served("10.8.0.0/20")
    time.sleep(QUIET)
    before = _reloads(agent, network["id"])
    begun = time.monotonic()
    made = [server.port(network["id"]) for _ in range(ports)]
    created = time.monotonic()
    waiting = {port["mac_address"]: address(port) for port in made}
    with Wire(bridge(network["id"])) as wire:
        transactions: dict[int, str] = {}
        while waiting and time.monotonic() - created < 30:
            for mac in waiting:
                transactions[transaction := new_transaction()] = mac
                wire.send(discover_frame(mac, transaction))
            until_next = time.monotonic() + 0.1
            while waiting and (reply := wire.receive(max(0.0, until_next - time.monotonic()))) is not None:
                mac = transactions.get(reply.transaction, "")
                if reply.kind == OFFER and waiting.get(mac) == reply.address:
                    del waiting[mac]
        last = time.monotonic() - created
    server.wait_active(network["id"])
    active = time.monotonic() - created
    reloads = _reloads(agent, network["id"]) - before
    return [
        Row(f"burst: {ports} ports, created in", f"{created - begun:7.2f} s"),
        Row("burst: reloads", f"{reloads:7}", "20", reloads <= 20),
        Row("burst: last port answered after its creation", f"{last:7.2f} s", "2 s", not waiting and last <= 2),
        Row("burst: last port ACTIVE", f"{active:7.2f} s"),
    ]


def _reloads(agent: AgentProgram, network_id: str) -> int:
    lines = agent.log.splitlines()
    kinds = ("action=reload", "action=restart")
    return sum(1 for line in lines if network_id in line and "action done" in line and any(k in line for k in kinds))


# -- many networks


def fleet(folder: Path, networks: int, ports: int) -> list[Row]:
    """A cold start beside a bare script, memory, idling, and a start over what runs."""
    script = make(folder / "bare", networks, ports)
    assert len(dnsmasq_pids()) == networks
    hosts.clear()
    _no_bridges()
    try:
        with Server(folder / "server") as server:
            made = [server.network(ports=ports)["id"] for _ in range(networks)]
            agent = AgentProgram(folder / "agent", server, report_interval=30)
            with agent:
                return _fleet(server, agent, made, script, ports)
    finally:
        hosts.clear()


def _fleet(server: Server, agent: AgentProgram, made: list[str], script: float, ports: int) -> list[Row]:
    networks = len(made)
    assert agent.process is not None
    cold = _since_launch(agent.pid, lambda: _calm(agent, networks))
    until("all ports are ACTIVE", lambda: server.active(*made), 60 + networks / 2)
    active = age(agent.pid)
    user, kernel = user_and_kernel(agent.pid)
    actions = _actions(agent.log)
    rss, peak = memory(agent.pid)
    pids = dnsmasq_pids()
    assert len(pids) == networks
    time.sleep(3)
    before, begun = cpu(agent.pid), time.monotonic()
    time.sleep(20)
    idle = (cpu(agent.pid) - before) / (time.monotonic() - begun)
    stopped, stopping = agent.stop()
    agent.launch()
    again = _since_launch(agent.pid, lambda: _calm(agent, networks))
    again_cpu = cpu(agent.pid)
    agent.kill()
    agent.launch()
    killed = _since_launch(agent.pid, lambda: _calm(agent, networks))
    killed_cpu = cpu(agent.pid)
    restarted = networks - len(set(pids) & set(dnsmasq_pids()))
    so_far = len(agent.log)
    created, last, burst_cpu = _one_port_each(server, agent, made)
    actions_then = _actions(agent.log[so_far:])
    rss_then, peak_then = memory(agent.pid)
    what = f"{networks} networks of {ports} ports"
    return [
        Row(f"{what}: a bare script", f"{script:7.2f} s"),
        Row(f"{what}: cold start, all served", f"{cold:7.2f} s", "2.5 of it", cold <= 2.5 * script),
        Row("  of the script's time", f"{cold / script:7.2f}", "2.5", cold <= 2.5 * script),
        Row("  until all ports are ACTIVE", f"{active:7.2f} s"),
        Row("  CPU: its own, the kernel's for it", f"{user:7.1f} s, {kernel:.1f} s"),
        *actions,
        Row("agent's memory (RSS; largest)", f"{rss:7.1f} MB ({peak:.1f})", "100 MB", rss < 100),
        Row("agent's CPU when idle, of a core", f"{idle:7.2%}", "1 %", idle < 0.01),
        Row("agent's end, on SIGTERM", f"{stopping:7.2f} s", "2 s", stopping < 2 and stopped == 0),
        Row("agent's start over what runs, in step", f"{again:7.2f} s, {again_cpu:.1f} s of CPU"),
        Row("  after kill -9", f"{killed:7.2f} s, {killed_cpu:.1f} s of CPU"),
        Row("  dnsmasq restarted by both", f"{restarted:7}", "0", restarted == 0),
        Row("a port more on each network, created in", f"{created:7.2f} s"),
        Row("  all of them ACTIVE after that", f"{last:7.2f} s, {burst_cpu:.1f} s of CPU"),
        *actions_then,
        Row("agent's memory then (RSS; largest)", f"{rss_then:7.1f} MB ({peak_then:.1f})"),
    ]


def _actions(log: str) -> list[Row]:
    """The four kinds of action that took the most."""
    return [Row(f"  {kind}, {times} times", f"{seconds:7.1f} s") for kind, times, seconds in spent(log)[:4]]


def _one_port_each(server: Server, agent: AgentProgram, networks: list[str]) -> tuple[float, float, float]:
    """Seconds to create a port on each network, seconds from then until all are ACTIVE, and the agent's CPU time."""
    before, begun = cpu(agent.pid), time.monotonic()
    made = {server.port(network_id)["id"] for network_id in networks}
    created = time.monotonic()

    def active() -> bool:
        return made <= {port["id"] for port in server.list("ports", "status=ACTIVE")}

    until("the new ports are ACTIVE", active, 120)
    return created - begun, time.monotonic() - created, cpu(agent.pid) - before


def _calm(agent: AgentProgram, networks: int) -> bool:
    """Whether all are served, and nothing is under way or waits."""
    try:
        status: dict[str, Any] = agent.status()
    except Exception:
        return False
    counts = status["counts"]
    served = counts["networks_served"] == networks == counts["instances_alive"]
    return bool(served and status["agent"]["host_observed"] and not status["in_flight"] and not status["pending"])


def _since_launch(pid: int, look: Callable[[], bool]) -> float:
    deadline = time.monotonic() + 600
    while not look():
        assert time.monotonic() < deadline, "it does not come to rest"
        time.sleep(0.1)
    return age(pid)


def _no_bridges() -> None:
    names = [name for _, name in socket.if_nameindex() if name != "lo"]
    text = "".join(f"link delete {name}\n" for name in names)
    subprocess.run(["ip", "-force", "-batch", "-"], input=text, text=True, capture_output=True, check=False)


# -- the table


def inside(options: argparse.Namespace, folder: Path) -> int:
    rows: list[Row] = []
    wanted = options.only or ["events", "gaps", "burst", "fleet"]
    if {"events", "gaps", "burst"} & set(wanted):
        with running(folder / "one", report_interval=30) as (server, agent):
            if "events" in wanted:
                rows += events(server, agent, folder, options.repeat)
            if "gaps" in wanted:
                rows += gaps(server, agent)
            if "burst" in wanted:
                rows += burst(server, agent, options.burst)
    if "fleet" in wanted:
        rows += fleet(folder / "fleet", options.networks, options.ports)
    lines = [("what", "figure", "goal", "met"), ("-" * 20, "-" * 8, "-" * 4, "---")]
    lines += [(r.title, r.figure, r.goal, "" if r.met is None else "yes" if r.met else "NO") for r in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip(), flush=True)
    return int(options.check and any(row.met is False for row in rows))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=200, help="of the cold start")
    parser.add_argument("--ports", type=int, default=10, help="on each of them")
    parser.add_argument("--burst", type=int, default=300, help="ports created one after the other")
    parser.add_argument("--repeat", type=int, default=9, help="turns, of which the medians are")
    parser.add_argument("--only", nargs="+", choices=("events", "gaps", "burst", "fleet"), help="default: all")
    parser.add_argument("--check", action="store_true", help="exit 1 when a goal is missed")
    options = parser.parse_args()
    if hosts.inside():
        return inside(options, Path(os.environ["DHCPCORE_BENCH_FOLDER"]))
    if (why := hosts.missing()) is not None:
        print(why, file=sys.stderr)
        return 1
    folder = tempfile.mkdtemp(prefix="dhcpcore-bench-")
    os.environ["DHCPCORE_BENCH_FOLDER"] = folder
    try:
        seconds = 900 + 3 * options.networks
        return hosts.run_program([sys.executable, *sys.argv], seconds=seconds, shown=True).returncode
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
