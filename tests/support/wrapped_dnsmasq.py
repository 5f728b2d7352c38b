"""A dnsmasq of a test's own, ahead of the installed one in PATH: it misbehaves for the networks that a test names.

It is a script that becomes the installed one, with the command line it was given, so what runs is a dnsmasq like any.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from support.namespace import found

_SCRIPT: Final = """\
#!/bin/bash
here={here}
if [ "$1" = --version ] && [ -e "$here/version" ]; then cat "$here/version"; exit 0; fi
for word in "$@"; do
    case $word in --pid-file=*) pid_file=${{word#*=}}; name=${{word%/pid}}; name=${{name##*/}};; esac
done
if [ -n "$name" ] && [ -e "$here/$name" ]; then . "$here/$name"; fi
exec -a dnsmasq {real} "$@"
"""
#: What to say instead of starting.
REFUSES: Final = 'echo "dnsmasq: failed to bind DHCP server socket: Address already in use" >&2; exit 2\n'
#: It serves, and a second later it is no more: long enough to be seen to serve, on a slow machine too.
CRASHES: Final = '(sleep 1; kill -SEGV "$(cat "$pid_file")") >/dev/null 2>&1 &\n'


class WrappedDnsmasq:
    """The script, in a directory of its own.

    Args:
        folder: where; need not exist.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.program = folder / "dnsmasq"
        # Before this one is in PATH.
        self._real = Path(found("dnsmasq") or "").resolve()
        self.install()

    @property
    def path(self) -> str:
        """For the variable PATH."""
        return f"{self._folder}{os.pathsep}{os.environ['PATH']}"

    def install(self) -> None:
        """Put it there, again after `remove`."""
        new = self._folder / "new"
        new.write_text(_SCRIPT.format(here=self._folder, real=self._real))
        new.chmod(0o755)
        new.rename(self.program)

    def misbehave(self, network_id: str, how: str) -> None:
        """From now on, at each start for this network."""
        (self._folder / network_id).write_text(how)

    def behave(self, network_id: str) -> None:
        """As it should, from now on."""
        (self._folder / network_id).unlink()

    def say_version(self, version: str) -> None:
        """What it says of itself from now on; the program is another file afterwards, as after an upgrade."""
        (self._folder / "version").write_text(f"Dnsmasq version {version}  Copyright (c) 2000-2024 Simon Kelley\n")
        self.install()
