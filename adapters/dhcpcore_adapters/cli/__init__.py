"""The command line ``dhcpcore``.

Knows arguments, standard streams, files and exit codes, and brings them together with the core; decides nothing about
networks.  Results go to stdout, everything said to people to stderr.  Each command is a module with `add` (its parser)
and `run` (its work), wired here by hand.  docs/command-line.md is the manual.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

from dhcpcore_adapters.cli import agent, apply, asking, explain, plan, render, replay, status
from dhcpcore_adapters.cli.arguments import Parser, ShowVersion
from dhcpcore_adapters.cli.errors import FAILED, CommandError, ResultsLost
from dhcpcore_adapters.cli.terminal import Terminal, writing_results

__all__ = ["main"]

_EXAMPLES = """\
examples:
  dhcpcore render network.json --out files          the files and command lines of one network
  dhcpcore render --jsonl < requests > answers      one request a line, for programs in other languages
  dhcpcore plan --current served.json --desired wanted.json
                                                    what a DHCP agent would do, and why; it does nothing
  dhcpcore agent --config agent.toml                serve DHCP on this host; then: dhcpcore status --config agent.toml
"""


def _parser() -> Parser:
    parser = Parser(
        prog="dhcpcore",
        description="DHCP with dnsmasq for networks of OpenStack Neutron, or a controller like it.",
        epilog=_EXAMPLES,
    )
    parser.add_argument("--version", action=ShowVersion)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (agent, status, explain, asking, replay, apply, plan, render):
        command.add(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code.

    Args:
        argv: arguments without the program's name; those of the process where None.
    """
    terminal = Terminal.of_process()
    options = _parser().parse_args(argv)
    try:
        code: int = options.run(options, terminal)
        with writing_results():
            sys.stdout.flush()
        return code
    except CommandError as error:
        for line in error.lines:
            terminal.say(line)
        return FAILED
    except BrokenPipeError:
        _drop_results()  # whoever read them has seen enough
        return 128 + signal.SIGPIPE
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except ResultsLost as error:
        _drop_results()
        terminal.say(f"results cannot be written: {error}; look at where stdout goes")
        return FAILED
    except OSError as error:
        what = "" if error.filename is None else f"{error.filename}: "
        why = f"{what}{error.strerror or error}"
        terminal.say(f"the system refused what this command needs: {why}; see to that and run again")
        return FAILED


def _drop_results() -> None:
    """What is still buffered must not fail again when Python ends (Python's library reference, signal, SIGPIPE)."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
