"""What machines are told: leases of IPv4 and IPv6, names; and strangers nothing."""

from __future__ import annotations

from typing import Any, Final

from demo.clients6 import lease6
from demo.dns import resolve, reverse
from demo.leases import Lease4
from demo.packets import offered
from demo.parts import DOMAIN
from demo.stage import Stage
from demo.steps.beginning import ADDRESSES, MTU, NTP, RESOLVERS, ROUTER, ROUTES
from demo.steps.step import Step
from demo.waiting import NotSo, Stopwatch, expect, shown

_STRANGER: Final = "02:00:00:00:be:ef"
_ADDRESSES: Final = ("10.2.0.21", "fd00:2::21")
_RESOLVER6: Final = "fd00:2::53"


def office_lease(stage: Stage, name: str, address: str, ntp: str = NTP) -> Lease4:
    """Exactly what a machine of the first network must be told."""
    return Lease4(
        address=address,
        prefix=24,
        router=(ROUTER,),
        dns=RESOLVERS,
        domain=DOMAIN,
        hostname=name,
        mtu=MTU,
        ntp=(ntp,),
        # The metadata address: here it is the router's to answer, for it has one.
        routes=(*ROUTES, ("169.254.169.254/32", ROUTER), ("0.0.0.0/0", ROUTER)),
        lease_time=86400,
        server=stage.server_address("office"),
    )


def leases(stage: Stage) -> str:
    watch = Stopwatch()
    for name in ADDRESSES:
        stage.start_client(name)
    for name, address in ADDRESSES.items():
        expect(f"the lease of {name}", stage.clients[name].lease(), office_lease(stage, name, address))
        expect(f"the address on {name}'s device", stage.machines[name].address(), address)
    return (
        f"{stage.client_name}, both within {watch}: {' and '.join(ADDRESSES.values())}, router, 3 routes, 2 resolvers, "
        f"domain, host name, MTU {MTU}, NTP server"
    )


def stranger(stage: Stage) -> str:
    bridge = stage.machines["ann"].bridge
    nothing = offered(bridge, _STRANGER, 1.0)
    expect("what a stranger is offered", nothing, None)
    watch = Stopwatch()
    mac = stage.machines["ann"].mac
    wanted = office_lease(stage, "ann", ADDRESSES["ann"])
    expect("what ann is offered on the same wire", offered(bridge, mac, 2.0), wanted)
    return f"no OFFER within 1 s; to ann on the same wire one after {watch}"


def names(stage: Stage) -> str:
    server, asking = stage.server_address("office"), stage.machines["ann"].namespace
    watch = Stopwatch()
    for name, address in ADDRESSES.items():
        expect(f"the address of {name}.{DOMAIN}", resolve(server, f"{name}.{DOMAIN}", "A", asking), [address])
        back = reverse(server, address, asking)
        if f"{name}.{DOMAIN}" not in back:
            raise NotSo(f"the names of {address} are {back}, {name}.{DOMAIN} is not among them")
    each = shown(watch.seconds / 4)
    return f"ann asks {server}: bob.{DOMAIN} is {ADDRESSES['bob']}, and back; {each} a question"


def dual_stack(stage: Stage) -> str:
    stage.network("lab")
    stage.subnet("lab", "10.2.0.0/24")
    modes: dict[str, Any] = {"ipv6_ra_mode": "dhcpv6-stateful", "ipv6_address_mode": "dhcpv6-stateful"}
    stage.subnet("lab", "fd00:2::/64", dns_nameservers=[_RESOLVER6], **modes)
    watch = Stopwatch()
    machine = stage.machine(stage.port("lab", "eve", *_ADDRESSES))
    served = str(watch)
    watch = Stopwatch()
    expect("eve's IPv4 address", stage.start_client("eve").lease().address, _ADDRESSES[0])
    six = lease6(machine, own=stage.own6)
    expect("eve's IPv6 address", six.address, _ADDRESSES[1])
    expect("eve's IPv6 resolvers", six.dns, (_RESOLVER6,))
    both = str(watch)
    server = stage.server_address("lab")
    expect("the IPv6 address of eve", resolve(server, f"eve.{DOMAIN}", "AAAA", machine.namespace), [_ADDRESSES[1]])
    clients = f"{stage.client_name} and {'our own client' if stage.own6 else 'dhclient -6'}"
    return f"served after {served}; {clients} within {both}: {' and '.join(_ADDRESSES)}, AAAA too"


STEPS: Final = (
    Step(what="Each client gets exactly its port's lease", run=leases),
    Step(what="A stranger's MAC address gets nothing", run=stranger),
    Step(what="DNS knows their names, forward and reverse", run=names),
    Step(what="Dual stack, with stateful DHCPv6", run=dual_stack),
)
