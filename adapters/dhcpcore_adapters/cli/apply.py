"""``dhcpcore apply``: bring this host to what the server wants, once, without an agent.

Knows how to show a plan, to ask before it is carried out, and to say what came of it; the rest is `once`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from typing import Any, Final

from attrs import evolve

from dhcpcore import Listing
from dhcpcore_adapters.cli.errors import CommandError
from dhcpcore_adapters.cli.live import Live, live
from dhcpcore_adapters.cli.once import Once
from dhcpcore_adapters.cli.sources import add_source_options
from dhcpcore_adapters.cli.terminal import Terminal

#: Something is left that is not as the server wants it.
LEFT: Final = 3

_EPILOG = """\
It looks at the host, asks the server, prints the plan, asks you, and carries it out. No state report is sent and no
agent is left running. What the server does not list is believed to be gone only if it lists at least one network for
this host, since a server that does not know this host's agent lists none; and the brake holds (docs/lifecycle.md).
--force lets go of both.

exit codes: 0 this host is as the server wants it; 1 error, nothing was changed; 3 something is left undone (see stderr)

examples:
  dhcpcore apply --config /etc/dhcpcore/agent.toml
  dhcpcore apply --config /etc/dhcpcore/agent.toml --only 5a1c... --yes --json
"""


def add(commands: Any) -> None:
    """Add the command's parser to those of the program."""
    parser = commands.add_parser(
        "apply",
        help="bring this host to what the server wants, once",
        description="Bring this host to what the server wants, once. Refuses while an agent runs.",
        epilog=_EPILOG,
    )
    parser.add_argument(
        "--only", metavar="ID", action="append", help="change nothing but this network; may be repeated"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask before the plan is carried out")
    parser.add_argument("--force", action="store_true", help="disable whatever the server does not list")
    parser.add_argument("--json", action="store_true", help="plan and outcome as JSON; needs --yes")
    add_source_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Do it; returns the exit code."""
    if options.json and not options.yes:
        raise CommandError(
            ["--json: expected --yes beside it, since nobody can be asked; look first with plan --observe"]
        )
    with live(options, terminal, exclusive=True) as world:
        return apply(world, options, terminal)


def apply(world: Live, options: argparse.Namespace, terminal: Terminal) -> int:
    """The command in a world that is there."""
    once, listing = _looked(world, options, terminal)
    while True:
        if not options.json:
            for line in listing.lines():
                terminal.result(terminal.painted(line))
        for note in (*notes(listing), *once.doubts()):
            terminal.say(note)
        agreed = not listing or options.yes or _agreed(terminal)
        if not listing or options.yes or not agreed:
            break
        # Somebody may have thought about it for an hour; what he agreed to is what he has seen.
        shown = listing
        once, listing = _looked(world, options, terminal)
        if listing.to_json() == shown.to_json():
            break
        terminal.say("what is to be done has changed while you were asked; now it is:")
    began = time.monotonic()
    if agreed:
        with terminal.progress() as progress:
            once.apply(lambda count: progress.show(f"{count:,} actions done"))
    _tell(once, listing, options, terminal, agreed=agreed, seconds=time.monotonic() - began)
    return 0 if agreed and not once.left() and not listing.unplanned and not listing.unknown else LEFT


def _looked(world: Live, options: argparse.Namespace, terminal: Terminal) -> tuple[Once, Listing]:
    once = Once(world.adapters, world.settings, world.capabilities, only=options.only, force=options.force)
    with terminal.progress() as progress:
        once.look(lambda count: progress.show(f"looking: {count:,} questions answered"))
        return once, once.listing()


def notes(listing: Listing) -> Iterator[str]:
    """What should be known beside the changes; the brake holds here and now."""
    held = listing.held
    if held is not None:
        yield (
            f"the brake holds {len(held.network_ids)} of {held.served} served networks that the server no longer lists:"
            " they stay as they are; --force disables them"
        )
    yield from evolve(listing, held=None).notes()


def _agreed(terminal: Terminal) -> bool:
    if not sys.stdin.isatty():
        raise CommandError(["nobody can be asked whether to carry this out: say --yes; nothing was changed"])
    terminal.out.flush()
    terminal.err.write("Carry it out? [y/N] ")
    terminal.err.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _tell(
    once: Once, listing: Listing, options: argparse.Namespace, terminal: Terminal, *, agreed: bool, seconds: float
) -> None:
    left = once.left()
    if options.json:
        document = {
            "format_version": 1,
            "plan": listing.to_json(),
            "actions": dict(sorted(once.counts.items())),
            "failures": [failure.to_json() for failure in once.failures],
            "left": [{"network": network_id, "reason": reason} for network_id, reason in left],
            "doubted": list(once.doubted),
        }
        terminal.result(json.dumps(document, indent=2))
    elif not agreed:
        terminal.result("Nothing was changed.")
    elif listing:
        state = f"{len(left)} {'thing is' if len(left) == 1 else 'things are'} left"
        if not left:
            state = "everything is as the server wants it"
        terminal.result(f"Done in {seconds:.1f} s: {state}.")
    for failure in once.failures:
        terminal.say(str(failure))
    told = {failure.network_id for failure in once.failures}
    for network_id, reason in left:
        if network_id in told:
            continue
        terminal.say(f"network {network_id} is not as the server wants it: {reason}")
