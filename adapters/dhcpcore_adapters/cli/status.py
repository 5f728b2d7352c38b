"""``dhcpcore status``: what the running agent serves, what it waits for, and why."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dhcpcore_adapters.cli.asking import add_control_options, answer
from dhcpcore_adapters.cli.terminal import Terminal, on_one_line

_EPILOG = """\
exit codes: 0 an agent answered; 1 error, or no agent answers

examples:
  dhcpcore status --config /etc/dhcpcore/agent.toml
  dhcpcore status --socket /var/lib/neutron/dhcpcore.sock --json
"""

Document = Mapping[str, Any]


def add(commands: Any) -> None:
    """Add the command's parser to those of the program."""
    parser = commands.add_parser(
        "status",
        help="what the running agent serves and waits for",
        description="Ask the agent that runs on this host what it serves, what it waits for, and why.",
        epilog=_EPILOG,
    )
    parser.add_argument("--json", action="store_true", help="everything, as JSON (docs/command-line.md)")
    add_control_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Do it; returns the exit code."""
    status = answer(options, "status")
    if options.json:
        terminal.result(json.dumps(status, indent=2))
        return 0
    for line in status_lines(status):
        terminal.result(on_one_line(line))
    return 0


def status_lines(status: Document) -> Iterator[str]:
    """The status as text, for people."""
    agent, counts = status["agent"], status["counts"]
    state = "up" if agent["admin_state_up"] else "administratively down"
    yield f"Agent      {agent['host']}, {state}, dnsmasq {agent['dnsmasq']}"
    yield f"Host       {_host(agent)}"
    yield f"Heartbeat  {_heartbeat(status['heartbeat'])}"
    yield f"Sync       {_sync(status['sync'])}"
    yield (
        f"Serves     {counted(counts['networks_served'], 'network')}, {counted(counts['subnets_served'], 'subnet')},"
        f" {counted(counts['ports_served'], 'port')}; {counts['instances_alive']} of"
        f" {counted(counts['instances'], 'dnsmasq process', 'dnsmasq processes')} alive"
    )
    ready = status["ready_ports"]
    yield (
        f"Ready      {counted(ready['queued'] + ready['being_reported'], 'port')} to be reported, "
        f"{ready['not_served_yet']} to be served first{_again(ready['retry'])}"
    )
    if status["instances"]:
        yield ""
        yield from _table(("NETWORK", "SEGMENT", "PID", "DEVICE", "PORTS", "ADDRESSES", "REMARKS"), _instances(status))
    if status["metadata_proxies"]:
        yield ""
        yield from _table(("METADATA PROXY OF", "ID", "PID", "REMARKS"), _proxies(status))
    waiting = [*_waiting(status)]
    if waiting:
        yield ""
        yield "Waiting:"
        yield from (f"  {line}" for line in waiting)
    if status["in_flight"]:
        yield ""
        yield f"Under way: {', '.join(status['in_flight'])}"


def _host(agent: Document) -> str:
    failed = _again(agent["observation_retry"])
    if not agent["host_observed"]:
        return f"not looked at yet{failed}"
    due = agent["next_audit_in_seconds"]
    after = ", and at this moment" if due is None else f", again {_ahead(due)}"
    return f"looked at {ago(agent['observed_seconds_ago'])}{after}{failed}"


def _heartbeat(heartbeat: Document) -> str:
    if not heartbeat["enabled"]:
        return "none: report_interval is 0"
    if not heartbeat["supported"]:
        return "none: the server takes no state reports"
    failed = f"; {counted(heartbeat['failures'], 'failure')} since" if heartbeat["failures"] else ""
    after = "another one is under way" if heartbeat["under_way"] else f"next {_ahead(heartbeat['next_in_seconds'])}"
    return f"answered {ago(heartbeat['answered_seconds_ago'])}{failed}, {after}"


def _sync(sync: Document) -> str:
    told = f"answered {ago(sync['answered_seconds_ago'])}"
    if sync["under_way"]:
        return f"{told}; another one is under way"
    if sync["pending_reasons"]:
        when = _ahead(sync["next_in_seconds"])
        return f"{told}; another one {when}: {', '.join(sync['pending_reasons'])}{_again(sync['retry'], time=False)}"
    return told


def _instances(status: Document) -> Iterator[Sequence[str]]:
    for one in status["instances"]:
        remarks = [
            *([] if one["alive"] else ["not running"]),
            *(["taken over"] if one["adopted"] and one["alive"] else []),
            *_death(one),
            *(["files may not be loaded"] if one["dirty"] else []),
            *(["IPv6 metadata address is another agent's"] if one["metadata_address_elsewhere"] else []),
            *one["drift"],
        ]
        yield (
            one["network"],
            one["segment"] or "-",
            str(one["pid"] or "-"),
            one["device"] or "-",
            str(one["reservations"]),
            " ".join(one["addresses"]) or "-",
            "; ".join(remarks),
        )


def _proxies(status: Document) -> Iterator[Sequence[str]]:
    for one in status["metadata_proxies"]:
        remarks = [
            *([] if one["alive"] else ["not running"]),
            *(["taken over"] if one["adopted"] and one["alive"] else []),
            *_death(one),
            *(["left over, to be stopped"] if one["left_over"] else []),
        ]
        yield one["network"], one["proxy"], str(one["pid"] or "-"), "; ".join(remarks)


def _death(one: Document) -> Iterator[str]:
    if one["deaths"]:
        yield f"died {counted(one['deaths'], 'time')}"
    if (last := one["last_death"]) is not None:
        code = "exit code not known" if last["exit_code"] is None else f"exit code {last['exit_code']}"
        yield f"last death {ago(last['seconds_ago'])}, {code}{': ' if last['detail'] else ''}{last['detail']}"


def _waiting(status: Document) -> Iterator[str]:
    brake = status["brake"]
    if brake is not None:
        yield (
            f"{counted(len(brake['networks']), 'network')} of {brake['served']} are no longer listed by the server and"
            f" held for {_seconds(brake['until_in_seconds'])} more; dhcpcore force-disable lets them go"
        )
    for one in status["removals"]:
        if one["state"] == "untrusted":
            yield f"{one['network']}: not listed, but the server may not have heard of this agent yet"
        elif one["state"] != "held":
            yield f"{one['network']}: to be disabled ({one['state']})"
    yield from pending_lines(status["pending"])


def pending_lines(pending: Sequence[Document]) -> Iterator[str]:
    """What networks wait for, one line each."""
    for one in pending:
        segment = f" segment {one['segment']}" if one["segment"] is not None else ""
        if one["what"] == "reload":
            yield f"{one['network']}: a reload {_ahead(one['retry']['in_seconds'])}: {one['retry']['reason']}"
            continue
        what = {
            "claim": "a DHCP port",
            "host": "work on the host",
            "leases": "a release of leases",
            "proxy": "a metadata proxy",
        }.get(one["what"], f"a {one['what']}")
        reasons = f" ({', '.join(one['reasons'])})" if one["reasons"] else ""
        yield f"{one['network']}{segment}: {what}{reasons}{_again(one['retry'])}"


def _again(retry: Document | None, *, time: bool = True) -> str:
    if retry is None:
        return ""
    when = f", again {_ahead(retry['in_seconds'])}" if time else ""
    return f"; failed {counted(retry['attempts'], 'time')}: {retry['reason']}{when}"


def _table(head: Sequence[str], rows: Iterator[Sequence[str]]) -> Iterator[str]:
    shown = [tuple(on_one_line(cell) for cell in row) for row in rows]
    widths = [max(len(row[column]) for row in (head, *shown)) for column in range(len(head))]
    for row in (head, *shown):
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """``1 port``, ``2 ports``."""
    return f"{count} {noun}" if count == 1 else f"{count} {plural or noun + 's'}"


def ago(seconds: float | None) -> str:
    """``never``, ``3.2 s ago``, ``5 min ago``."""
    return "never" if seconds is None else f"{_seconds(seconds)} ago"


def _ahead(seconds: float | None) -> str:
    if seconds is None:
        return "when there is news"
    return f"in {_seconds(seconds)}" if seconds else "now"


def _seconds(seconds: float) -> str:
    """In the largest unit that leaves two digits."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
