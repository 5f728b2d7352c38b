"""ISC's clients in a station: DHCPv4, DHCPv6 for an address, and DHCPv6 for information only.

They run on a copy of the program: a distribution's AppArmor profile is for its path, and allows no hook but the
distribution's own.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Sequence

from support.clients.configuration import Configuration4, Configuration6, from_dhclient4, from_dhclient6
from support.clients.program import PATIENCE, C, Identity, NoLease, Program
from support.clients.station import DEVICE, Station
from support.namespace import found

_TIMES = "timeout 10;\nretry 1;\nreboot 3;\ninitial-interval 1;\nbackoff-cutoff 2;\nselect-timeout 0;\n"
_CLASSLESS = "option rfc3442-classless-static-routes code 121 = array of unsigned integer 8;\n"
_REQUESTED4 = (
    "subnet-mask, broadcast-address, routers, domain-name, domain-name-servers, domain-search, host-name, "
    "interface-mtu, rfc3442-classless-static-routes, ntp-servers"
)
_REQUESTED6 = "dhcp6.name-servers, dhcp6.domain-search"


class _Dhclient(Program[C]):
    """What the three have in common: the copy, and the files."""

    _flags: Sequence[str] = ()

    def _prepare(self, name: str, text: str) -> None:
        program = found("dhclient")
        assert program is not None, "there is no dhclient here: apt-get install isc-dhcp-client"
        self._program = self.folder / "client-of-isc"
        if not self._program.exists():
            shutil.copy2(program, self._program)
        self._configuration = self.folder / f"{name}.conf"
        self._configuration.write_text(text)
        self.leases = self.folder / f"{name}.leases"
        self.leases.unlink(missing_ok=True)
        self._pid = self.folder / f"{name}.pid"

    def _argv(self, *flags: str) -> list[str]:
        files = ["-sf", self.hook, "-cf", self._configuration, "-lf", self.leases, "-pf", self._pid]
        return [str(each) for each in (self._program, *self._flags, *flags, "-v", *files, DEVICE)]

    def reboot(self, seconds: float = PATIENCE) -> C:
        """End it and start it anew with its leases, as a machine does that was rebooted.

        It asks to have its lease confirmed: a REQUEST in the state INIT-REBOOT, for IPv6 a CONFIRM.
        """
        before = len(self.events())
        self._start(self._argv("-d"))
        return self.configuration(seconds, after=before)

    def release(self) -> None:
        """Give the lease back, and end it."""
        self._wait_for_its_pid()
        self.station.run(self._argv("-r"))
        try:
            self.ended(5)
        except subprocess.TimeoutExpired:
            # The lease is given back by the one that was run for it; the other looks for signals now and then only, and
            # may miss the one that it was sent.
            self.stop()

    def _wait_for_its_pid(self) -> None:
        """Wait until its own pid is in its file: it is written after the hook, and tells whom a release ends."""
        assert self._process is not None, "it was never started"
        deadline = time.monotonic() + PATIENCE
        while not (self._pid.exists() and self._pid.read_text().strip() == str(self._process.pid)):
            if time.monotonic() > deadline:
                raise NoLease(f"{self.station.name} has not written its pid {self._process.pid} in {PATIENCE} s")
            time.sleep(0.01)


class Dhclient4(_Dhclient[Configuration4]):
    """dhclient for IPv4, started at once.

    Args:
        renew_after, rebind_after: seconds, in place of the server's T1 and T2: how it is made to renew by itself.
    """

    _flags = ("-4",)

    def __init__(
        self,
        station: Station,
        identity: Identity | None = None,
        *,
        renew_after: int | None = None,
        rebind_after: int | None = None,
        name: str = "dhclient4",
    ) -> None:
        super().__init__(station, name, "dhclient", from_dhclient4, ("BOUND", "RENEW", "REBIND", "REBOOT"))
        times = {"renewal": renew_after, "rebinding": rebind_after}
        superseded = [f"supersede dhcp-{kind}-time {n};\n" for kind, n in times.items() if n is not None]
        self._prepare(name, _TIMES + _CLASSLESS + _told(identity or Identity()) + "".join(superseded))
        self._start(self._argv("-d"))

    def position(self) -> int:
        """How much it has logged so far, for `renewed` and `rebound`."""
        return self.log.stat().st_size if self.log.exists() else 0

    def renewed(self, seconds: float = PATIENCE, *, after: int = 0) -> Configuration4:
        """Wait until it has renewed its lease by itself, unicast, as it does at `renew_after`.

        Args:
            after: the `position` in its log from which on it counts.
        """
        return self._extended(r"(?!255\.255\.255\.255)[\d.]+", seconds, after)

    def rebound(self, seconds: float = PATIENCE, *, after: int = 0) -> Configuration4:
        """Wait until a broadcast renewal was answered: one sent after `rebind_after`, since nobody answered before.

        Args:
            after: the `position` in its log from which on it counts.
        """
        return self._extended(r"255\.255\.255\.255", seconds, after)

    def wait_until_rebinding(self, seconds: float = PATIENCE, *, after: int = 0) -> None:
        """Wait until it has broadcast a renewal, answered or not."""
        self._logged(r"DHCPREQUEST for \S+ on \S+ to 255\.255\.255\.255 ", seconds, after)

    def _extended(self, destination: str, seconds: float, after: int) -> Configuration4:
        # It tells the hook RENEW for both; its log tells them apart. "bound to" comes when the hook has ended.
        request = rf"DHCPREQUEST for \S+ on \S+ to {destination} port 67"
        self._logged(rf"{request}.*\nDHCPACK of .*\nbound to ", seconds, after)
        return self._read([event for event in self.events() if event.reason in self._good][-1].told)

    def _logged(self, pattern: str, seconds: float, after: int) -> None:
        deadline = time.monotonic() + seconds
        while not re.search(pattern, said := self.log.read_bytes()[after:].decode("utf-8", "replace")):
            if time.monotonic() > deadline:
                raise NoLease(f"{self.station.name} has not logged {pattern!r} in {seconds} s:\n{said[-1500:]}")
            time.sleep(0.01)


class Dhclient6(_Dhclient[Configuration6]):
    """dhclient for an IPv6 address (stateful DHCPv6), started at once; its DUID is made of its MAC address."""

    _flags = ("-6", "-D", "LL")

    def __init__(self, station: Station, *, name: str = "dhclient6") -> None:
        super().__init__(station, name, "dhclient", from_dhclient6, ("BOUND6", "RENEW6", "REBIND6", "REBOOT6"))
        self._prepare(name, f"{_TIMES}also request {_REQUESTED6};\n")
        self._start(self._argv("-d"))

    def renew(self, seconds: float = PATIENCE) -> Configuration6:
        """Let the time to renew (T1) be over, and return what the answer to the RENEW said."""
        return self._at_time("RENEW6", {"renew": 1}, seconds)

    def rebind(self, seconds: float = PATIENCE) -> Configuration6:
        """Let the time to rebind (T2) be over, and return what the answer to the REBIND said."""
        return self._at_time("REBIND6", {"renew": 1, "rebind": 1}, seconds)

    def _at_time(self, reason: str, times: dict[str, int], seconds: float) -> Configuration6:
        # It has no command for this: it believes the times in its leases file when it starts.
        self.stop()
        text = self.leases.read_text()
        for name, value in times.items():
            text = re.sub(rf"^( +{name}) \d+;$", rf"\1 {value};", text, flags=re.MULTILINE)
        self.leases.write_text(text)
        before = len(self.events())
        self._start(self._argv("-d"))
        return self._read(self.wait([reason], seconds, after=before).told)


class DhclientInformation6(_Dhclient[Configuration6]):
    """dhclient for information only (stateless DHCPv6, -S), started at once."""

    _flags = ("-6", "-S", "-D", "LL")

    def __init__(self, station: Station, *, name: str = "dhclient6s") -> None:
        super().__init__(station, name, "dhclient", from_dhclient6, ("BOUND6", "RENEW6", "REBIND6"))
        self._prepare(name, f"{_TIMES}also request {_REQUESTED6};\n")
        self._start(self._argv("-d"))


def _told(identity: Identity) -> str:
    text, requested = "", _REQUESTED4
    if identity.client_id is not None:
        text += f"send dhcp-client-identifier {identity.client_id.hex(':')};\n"
    if identity.hostname is not None:
        text += f'send host-name "{identity.hostname}";\n'
    if identity.vendor_class is not None:
        text += f'send vendor-class-identifier "{identity.vendor_class}";\n'
    # Whatever an option is to dhclient, here it is bytes.
    for number, value in identity.options.items():
        text += f"option sent-{number} code {number} = string;\nsend sent-{number} {value.hex(':')};\n"
    for number in identity.request:
        name = {66: "tftp-server-name", 67: "bootfile-name"}.get(number)
        if name is None:
            name = f"asked-{number}"
            text += f"option {name} code {number} = string;\n"
        requested += f", {name}"
    return f"{text}request {requested};\n"
