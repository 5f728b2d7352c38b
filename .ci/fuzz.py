"""Run the property tests, then simulated histories of the agent, with fresh seeds, until the time is over.

    python .ci/fuzz.py SECONDS [--workers N] [argument of pytest]...

Half of the time goes to the properties, in rounds, each with a fresh seed and more examples than the last: the first
rounds are short, so that even a minute looks at every property; a property that has begun is finished, so that half
ends late by at most one of them for each worker.  The rest goes to the simulation (docs/simulation.md).  What there was
of everything is counted.  Exit status 0 when all held; 1 after the first that did not, with how to run it again.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import time
from pathlib import Path

FIRST_EXAMPLES = 50
MOST_EXAMPLES = 5000
TALLY = re.compile(r"^profile fuzz: ([\d,]+) properties, ([\d,]+) examples", re.MULTILINE)
TESTS = Path(__file__).parents[1] / "tests"


def main(seconds: float, arguments: list[str]) -> int:
    began = time.time()
    workers = "2"
    if arguments[:1] == ["--workers"]:
        workers, arguments = arguments[1], arguments[2:]
    failed = properties(began + seconds / 2, ["-n", workers, "--dist", "worksteal", *arguments])
    return failed or simulation(max(1.0, began + seconds - time.time()), workers)


def properties(until: float, arguments: list[str]) -> int:
    rounds = examples = 0
    per_property = FIRST_EXAMPLES
    while time.time() < until:
        seed = random.SystemRandom().randrange(2**32)
        environment = os.environ | {
            "DHCPCORE_HYPOTHESIS_PROFILE": "fuzz",
            "DHCPCORE_FUZZ_EXAMPLES": str(per_property),
            "DHCPCORE_FUZZ_UNTIL": str(until),
        }
        command = [sys.executable, "-m", "pytest", "-m", "hypothesis", "-q", "-rfE", "--no-header"]
        command += [f"--hypothesis-seed={seed}", *arguments]
        ran = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True)
        tally = TALLY.search(ran.stdout)
        if ran.returncode != 0 or tally is None:
            print(ran.stdout)
            print(f"fuzz: FAILED in round {rounds + 1}. The same round again:")
            again = f'PROFILE=fuzz ARGS="-m hypothesis --hypothesis-seed={seed}"'
            print(f"    DHCPCORE_FUZZ_EXAMPLES={per_property} make test {again}")
            return 1
        rounds += 1
        examples += int(tally[2].replace(",", ""))
        told = f"{tally[1]} properties, {tally[2]} examples (up to {per_property:,} each)"
        print(f"fuzz: round {rounds}, seed {seed}: {told}", flush=True)
        per_property = min(2 * per_property, MOST_EXAMPLES)
    if not examples:
        print("fuzz: FAILED, nothing ran: the time was too short to begin")
        return 1
    print(f"fuzz: {rounds} rounds, {examples:,} examples, no counterexample", flush=True)
    return 0


def simulation(seconds: float, workers: str) -> int:
    command = [sys.executable, "-m", "dhcpcore.testing.simulation", "--agent", "simulation.real_loop:make_agent"]
    command += ["--seconds", str(seconds), "--workers", workers]
    path = os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
    status = subprocess.run(command, env=os.environ | {"PYTHONPATH": path}).returncode
    print("fuzz: the simulation FAILED" if status else "fuzz: every law held in every history")
    return status


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(float(sys.argv[1]), sys.argv[2:]))
