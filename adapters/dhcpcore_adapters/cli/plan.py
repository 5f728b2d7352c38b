"""``dhcpcore plan``: what a DHCP agent would do, and why.  Touches nothing.

Between two lists of networks it is pure; with --observe it looks at this host and asks the server, and only reads.
"""

from __future__ import annotations

import argparse
import json
from typing import Any, Final

from dhcpcore import Listing, Network, PayloadError, SettingsError, parse_networks, plan_difference, settings_of_host
from dhcpcore_adapters.cli.arguments import add_host_options
from dhcpcore_adapters.cli.documents import read_json
from dhcpcore_adapters.cli.errors import CommandError
from dhcpcore_adapters.cli.live import Live, live
from dhcpcore_adapters.cli.once import Once
from dhcpcore_adapters.cli.sources import add_source_options
from dhcpcore_adapters.cli.terminal import Terminal

CHANGES: Final = 2

_EPILOG = """\
  + enable     - disable     ~ reload (also routes, addresses, metadata proxy, repairs)     ! restart

exit codes: 0 done; 1 error; with --detailed-exitcode 0 no changes, 1 error, 2 changes

examples:
  dhcpcore plan --current served.json --desired wanted.json
  dhcpcore plan --current served.json --desired wanted.json --only 5a1c... --json
  dhcpcore plan --observe --config /etc/dhcpcore/agent.toml
"""


def add(commands: Any) -> None:
    """Add the command's parser to those of the program."""
    parser = commands.add_parser(
        "plan",
        help="list what a DHCP agent would do, and why",
        description="List what a DHCP agent that serves the networks of A would do when the server wants those of B;"
        " or, with --observe, what an agent would do on this host now.",
        epilog=_EPILOG,
    )
    parser.add_argument("--current", metavar="A.json", help="list of networks in wire form: served now")
    parser.add_argument("--desired", metavar="B.json", help="the same: what the server wants")
    add_host_options(parser)
    parser.add_argument(
        "--observe",
        action="store_true",
        help="look at this host and ask the server, instead of reading A and B; changes nothing, and reports nothing",
    )
    parser.add_argument(
        "--only",
        metavar="ID",
        action="append",
        help="plan a partial sync: this network, and those that only B has; may be repeated",
    )
    parser.add_argument("--json", action="store_true", help="the listing as JSON")
    parser.add_argument("--detailed-exitcode", action="store_true", help="exit with 2 where there are changes")
    add_source_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Do it; returns the exit code."""
    _check(options)
    if options.observe:
        with live(options, terminal, exclusive=False) as world:
            return plan_observed(world, options, terminal)
    with terminal.progress() as progress:
        current, desired = _both(options.current, options.desired)
        progress.show(f"planning for {max(len(current), len(desired)):,} networks")
        listing = _listing(options, current, desired, terminal)
    return _show(listing, options, terminal)


def plan_observed(world: Live, options: argparse.Namespace, terminal: Terminal) -> int:
    """The command with --observe, in a world that is there."""
    once = Once(world.adapters, world.settings, world.capabilities, only=options.only)
    with terminal.progress() as progress:
        once.look(lambda count: progress.show(f"looking: {count:,} questions answered"))
        listing = once.listing(unbraked=True)
    code = _show(listing, options, terminal)
    for failure in once.failures:
        terminal.say(f"{failure}; that network stays as it is until an agent can ask again")
    for doubt in once.doubts():
        terminal.say(doubt)
    return code


def _check(options: argparse.Namespace) -> None:
    files = [name for name in ("current", "desired") if getattr(options, name) is not None]
    live_only = [name for name, given in (("--config", options.files), ("-o", options.singles)) if given]
    if options.observe:
        wrong = [
            f"--{name}" for name in (*files, *(n for n in ("settings", "host") if getattr(options, n) is not None))
        ]
        if wrong:
            said = (
                f"--observe takes no {', '.join(wrong)}: it reads this host, the server, and the settings of --config"
            )
            raise CommandError([said])
    elif len(files) < 2:
        raise CommandError(["expected --current A.json and --desired B.json, or --observe; see dhcpcore plan --help"])
    elif live_only:
        raise CommandError(
            [f"{', '.join(live_only)}: only with --observe; between two files --settings has the options"]
        )


def _show(listing: Listing, options: argparse.Namespace, terminal: Terminal) -> int:
    if options.json:
        terminal.result(json.dumps(listing.to_json(), indent=2))
    else:
        for line in listing.lines():
            terminal.result(terminal.painted(line))
    for note in listing.notes():
        terminal.say(note)
    return CHANGES if options.detailed_exitcode and listing else 0


def _listing(
    options: argparse.Namespace, current: tuple[Network, ...], desired: tuple[Network, ...], terminal: Terminal
) -> Listing:
    mapping = {} if options.settings is None else read_json(options.settings)
    try:
        host = settings_of_host(mapping, host=options.host, current=current, desired=desired)
    except SettingsError as error:
        raise CommandError([f"{options.settings or '--host'}: {error}; correct it and run again"]) from None
    for name in host.unknown:
        terminal.say(f"{options.settings}: option {name} is not known here and has no effect")
    if host.note is not None:
        terminal.say(f"{host.note}; say which with --host")
    return plan_difference(current, desired, host.settings, only=options.only)


def _both(*paths: str) -> tuple[tuple[Network, ...], ...]:
    """The networks of each file; where some are bad, all of those are told at once."""
    found, wrong = [], []
    for path in paths:
        try:
            networks, refused = parse_networks(read_json(path))
            found.append(networks)
            wrong += [f"{path}: {one.error}; correct it and run again" for one in refused]
        except PayloadError as error:
            wrong.append(f"{path}: {error}; write a list of networks, as get_active_networks_info answers it")
        except CommandError as error:
            wrong += error.lines
    if wrong:
        raise CommandError(wrong)
    return tuple(found)
