"""``dhcpcore explain``: why a network is as it is, told by the running agent."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from dhcpcore_adapters.cli.asking import add_control_options, answer
from dhcpcore_adapters.cli.status import ago, counted, pending_lines
from dhcpcore_adapters.cli.terminal import Terminal, on_one_line

_EPILOG = """\
exit codes: 0 an agent answered; 1 error, or no agent answers

examples:
  dhcpcore explain 4d41a7a0-5b0c-4c1c-a6a6-8e8f9a4b9d5e --config /etc/dhcpcore/agent.toml
  dhcpcore explain 4d41a7a0-5b0c-4c1c-a6a6-8e8f9a4b9d5e --json | jq .because
"""

Document = Mapping[str, Any]
_SIGNS: Final[Mapping[str, str]] = {
    "enable": "+",
    "disable": "-",
    "remove_namespace": "-",
    "remove_device": "-",
    "stop_proxy": "-",
    "release_dhcp_port": "-",
    "forget_owed": "-",
}


def add(commands: Any) -> None:
    """Add the command's parser to those of the program."""
    parser = commands.add_parser(
        "explain",
        help="why a network is as it is",
        description="Ask the agent that runs on this host about one network: what is wanted and served, what it would"
        " do now, what it waits for and why, its last plan and the last events.",
        epilog=_EPILOG,
    )
    parser.add_argument("network", metavar="NETWORK", help="id of the network")
    parser.add_argument("--json", action="store_true", help="everything, as JSON (docs/command-line.md)")
    add_control_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Do it; returns the exit code."""
    explained = answer(options, "explain", network=options.network)
    if options.json:
        terminal.result(json.dumps(explained, indent=2))
        return 0
    for line in explain_lines(explained):
        terminal.result(terminal.painted(on_one_line(line)))
    return 0


def explain_lines(explained: Document) -> Iterator[str]:
    """The explanation as text, for people."""
    yield f"Network  {explained['network']}"
    yield f"Wanted   {_wanted(explained)}"
    yield from _several("Serves", [_instance(one) for one in explained["instances"]] or ["nothing"])
    yield from _several("Proxy", [f"{one['proxy']}, pid {_pid(one)}" for one in explained["metadata_proxies"]])
    yield from _several("Because", explained["because"])
    waiting = [*pending_lines(explained["pending"])]
    if explained["ports_to_be_reported"]:
        waiting.append(f"{counted(explained['ports_to_be_reported'], 'port')} to be reported once served")
    if explained["reload_waits"]:
        waiting.append("a reload waits for its time: changes come in a burst")
    yield from _section("Waiting", waiting)
    if explained["in_flight"]:
        yield from _section("Under way", explained["in_flight"])
    yield from _section("It would do now", action_lines(explained["would_do"]))
    last = explained.get("last_plan")
    if last is not None:
        yield from _section(f"Last plan, {ago(last['seconds_ago'])}", action_lines(last["actions"]))
    recent = explained.get("recent", ())
    yield from _section("Last events", (f"{ago(one['seconds_ago']):>10}  {one['text']}" for one in recent))


def action_lines(actions: Iterable[Document], *, network: str | None = None) -> Iterator[str]:
    """Actions in short, one line each, with the sign of what they do."""
    for action in actions:
        segment = "" if action.get("segment") is None else f" segment {action['segment']}"
        where = "" if network is None else f" {network}"
        reasons = "; ".join(action["reasons"])
        sign = _SIGNS.get(action["kind"], "~")
        yield f"{sign} {action['kind']}{where}{segment}" + (f": {reasons}" if reasons else "")


def _wanted(explained: Document) -> str:
    wanted = explained["wanted"]
    if wanted is None:
        return "nothing that is known"
    down = "" if wanted["admin_state_up"] else ", administratively down"
    segments = f", {counted(wanted['segments'], 'segment')}" if wanted["segments"] else ""
    return (
        f"{counted(wanted['subnets'], 'subnet')} ({wanted['dhcp_subnets']} with DHCP){segments},"
        f" {counted(wanted['ports'], 'port')}, MTU {wanted['mtu']}{down}"
    )


def _instance(one: Document) -> str:
    segment = "" if one["segment"] is None else f"segment {one['segment']}: "
    state = f"pid {_pid(one)}" if one["alive"] else "not running"
    addresses = " ".join(one["addresses"]) or "no address"
    taken = ", taken over" if one["adopted"] and one["alive"] else ""
    return f"{segment}{state} on {one['device'] or 'no device'}, {addresses}, {one['reservations']} reservations{taken}"


def _pid(one: Document) -> str:
    return str(one["pid"] or "-")


def _several(head: str, lines: Iterable[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        yield f"{head if not number else '':8} {line}"


def _section(head: str, lines: Iterable[str]) -> Iterator[str]:
    shown = [f"  {line}" for line in lines]
    if shown:
        yield ""
        yield f"{head}:"
        yield from shown
