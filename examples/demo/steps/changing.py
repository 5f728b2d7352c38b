"""Changes of ports, as renewing clients see them."""

from __future__ import annotations

from typing import Final

from demo.packets import offered
from demo.stage import Stage, dnsmasq_log
from demo.steps.beginning import ADDRESSES, NTP
from demo.steps.serving import office_lease
from demo.steps.step import Step
from demo.waiting import NotSo, Stopwatch, expect, until

_NEW_ADDRESS: Final = "10.1.0.77"
_NEW_NTP: Final = "10.1.0.124"


def option(stage: Stage) -> str:
    machine, client = stage.machines["bob"], stage.clients["bob"]
    logged = len(dnsmasq_log())
    watch = Stopwatch()
    changed = {"opt_name": "ntp-server", "opt_value": _NEW_NTP}
    stage.server.update("port", machine.port["id"], extra_dhcp_opts=[changed])
    wanted = office_lease(stage, "bob", ADDRESSES["bob"], ntp=_NEW_NTP)
    until(f"bob renews and is told the time server {_NEW_NTP}", lambda: client.renew() == wanted)
    taken = str(watch)
    if not any(" read " in line for line in dnsmasq_log()[logged:].splitlines()):
        raise NotSo("dnsmasq has not logged that it read its files")
    expect("ann's lease", stage.clients["ann"].renew(), office_lease(stage, "ann", ADDRESSES["ann"]))
    return f"NTP server {NTP} becomes {_NEW_NTP} for bob, renewed {taken} after the PUT; ann keeps hers"


def address(stage: Stage) -> str:
    machine, client = stage.machines["bob"], stage.clients["bob"]
    watch = Stopwatch()
    stage.server.update("port", machine.port["id"], fixed_ips=[{"ip_address": _NEW_ADDRESS}])
    until(f"bob is offered {_NEW_ADDRESS}", lambda: offered(machine.bridge, machine.mac, 0.5) == _NEW_ADDRESS)
    answered = str(watch)
    expect("bob's lease", client.renew(), office_lease(stage, "bob", _NEW_ADDRESS, ntp=_NEW_NTP))
    expect("the address on bob's device", machine.address(), _NEW_ADDRESS)
    return f"{ADDRESSES['bob']} becomes {_NEW_ADDRESS}: offered {answered} after the PUT, bob renews and has it"


STEPS: Final = (
    Step(what="A changed option reaches a renewing client", run=option),
    Step(what="A changed address reaches a renewing client", run=address),
)
