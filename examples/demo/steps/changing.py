"""Changes of ports, as renewing clients see them."""

from __future__ import annotations

from typing import Any, Final

from demo.packets import offered
from demo.stage import Stage, dnsmasq_log
from demo.steps.beginning import ADDRESSES, NTP
from demo.steps.serving import office_lease
from demo.steps.step import Step
from demo.waiting import NotSo, Stopwatch, expect, until

_NEW_ADDRESS: Final = "10.1.0.77"
_NEW_NTP: Final = "10.1.0.124"
#: Seconds that one DISCOVER is given: it may come when dnsmasq reads its files.
_SOON: Final = 0.05


def _changed(stage: Stage, address: str, **members: Any) -> str:
    """Change bob's port; see that bob is offered just that, and has it when he has renewed.

    Returns:
        The time from the change to the first right offer, and from there to the renewed lease.
    """
    machine = stage.machines["bob"]
    wanted = office_lease(stage, "bob", address, ntp=_NEW_NTP)
    watch = Stopwatch()
    stage.server.update("port", machine.port["id"], **members)
    until("bob is offered what changed", lambda: offered(machine.bridge, machine.mac, _SOON) == wanted)
    taken = str(watch)
    watch = Stopwatch()
    expect("bob's lease", stage.clients["bob"].renew(), wanted)
    expect("the address on bob's device", machine.address(), address)
    return f"offered {taken} after the PUT, renewed in {watch}"


def option(stage: Stage) -> str:
    logged = len(dnsmasq_log())
    changed = {"opt_name": "ntp-server", "opt_value": _NEW_NTP}
    seen = _changed(stage, ADDRESSES["bob"], extra_dhcp_opts=[changed])
    if not any(" read " in line for line in dnsmasq_log()[logged:].splitlines()):
        raise NotSo("dnsmasq has not logged that it read its files")
    expect("ann's lease", stage.clients["ann"].renew(), office_lease(stage, "ann", ADDRESSES["ann"]))
    return f"bob's NTP server {NTP} becomes {_NEW_NTP}: {seen}; ann keeps hers"


def address(stage: Stage) -> str:
    seen = _changed(stage, _NEW_ADDRESS, fixed_ips=[{"ip_address": _NEW_ADDRESS}])
    return f"bob's {ADDRESSES['bob']} becomes {_NEW_ADDRESS}: {seen}"


STEPS: Final = (
    Step(what="A changed option reaches a renewing client", run=option),
    Step(what="A changed address reaches a renewing client", run=address),
)
