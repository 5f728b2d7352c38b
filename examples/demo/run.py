"""The demonstration itself, inside its space: sets the stage, takes the steps in order, and tells how it went."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import traceback
from collections import Counter
from typing import Final

from demo.parts import LOGS, Agent, Metadata, Server
from demo.show import Proof, Show, as_json
from demo.space import FOLDER, found
from demo.stage import Stage
from demo.steps import STEPS
from demo.steps.step import Step
from demo.waiting import NotSo, Stopwatch, shown

FAILED: Final = 1


def run(show: Show, options: argparse.Namespace) -> int:
    """All of it; returns the exit code."""
    watch = Stopwatch()
    LOGS.mkdir()
    own4 = options.own_clients or found("udhcpc") is None
    own6 = options.own_clients or found("dhclient") is None
    haproxy = found("haproxy") is not None
    notes = _notes(own4, own6, haproxy)
    stage = Stage(
        own4=own4,
        own6=own6,
        metadata=Metadata() if haproxy else None,
        server=Server(),
        agent=Agent(metadata=haproxy),
    )
    show.say("dhcpcore on a host of its own: everything in it is real, and goes with it.")
    for note in notes:
        show.say(f"  note: {note}")
    show.say()
    proofs = _take(STEPS, stage, show)
    failed = [proof for proof in proofs if proof.outcome not in ("proven", "skipped")]
    kept = _keep() if failed or options.keep else None
    show.say()
    show.table(proofs)
    proven = sum(proof.outcome == "proven" for proof in proofs)
    show.say(f"{proven} of {len(proofs)} proven in {shown(watch.seconds)}{_rest(proofs)}")
    if kept is not None:
        show.say(f"logs, database and files: {kept}")
    if options.json:
        print(as_json(proofs, watch.seconds, notes, kept), flush=True)
    return FAILED if failed else 0


def _notes(own4: bool, own6: bool, haproxy: bool) -> list[str]:
    notes = []
    if own4:
        notes.append("machines run a DHCPv4 client of this demonstration's own, not udhcpc (package udhcpc)")
    if own6:
        notes.append("machines run a DHCPv6 client of this demonstration's own, not dhclient (package isc-dhcp-client)")
    if not haproxy:
        notes.append("SKIPPED: metadata, because there is no haproxy here (package haproxy)")
    return notes


def _rest(proofs: list[Proof]) -> str:
    others = Counter(proof.outcome for proof in proofs if proof.outcome != "proven")
    return "".join(f", {number} {outcome}" for outcome, number in others.items())


def _take(steps: tuple[Step, ...], stage: Stage, show: Show) -> list[Proof]:
    """Take the steps; one that fails does not keep the others from being tried, unless they need it."""
    proofs: list[Proof] = []
    missing: str | None = None
    for step in steps:
        watch = Stopwatch()
        if missing is not None:
            outcome, how = "not tried", f"because of: {missing}"
        elif step.needs_metadata and stage.metadata is None:
            outcome, how = "skipped", "there is no haproxy here"
        else:
            with show.under_way(step.what):
                outcome, how = _tried(step, stage)
            if outcome == "FAILED" and step.is_needed:
                missing = step.what
        proofs.append(Proof(what=step.what, how=how, outcome=outcome, seconds=watch.seconds))
        show.proof(proofs[-1])
    return proofs


def _tried(step: Step, stage: Stage) -> tuple[str, str]:
    try:
        return "proven", step.run(stage)
    except NotSo as error:
        return "FAILED", str(error)
    except Exception as error:  # an answer of another shape than expected is a failure too, and not the end
        with (LOGS / "demo.log").open("a") as log:
            log.write(f"{step.what}\n{traceback.format_exc()}\n")
        return "FAILED", f"{type(error).__name__}: {error}"


def _keep() -> str:
    """Copy what is in the space to a directory outside, without sockets; its path."""
    kept = tempfile.mkdtemp(prefix="dhcpcore-demo-")
    for folder, _, files in os.walk(FOLDER):
        there = os.path.join(kept, os.path.relpath(folder, FOLDER))
        os.makedirs(there, exist_ok=True)
        for name in files:
            path = os.path.join(folder, name)
            try:
                shutil.copy2(path, there)
            except (OSError, shutil.SpecialFileError) as error:
                if os.path.isfile(path):
                    print(f"demo: {path} is not kept: {error}", file=sys.stderr)
    return kept
