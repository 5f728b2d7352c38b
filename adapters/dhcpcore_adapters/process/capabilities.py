"""What the installed dnsmasq can do, asked once: an input of rendering and planning."""

from __future__ import annotations

import re
import subprocess
from typing import Final

from dhcpcore import AdapterError, DnsmasqCapabilities
from dhcpcore_adapters.process.children import waited_for
from dhcpcore_adapters.process.spawn import find_program

#: The first with --local-service (dnsmasq's CHANGELOG), which every command line has.
OLDEST: Final = (2, 69)
_VERSION: Final = re.compile(r"^Dnsmasq version [^\d\s]*(\d+)\.(\d+)", re.MULTILINE)
_INSTALL: Final = "install dnsmasq 2.81 or later (Debian, Ubuntu: dnsmasq-base; Fedora, RHEL, SUSE: dnsmasq)"
_SECONDS: Final = 10.0


def probe_dnsmasq(program: str = "dnsmasq") -> DnsmasqCapabilities:
    """Version and abilities of the installed dnsmasq.

    Raises:
        AdapterError: there is none, it is too old, or cannot be run; the message says what to install.
    """
    path = find_program(program)
    if path is None:
        raise AdapterError(f"there is no dnsmasq on this host; {_INSTALL}", retryable=False)
    code, said = _run([path, "--version"])
    match = _VERSION.search(said)
    if code != 0 or match is None:
        found = f"{path} --version does not tell a version (exit status {code})"
        raise AdapterError(f"{found}; {_INSTALL}", retryable=False)
    version = int(match[1]), int(match[2])
    if version < OLDEST:
        found = f"{path} is version {match[1]}.{match[2]}, older than {OLDEST[0]}.{OLDEST[1]}"
        raise AdapterError(f"{found}; {_INSTALL}", retryable=False)
    # Not told from the version: distributions have it in older ones.
    refused, _ = _run([path, "--test", "--conf-file=/dev/null", "--dhcp-host=tag:foo"])
    return DnsmasqCapabilities(version=version, host_tags=refused == 0)


def _run(argv: list[str]) -> tuple[int, str]:
    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd="/"
        )

    try:
        with waited_for(start) as started:
            try:
                said, _ = started.communicate(timeout=_SECONDS)
            finally:
                if started.returncode is None:
                    started.kill()
                    started.communicate()
    except (OSError, subprocess.SubprocessError) as error:
        raise AdapterError(f"{argv[0]} cannot be run: {error}; {_INSTALL}", retryable=False) from None
    return started.returncode, said.decode("utf-8", "replace")
