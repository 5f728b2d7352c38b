"""Runs the demonstration: ``python -m demo [--json] [--keep] [--own-clients]``, with ``examples`` on the path.

Exit code 0: everything was proven; 1: something was not, or it cannot run here; 130 and the like: interrupted.
"""

from __future__ import annotations

import argparse
import sys

from demo.run import FAILED, run
from demo.show import Show
from demo.space import Interrupted, NoSpace, as_first_process, found, run_inside

#: Seconds after which all of it is ended, whatever it hangs on.
_AT_MOST = 150.0
_WANTED = {"dnsmasq": "dnsmasq-base", "ip": "iproute2", "unshare": "util-linux"}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="demo", description="Server, agent, dnsmasq and DHCP clients, live.")
    parser.add_argument("--json", action="store_true", help="the results as JSON on stdout, progress on stderr")
    parser.add_argument("--keep", action="store_true", help="keep logs, database and files even when all went well")
    parser.add_argument(
        "--own-clients", action="store_true", help="use DHCP clients of its own even where udhcpc and dhclient are"
    )
    parser.add_argument("--inside", type=int, metavar="DESCRIPTOR", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    show = Show(sys.stderr if options.json else sys.stdout)
    if options.inside is not None:
        return as_first_process(options.inside, lambda: run(show, options))
    for program, package in _WANTED.items():
        if found(program) is None:
            return _complain(f"there is no {program} here: apt-get install {package}")
    try:
        code = run_inside(arguments, _AT_MOST)
    except (NoSpace, TimeoutError) as error:
        return _complain(str(error))
    except Interrupted as interrupted:
        number = int(interrupted.args[0])
        print("\ndemo: interrupted; everything it started has ended, and nothing is left", file=sys.stderr)
        return 128 + number
    if code not in (0, FAILED):
        return _complain(f"it was ended in the middle (exit code {code}); nothing is left")
    return code


def _complain(text: str) -> int:
    print(f"demo: {text}", file=sys.stderr)
    return FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
