"""BusyBox's DHCPv4 client in a station."""

from __future__ import annotations

import signal

from support.clients.configuration import Configuration4, Event, from_udhcpc
from support.clients.program import PATIENCE, Identity, Program
from support.clients.station import DEVICE, Station
from support.namespace import found

#: What it is asked to ask for: what a cloud image asks for. 26: MTU; 119: search list; 121: classless routes.
_REQUESTED = (1, 3, 6, 12, 15, 26, 42, 51, 54, 119, 121)


class Udhcpc(Program[Configuration4]):
    """udhcpc, started at once.

    Args:
        request_address: the address to ask for (option 50).
        seconds_between: seconds between two DISCOVERs.
    """

    def __init__(
        self,
        station: Station,
        identity: Identity | None = None,
        *,
        request_address: str | None = None,
        seconds_between: int = 1,
        name: str = "udhcpc",
    ) -> None:
        super().__init__(station, name, "udhcpc", from_udhcpc, ("bound", "renew"))
        self.identity = identity or Identity()
        program = found("udhcpc")
        assert program is not None, "there is no udhcpc here: apt-get install udhcpc"
        # It begins anew every so often, and never gives up (no -n).
        timing = ["-t", "3", "-T", str(seconds_between), "-A", "1"]
        address = ["-r", request_address] if request_address is not None else []
        self._start([program, "-f", "-i", DEVICE, "-s", str(self.hook), *timing, *address, *_told(self.identity)])

    def renew(self, seconds: float = PATIENCE) -> Configuration4:
        """Renew the lease now (SIGUSR1), and return what the answer said."""
        before = len(self.events())
        self.send_signal(signal.SIGUSR1)
        return self.configuration(seconds, after=before)

    def release(self, seconds: float = PATIENCE) -> Event:
        """Give the lease back (SIGUSR2); it runs on and asks for nothing."""
        before = len(self.events())
        self.send_signal(signal.SIGUSR2)
        return self.wait(["deconfig"], seconds, after=before)


def _told(identity: Identity) -> list[str]:
    told = ["-o"]
    for number in (*_REQUESTED, *identity.request):
        told += ["-O", str(number)]
    options = dict(identity.options)
    if identity.client_id is not None:
        options[61] = identity.client_id
        told.append("-C")
    if identity.hostname is not None:
        options[12] = identity.hostname.encode()
    if identity.vendor_class is not None:
        told += ["-V", identity.vendor_class]
    for number, value in options.items():
        told += ["-x", f"0x{number:02x}:{value.hex()}"]
    return told
