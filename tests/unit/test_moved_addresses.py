"""An IPv6 address that goes to another port: dnsmasq refuses it to that one while the lease of the first is there."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from attrs import evolve

from dhcpcore import actions, events
from dhcpcore.errors import AdapterError
from dhcpcore.model.port import FixedIP, Port
from dhcpcore.recipes import Call, follow, recipe
from support.script import Script, network, port, subnet

DUID = "duid 00:01:00:01:aa:bb\n"
MODE = "dhcpv6-stateful"
V6 = subnet(cidr="fd00::/64", ip_version=6, gateway_ip=None, ipv6_address_mode=MODE, ipv6_ra_mode=MODE)


def of(number: int, address: str) -> Port:
    """A port with one IPv6 address."""
    return port(number, fixed_ips=(FixedIP(subnet_id=V6.id, ip_address=address),))


def lease(number: int, address: str) -> str:
    """The line that dnsmasq writes for that port's client."""
    return f"1799999999 {number} {address} * 00:03:00:01:{port(number).mac_address}\n"


class Disk:
    """The files of one instance, and a dnsmasq that does what it is told; each call can be made to fail, or to kill."""

    def __init__(self, **files: str) -> None:
        self.files = files
        self.released: list[str] = []
        self.breaks: Callable[[Call], bool] = lambda call: False

    def make(self, call: Call) -> object:
        """Carry one call out."""
        if self.breaks(call):
            raise AdapterError("it broke")
        name = str(call.arguments[0]).rpartition("/")[2]
        match call.method:
            case "read":
                return self.files.get(name)
            case "write":
                self.files[name] = call.arguments[1]
            case "remove":
                self.files.pop(name, None)
            case "release_leases":
                gone = [each.ip_address for each in call.arguments[1]]
                self.released += gone
                lines = self.files["leases"].splitlines(keepends=True)
                self.files["leases"] = "".join(line for line in lines if line.split()[2:3] not in [[a] for a in gone])
            case "start_dnsmasq":
                return 7
        return None


def moving(*, sighup: bool) -> tuple[Script, actions.ReloadInstance, Disk]:
    """A port goes and another one gets its address, in one step; a third has a lease too."""
    script = Script()
    own = script.own_port(fixed_ips=(FixedIP(subnet_id=V6.id, ip_address="fd00::2"),))
    script.server["net"] = network(subnets=(V6,), ports=(of(1, "fd00::10"), of(3, "fd00::30"), own))
    script.settle()
    (served,) = script.record().served.values()
    disk = Disk(host=served.spec.host, leases=DUID + lease(1, "fd00::10") + lease(3, "fd00::30"))
    script.tell(events.PortDeleted(port_id=port(1).id, network_id="net"), events.PortCreated(port=of(2, "fd00::10")))
    (reload,) = script.start()
    assert isinstance(reload, actions.ReloadInstance)
    return script, evolve(reload, sighup=sighup), disk


@pytest.mark.parametrize("sighup", [True, False])
def test_the_lease_of_whom_it_had_goes(sighup: bool) -> None:
    """Law: by SIGHUP or by a restart, who has the address now gets it, and nobody else loses a lease."""
    script, reload, disk = moving(sighup=sighup)
    follow(recipe(reload, script.settings), disk.make)
    assert disk.files["leases"] == DUID + lease(3, "fd00::30")
    assert disk.released == (["fd00::10"] if sighup else [])
    assert ".dirty" not in disk.files


@pytest.mark.parametrize("again", [True, False])
@pytest.mark.parametrize("sighup", [True, False])
def test_whatever_is_cut_off(sighup: bool, again: bool) -> None:
    """Law: broken off before any call, the next attempt, by SIGHUP or a restart, still knows whose lease that is."""
    made: list[Call] = []

    def record(call: Call) -> bool:
        made.append(call)
        return False

    script, reload, disk = moving(sighup=sighup)
    disk.breaks = record
    follow(recipe(reload, script.settings), disk.make)
    for broken in made:
        _, _, disk = moving(sighup=sighup)
        disk.breaks = broken.__eq__
        try:
            left = follow(recipe(reload, script.settings), disk.make)
        except AdapterError:
            left = None
        disk.breaks = lambda call: False
        if isinstance(left, events.LeasesLeft) and again:
            release = actions.ReleaseLeases(key=reload.key, spec=reload.spec, reasons=("again",))
            follow(recipe(release, script.settings), disk.make)
        else:
            follow(recipe(evolve(reload, sighup=again), script.settings), disk.make)
        assert disk.files["leases"] == DUID + lease(3, "fd00::30"), broken
        assert ".dirty" not in disk.files


@pytest.mark.parametrize("sighup", [True, False])
def test_an_address_that_came_back_keeps_its_lease(sighup: bool) -> None:
    """Law: never a lease of a live port: it went and came back before dnsmasq was told."""
    script, reload, disk = moving(sighup=sighup)
    disk.breaks = lambda call: call.method in ("stop_dnsmasq", "reload_dnsmasq")
    with pytest.raises(AdapterError):
        follow(recipe(reload, script.settings), disk.make)
    (before,) = script.record().served.values()
    disk.breaks = lambda call: False
    follow(recipe(evolve(reload, spec=before.spec), script.settings), disk.make)
    assert sorted(disk.files["leases"].splitlines()) == sorted(
        (DUID + lease(1, "fd00::10") + lease(3, "fd00::30")).splitlines()
    )
    assert not disk.released
