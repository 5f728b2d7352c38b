"""``dhcpcore sync`` and ``dhcpcore force-disable``: wishes, told to the running agent through its control socket."""

from __future__ import annotations

import argparse
from typing import Any, Final

from dhcpcore_adapters.agent.control import ANSWER_SECONDS, ControlError, ask
from dhcpcore_adapters.cli.errors import CommandError
from dhcpcore_adapters.cli.sources import add_source_options, sources_of
from dhcpcore_adapters.cli.terminal import Terminal, on_one_line

_CODES: Final = "exit codes: 0 the agent was told; 1 error, or no agent answers"


def add(commands: Any) -> None:
    """Add the commands' parsers to those of the program."""
    sync = commands.add_parser(
        "sync",
        help="let the running agent ask its server for everything",
        description="Let the running agent ask its server for all networks, or for one. It returns at once.",
        epilog=_CODES,
    )
    sync.add_argument("network", nargs="?", metavar="NETWORK", help="id of a network; default: all of them")
    add_control_options(sync)
    sync.set_defaults(run=_sync)
    force = commands.add_parser(
        "force-disable",
        help="let the running agent disable what its brake holds",
        description="Networks that the server suddenly no longer lists are held by a brake when they are many (docs/"
        "lifecycle.md). Let the running agent disable those that `dhcpcore status` calls held, at once.",
        epilog=_CODES,
    )
    add_control_options(force)
    force.set_defaults(run=_force_disable)


def add_control_options(parser: argparse.ArgumentParser) -> None:
    """The options that say which agent is asked."""
    parser.add_argument("--socket", metavar="PATH", help="the agent's control socket; default: as the settings have it")
    parser.add_argument(
        "--timeout", metavar="SECONDS", type=float, default=ANSWER_SECONDS, help="for the answer; default: %(default)g"
    )
    add_source_options(parser)


def answer(options: argparse.Namespace, command: str, **request: str | None) -> Any:
    """What the agent answers.

    Raises:
        CommandError: none does.
    """
    if not 0 < options.timeout < 1e6:
        raise CommandError([f"--timeout {options.timeout:g}: expected seconds, more than 0"])
    path = options.socket
    if path is None:
        settings, agent_options, _ = sources_of(options).read()
        path = agent_options.place(agent_options.control_socket, settings)
    try:
        return ask(path, {"command": command, **request}, options.timeout)
    except ControlError as error:
        raise CommandError([str(error)]) from None


def _sync(options: argparse.Namespace, terminal: Terminal) -> int:
    told = answer(options, "sync", network=options.network)
    terminal.result(f"The agent asks the server for {on_one_line(str(told['asked']))}.")
    return 0


def _force_disable(options: argparse.Namespace, terminal: Terminal) -> int:
    networks = answer(options, "force-disable")["let_go"]
    for network_id in networks:
        terminal.result(f"- {on_one_line(str(network_id))}")
    terminal.result(f"The brake held {len(networks)} {'network' if len(networks) == 1 else 'networks'}.")
    return 0
