"""Run the property tests in rounds, each with a fresh seed and more examples than the last, until the time is over.

    python .ci/fuzz.py SECONDS [argument of pytest]...

The first rounds are short, so that even a minute looks at every property; a property that has begun is finished, so the
end comes late by at most one of them for each worker. Exit status 0 when all held; 1 after the first round in which one
did not, with how to run that round again.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import time

FIRST_EXAMPLES = 50
MOST_EXAMPLES = 5000
TALLY = re.compile(r"^profile fuzz: ([\d,]+) properties, ([\d,]+) examples", re.MULTILINE)


def main(seconds: float, arguments: list[str]) -> int:
    until = time.time() + seconds
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
    print(f"fuzz: {rounds} rounds, {examples:,} examples, no counterexample")
    return 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(float(sys.argv[1]), sys.argv[2:]))
