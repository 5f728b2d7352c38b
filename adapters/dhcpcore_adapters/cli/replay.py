"""``dhcpcore replay``: what an agent's journal holds, with state and plans computed again.

Knows files and texts; what a journal means is `dhcpcore.journal`.  Needs no privileges, no host and no server.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from dhcpcore import (
    ActionFailed,
    describe_action,
    describe_event,
    describe_state,
    event_networks,
    explain_network,
    plan_to_json,
)
from dhcpcore.journal import JournalError, Step, encode_event, replay
from dhcpcore_adapters.cli.errors import CommandError
from dhcpcore_adapters.cli.explain import action_lines, explain_lines
from dhcpcore_adapters.cli.status import counted, status_lines
from dhcpcore_adapters.cli.terminal import Terminal, on_one_line
from dhcpcore_adapters.journal import JournalFiles, Unreadable

_DIFFERS: Final = 2
_EPILOG = """\
exit codes: 0 all as recorded; 1 error; 2 something differs from what was recorded

examples:
  dhcpcore replay /var/lib/neutron/journal                     what happened, with each plan's reasons
  dhcpcore replay /var/lib/neutron/journal --step 120          event 120, its plan, and the state after it
  dhcpcore replay journal-00000003.jsonl.gz --network 4d41a7a0-5b0c-4c1c-a6a6-8e8f9a4b9d5e --until 120
"""


def add(commands: Any) -> None:
    """Add the command's parser to those of the program."""
    parser = commands.add_parser(
        "replay",
        help="what an agent's journal holds, computed again",
        description="Play the journal of an agent again (docs/flight-recorder.md): its events, the plans that follow"
        " from them with their reasons, outcomes, and where what was recorded differs from what this version computes.",
        epilog=_EPILOG,
    )
    parser.add_argument("journal", metavar="JOURNAL", help="a journal's directory, or one of its files")
    parser.add_argument("--network", metavar="ID", help="only what is about this network, and at last its state")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--until", metavar="N", type=_number, help="stop after step N, and show the state then")
    which.add_argument("--step", metavar="N", type=_number, help="only step N, in full, and the state after it")
    parser.add_argument("--json", action="store_true", help="one JSON object a line for each step")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Do it; returns the exit code."""
    show = _Json(options, terminal) if options.json else _Text(options, terminal)
    last: Step | None = None
    number = 0
    counts: Counter[str] = Counter()
    try:
        files = JournalFiles(options.journal)
        with terminal.progress(beside_results=True) as progress:
            for number, step in enumerate(_steps(files), start=1):
                last = step
                counts["differences"] += len(step.differences)
                counts["plans"] += bool(step.plan)
                counts["failures"] += isinstance(step.event, ActionFailed)
                if options.step is None and _is_shown(step, options.network):
                    show.step(number, step)
                progress.show(f"{number:,} steps")
                if number == (options.until or options.step):
                    break
    except Unreadable as error:
        raise CommandError([str(error)]) from None
    wanted = options.until or options.step
    if last is None or (wanted is not None and number < wanted):
        raise CommandError([f"{options.journal}: it has {counted(number, 'step')}, not {wanted or 'one'}"])
    show.end(number, last)
    for note in files.notes:
        terminal.say(note)
    told = f"{counted(number, 'step')}, {counted(counts['plans'], 'plan')}, {counted(counts['failures'], 'failure')}"
    terminal.say(f"{told}; {counted(counts['differences'], 'difference')} from what was recorded")
    return _DIFFERS if counts["differences"] else 0


def _steps(files: JournalFiles) -> Iterator[Step]:
    try:
        yield from replay(files)
    except JournalError as error:
        where = files.where(error.line) if error.line is not None else "at its end"
        said = f"{error.path or 'the line'}: expected {error.expected}, got {error.got}"
        raise Unreadable(f"{where}: {said}; begin with a later file of the journal") from None


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text[:18]) > 0 and len(text) <= 18):
        raise argparse.ArgumentTypeError("expected the number of a step, from 1")
    return int(text)


def _is_shown(step: Step, network_id: str | None) -> bool:
    if step.differences or step.checkpoint is not None:
        return True
    if network_id is not None:
        return step.event is not None and network_id in event_networks(step.event)
    # A plan that asks for nothing is of interest to nobody but the fold.
    return step.plan is None or bool(step.plan) or bool(step.plan.unplanned)


class _Text:
    """For people."""

    def __init__(self, options: argparse.Namespace, terminal: Terminal) -> None:
        self._options = options
        self._terminal = terminal

    def step(self, number: int, step: Step) -> None:
        """One line, and one for each action of a plan."""
        network_id = self._options.network
        about = () if step.event is None else event_networks(step.event)
        where = f"  {about[0]}" if len(about) == 1 and network_id is None and step.plan is None else ""
        self._line(f"{number:>7} {step.at:>14.3f}{where}  {_text(step)}")
        if step.plan is not None:
            for action in step.plan:
                if network_id in (None, action.network_id):
                    for line in action_lines([describe_action(action)], network=action.network_id):
                        self._line(line, indent=26)
            for failure in step.plan.unplanned:
                self._line(f"! no plan can be made for {failure.network_id}: {failure.reason}", indent=26)
        for difference in step.differences:
            self._line(f"! {difference}", indent=26)

    def end(self, number: int, step: Step) -> None:
        """The state, where it was asked for."""
        if self._options.step is not None:
            self.step(number, step)
            if step.event is not None:
                self._line("")
                for line in json.dumps(encode_event(step.event), indent=2).splitlines():
                    self._line(line)
        network_id = self._options.network
        if network_id is not None:
            self._line("")
            for line in explain_lines(explain_network(step.after, network_id, step.at)):
                self._line(line)
        elif self._options.step is not None or self._options.until is not None:
            self._line("")
            for line in status_lines(describe_state(step.after, step.at)):
                self._line(line)

    def _line(self, line: str, indent: int = 0) -> None:
        self._terminal.result(" " * indent + self._terminal.painted(on_one_line(line)))


class _Json:
    """For programs: a line for each step that is shown, and one more where a state is asked for."""

    def __init__(self, options: argparse.Namespace, terminal: Terminal) -> None:
        self._options = options
        self._terminal = terminal

    def step(self, number: int, step: Step) -> None:
        """One line."""
        self._terminal.result(json.dumps(self._document(number, step)))

    def end(self, number: int, step: Step) -> None:
        """The last line."""
        network_id = self._options.network
        if network_id is None and self._options.step is None and self._options.until is None:
            return
        state = (
            describe_state(step.after, step.at)
            if network_id is None
            else explain_network(step.after, network_id, step.at)
        )
        document: dict[str, Any] = {"step": number}
        if self._options.step is not None:
            document = self._document(number, step)
        if self._options.step is not None and step.event is not None:
            document["event"] = encode_event(step.event)
        self._terminal.result(json.dumps({**document, "state": state}))

    def _document(self, number: int, step: Step) -> dict[str, Any]:
        checkpoint = step.checkpoint
        return {
            "step": number,
            "line": step.line,
            "seq": step.seq,
            "at": step.at,
            "kind": type(step.event).__name__ if step.event is not None else "checkpoint" if checkpoint else "unknown",
            "networks": [] if step.event is None else list(event_networks(step.event)),
            "text": _text(step),
            "plan": None if step.plan is None else plan_to_json(step.plan),
            "differences": list(step.differences),
        }


def _text(step: Step) -> str:
    if step.checkpoint is not None:
        head = step.checkpoint
        why = {
            "start": "an agent starts",
            "continued": "another file begins",
            "gap": f"{counted(head.lost, 'event')} before it missing",
        }[head.checkpoint]
        return f"checkpoint ({why}): {counted(head.networks, 'network')}, {head.wall or 'no time of day'}"
    return "the outcome of an action that is not known" if step.event is None else describe_event(step.event)
