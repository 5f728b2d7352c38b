"""The parser of arguments: argparse, with our exit code and with help texts whose lines stay as they are written."""

from __future__ import annotations

import argparse
from importlib.metadata import version
from typing import Any, NoReturn

from dhcpcore_adapters.cli.errors import FAILED


class Parser(argparse.ArgumentParser):
    """An `ArgumentParser` that ends with 1 on wrong usage and takes no abbreviated options (scripts outlive them)."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where help is, and end the process."""
        self.exit(FAILED, f"{self.prog}: {message}; see {self.prog} --help\n")


class ShowVersion(argparse.Action):
    """Print the installed version and end; it is looked up then, so that all else works without an installation."""

    def __init__(self, **options: Any) -> None:
        super().__init__(nargs=0, help="show the version and end", **options)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        """Do it."""
        print(f"dhcpcore {version('dhcpcore')}")
        parser.exit()


def add_host_options(parser: argparse.ArgumentParser) -> None:
    """The options that say whose files these are."""
    parser.add_argument("--settings", metavar="S.json", help="options under Neutron's names, as a JSON object")
    parser.add_argument(
        "--host",
        metavar="H",
        help="the agent's host name, for finding its DHCP ports; default: the settings' option host, else told from the"
        " DHCP ports that are there",
    )
