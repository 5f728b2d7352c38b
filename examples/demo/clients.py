"""DHCPv4 clients in a machine: BusyBox's udhcpc, or one of our own where there is none.

Both put what they are given on the device, as a machine does.
"""

from __future__ import annotations

import signal
import socket
from typing import Final, Protocol

from demo.leases import Lease4, from_options, from_udhcpc
from demo.machines import DEVICE, Machine
from demo.packets import ACK, ASKED_FOR, DISCOVER, OFFER, REQUEST, REQUESTED_ADDRESS, SERVER_ID, Wire, ask_server
from demo.space import found
from demo.waiting import PATIENCE, NotSo, until

#: Puts the lease on the device, and writes down what udhcpc says; "." ends what belongs to one call.
_SCRIPT: Final = """\
#!/bin/sh
case $1 in
deconfig) ip -4 addr flush dev $interface ;;
bound|renew)
    ip -4 addr flush dev $interface
    ip addr add $ip/$mask dev $interface
    [ -z "$mtu" ] || ip link set $interface mtu $mtu
    set -- "$1" $staticroutes
    while [ $# -gt 2 ]; do
        ip route replace $2 via $3 dev $interface onlink
        event=$1
        shift 3
        set -- "$event" "$@"
    done
    ;;
esac
{ echo "event=$1"; env; echo .; } >>EVENTS
"""


class Client4(Protocol):
    """A DHCPv4 client."""

    def lease(self) -> Lease4:
        """The lease that it got."""
        ...

    def renew(self) -> Lease4:
        """Renew, and begin anew where the server refuses that; the lease then."""
        ...


def client4(machine: Machine, *, own: bool) -> Client4:
    """A client, started."""
    return OwnClient(machine) if own else Udhcpc(machine)


class Udhcpc:
    """BusyBox's client, as it is in many small images."""

    def __init__(self, machine: Machine) -> None:
        self._name = machine.name
        self._events = machine.folder / "udhcpc.events"
        script = machine.folder / "udhcpc.script"
        script.write_text(_SCRIPT.replace("EVENTS", str(self._events)))
        script.chmod(0o755)
        wanted = [word for number in ASKED_FOR for word in ("-O", str(number))]
        timing = ["-t", "3", "-T", "1", "-A", "1"]
        argv = [found("udhcpc") or "udhcpc", "-f", "-o", "-i", DEVICE, "-s", str(script), *timing, *wanted]
        self._process = machine.start(argv, machine.folder / "udhcpc.log")

    def lease(self) -> Lease4:
        return self._wait(0)

    def renew(self) -> Lease4:
        before = len(self._seen())
        self._process.send_signal(signal.SIGUSR1)
        return self._wait(before)

    def _wait(self, after: int) -> Lease4:
        def good() -> list[dict[str, str]]:
            return [told for told in self._seen()[after:] if told["event"] in ("bound", "renew")]

        return from_udhcpc(until(f"udhcpc of {self._name} gets a lease", good)[-1])

    def _seen(self) -> list[dict[str, str]]:
        """All calls of the script so far, those that are written to the end."""
        if not self._events.exists():
            return []
        *whole, _ = f"\n{self._events.read_text(errors='replace')}".split("\n.\n")
        lines = ([line.partition("=") for line in text.splitlines()] for text in whole)
        return [{name: value for name, equals, value in call if equals} for call in lines]


class OwnClient:
    """The least that a client has to do: DISCOVER and REQUEST, and a REQUEST to extend the lease."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._lease = self._begin()

    def lease(self) -> Lease4:
        return self._lease

    def renew(self) -> Lease4:
        machine, lease = self._machine, self._lease
        reply = ask_server(DEVICE, machine.namespace, lease.server, machine.mac, lease.address, PATIENCE)
        if reply is None:
            raise NotSo(f"the server does not answer {machine.name}, which wants to keep {lease.address}")
        if reply.kind == ACK:
            self._take(from_options(reply.address, reply.options))
        else:
            self._begin()
        return self._lease

    def _begin(self) -> Lease4:
        mac = self._machine.mac
        with Wire(DEVICE, self._machine.namespace) as wire:
            offer = until(f"{self._machine.name} is offered an address", lambda: wire.ask(DISCOVER, mac, {}, 1))
            if offer is None or offer.kind != OFFER:
                raise NotSo(f"{self._machine.name} is offered nothing")
            chosen = {REQUESTED_ADDRESS: socket.inet_aton(offer.address), SERVER_ID: offer.options[SERVER_ID]}
            reply = wire.ask(REQUEST, mac, chosen, PATIENCE)
        if reply is None or (reply.kind, reply.address) != (ACK, offer.address):
            raise NotSo(f"{self._machine.name} was offered {offer.address} and then did not get it")
        return self._take(from_options(reply.address, reply.options))

    def _take(self, lease: Lease4) -> Lease4:
        machine = self._machine
        machine.ip("-4", "addr", "flush", "dev", DEVICE)
        machine.ip("addr", "add", f"{lease.address}/{lease.prefix}", "dev", DEVICE)
        if lease.mtu is not None:
            machine.ip("link", "set", DEVICE, "mtu", str(lease.mtu))
        for destination, gateway in lease.routes:
            machine.ip("route", "replace", destination, "via", gateway, "dev", DEVICE, "onlink")
        self._lease = lease
        return lease
