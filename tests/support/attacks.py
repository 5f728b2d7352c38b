"""Strings by which the owner of one port would reach another port, if they were written as they came.

Each names its victim: by its MAC address, its address, or the tag that selects its options. The victim has an option
with a secret, so that it shows when somebody else is told it. Knows the grammar of dnsmasq's files and Neutron's wire
form of a port; uses nothing of dhcpcore.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from support.claimed_network import ClaimedNetwork, claimed_network
from support.option_values import Wire, client_id
from support.served_instance import subnet_of

#: Part of what is told to victims only.
SECRET: Final = b"/only-for-"
# What a victim would be told: nothing else in a drawn network is this address.
_BAIT: Final = "6.6.6.6"
_LINE_END: Final = " " * 1100  # dnsmasq reads at most 1024 bytes as a line


def _client_id(value: str) -> Callable[[Wire], None]:
    return lambda port: _add_option(port, "client-id", value)


def _option(name: str, value: str) -> Callable[[Wire], None]:
    return lambda port: _add_option(port, name, value)


def _host_name(name: str) -> Callable[[Wire], None]:
    def name_all(port: Wire) -> None:
        port["dns_assignment"] = [
            {"ip_address": fixed["ip_address"], "hostname": name, "fqdn": name} for fixed in port["fixed_ips"]
        ]

    return name_all


def _add_option(port: Wire, name: str, value: str) -> None:
    option = {"opt_name": name, "opt_value": value, "ip_version": 4}
    port["extra_dhcp_opts"] = [*(port.get("extra_dhcp_opts") or ()), option]


def _attacks(victim: Wire, address: str) -> list[Callable[[Wire], None]]:
    tag, mac = f"port-{victim['id']}", victim["mac_address"]
    inject = f"tag:{tag},option:router,{_BAIT}"
    return [
        _client_id(f"x,set:{tag}"),
        _client_id(f"x,{mac}"),
        _client_id(f"*,{mac}"),
        _client_id(f"x,{address}"),
        _client_id(f"x\n{mac},evil,set:port-evil"),
        _client_id(f"x{_LINE_END}{mac},ignore"),
        _host_name(f"evil,set:{tag}"),
        _host_name(f"evil,{address}"),
        _host_name(f"evil,{mac}"),
        _host_name(mac),
        _host_name(address),
        _host_name(f"evil\n{mac},ignore"),
        _host_name(f"evil{_LINE_END}{mac},ignore"),
        _option("67", f"x\n{inject}"),
        _option("67", f"x\r\n{inject}"),
        _option("67", f"x{_LINE_END}{inject}"),
        _option(f"67,x\n{inject}", "x"),
        _option(f"67,x{_LINE_END}{inject}", "x"),
        _option(f"3,{_BAIT}\noption:router", _BAIT),
        _option("67", f"x\noption:router,{_BAIT}"),
        _option(f"tag:{tag},67", "x"),
    ]


#: How many attacks there are.
COUNT: Final = len(_attacks({"id": "x", "mac_address": "x"}, "x"))


@dataclass(frozen=True, kw_only=True)
class Attack:
    """A network in which one port attacks another.

    Attributes:
        clean: the network without the attack; hostile: the request with it.
    """

    clean: ClaimedNetwork
    hostile: Wire


def attack(network: ClaimedNetwork, number: int) -> Attack | None:
    """The attack of this number, from 0, on the first port of a network by the second; None for want of ports.

    Ports with a client id of their own are left in peace: the first one counts, and two may have the same.
    """
    request = copy.deepcopy(network.request)
    clean = claimed_network(f"{network.name}, attack {number}", request)
    assert clean is not None
    served = [subnet for instance in clean.instances for subnet in instance.served4]
    candidates = [
        (port, fixed["ip_address"])
        for port in clean.instances[0].reserved_ports
        if client_id(port) is None
        for fixed in port["fixed_ips"][-1:]
        if subnet_of(fixed["ip_address"], served) is not None
    ]
    if len(candidates) < 2:
        return None
    (victim, address), (attacker, _) = candidates[:2]
    # As first option, so that one of the victim's own takes its place where there is one.
    secret = {"opt_name": "210", "opt_value": f"{SECRET.decode()}{victim['id']}/", "ip_version": 4}
    victim["extra_dhcp_opts"] = [secret, *(victim.get("extra_dhcp_opts") or ())]
    hostile = copy.deepcopy(request)
    (theirs,) = (port for port in hostile["network"]["ports"] if port["id"] == attacker["id"])
    _attacks(victim, address)[number](theirs)
    return Attack(clean=clean, hostile=hostile)
