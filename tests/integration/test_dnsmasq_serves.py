"""A real dnsmasq on our files and command lines serves every port of a network, and nobody else.

Networks come from the generator of the parity tests; what their clients must be told is worked out from the network by
`support.expected4` and `support.expected6`, which have never seen a rendered file.
DHCPCORE_DNSMASQ_SERVES: how many networks (200); DHCPCORE_DNSMASQ_SEED: which ones (any number).
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from dhcpcore.errors import PayloadError
from dhcpcore.model.settings import Settings
from dhcpcore.model.spec import InstanceSpec
from dhcpcore.render.instance import render_instance
from dhcpcore.render.leases import render_initial_leases
from dhcpcore.render.views import instance_views, serves_dhcp
from dhcpcore.wire import parse_network
from draw import Draw
from generate import requests
from hostile import SPOILERS
from support import namespace as namespaces
from support.attacks import COUNT as ATTACKS
from support.attacks import SECRET, attack
from support.claimed_network import ClaimedNetwork, claimed_network
from support.dnsmasq_oracle import dnsmasq_version
from support.namespace import Namespace
from support.option_values import Wire
from support.questioner import Questioner
from support.running_dnsmasq import plug, relocated, start
from support.served_instance import ServedInstance

COUNT: Final = int(os.environ.get("DHCPCORE_DNSMASQ_SERVES", "200"))
# Parts of the test, for as many processes as there may be.
SHARDS: Final = 8
_SEED: Final = 1000 * int(os.environ.get("DHCPCORE_DNSMASQ_SEED", "20"))

#: Kinds of hostile things that a tenant can do to a port.
_TENANTS: Final = ("host-name", "option-name", "option-value", "option-value-null", "client-id")


@pytest.fixture(scope="module")
def namespace() -> Iterator[Namespace]:
    reason = "there is no dnsmasq here: apt-get install dnsmasq-base" if dnsmasq_version() is None else None
    if reason := reason or namespaces.missing():
        pytest.skip(reason)
    with Namespace() as entered:
        yield entered


@cache
def networks(shard: int) -> tuple[ClaimedNetwork, ...]:
    """One part of the networks: the first of the generator's that can be served."""
    wanted = COUNT // SHARDS + (shard < COUNT % SHARDS)
    found: list[ClaimedNetwork] = []
    for index, request in enumerate(requests(_SEED + shard, 3 * wanted + 20)):
        if len(found) == wanted:
            break
        network = claimed_network(f"seed {_SEED + shard}, request {index}", request)
        if network is not None:
            found.append(network)
    assert len(found) == wanted, "the generator draws too few networks that can be served"
    return tuple(found)


@pytest.mark.parametrize("shard", range(SHARDS))
def test_every_port_gets_its_own_address_and_options_and_no_others(
    namespace: Namespace, shard: int, tmp_path: Path
) -> None:
    """Law: for every network that Neutron can send, a dnsmasq started with our command line and files offers each port
    exactly its own address in each subnet it has one in, with the router, DNS servers, routes, MTU, domain, name and
    times that its network says, its own extra options with their values, and no other option; it answers DHCPv6 by the
    same rule; and it has no address for anybody else.
    """
    complaints = [
        complaint for network in networks(shard) for complaint in _served(namespace, tmp_path, network, network.request)
    ]
    assert not complaints, f"{len(complaints)} wrong answers:\n" + "\n".join(complaints[:20])


@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_hostile_port_changes_nothing_for_another(namespace: Namespace, shard: int, tmp_path: Path) -> None:
    """Law: whatever strings tenants put into the names, options and client ids of their ports, every other port is told
    exactly what it would be told without; those themselves are offered no address but their own; dnsmasq lives.
    """
    complaints: list[str] = []
    draw = Draw(_SEED + shard)
    attacked = 0
    for network in networks(shard):
        hostile = copy.deepcopy(network.request)
        for _, spoil in draw.some([spoiler for spoiler in SPOILERS if spoiler[0] in _TENANTS], 1, 3):
            spoil(draw, hostile)
        try:
            parse_network(hostile["network"])
        except PayloadError:
            continue
        attacked += 1
        complaints += _served(namespace, tmp_path, network, hostile)
    assert not complaints, f"{len(complaints)} wrong answers:\n" + "\n".join(complaints[:20])
    assert attacked >= len(networks(shard)) // 2


@pytest.mark.parametrize("shard", range(SHARDS))
def test_no_string_of_one_port_reaches_another(namespace: Namespace, shard: int, tmp_path: Path) -> None:
    """Law: no client id, name or option of a port, though it names another port's MAC address, address or tag, or
    begins a line for it, changes what that port is told, or brings its options or address to the one who wrote it.
    """
    complaints: list[str] = []
    for number, network in enumerate(networks(shard)):
        found = attack(network, (shard + SHARDS * number) % ATTACKS)
        if found is not None:
            complaints += _served(namespace, tmp_path, found.clean, found.hostile)
    assert not complaints, f"{len(complaints)} wrong answers:\n" + "\n".join(complaints[:20])


@pytest.mark.skipif(COUNT < 200, reason="so few networks as DHCPCORE_DNSMASQ_SERVES asks for need not have them all")
def test_the_networks_that_are_served_have_every_feature() -> None:
    """Law: every feature that changes what a client is told is among the networks that are served."""
    served = [network for shard in range(SHARDS) for network in networks(shard)]
    drawn = {feature for network in served for feature in network.request["features"]}
    wanted = {
        "ipv4", "ipv6", "dual-stack", "option/tag/ipv4", "option/tag/ipv6", "option/number/ipv4", "option/name/ipv6",
        "option/client-id/client-id", "option/client-id/61", "option/blank-value", "host-routes/few", "gateway/none",
        "host-routes/default", "host-routes/on-link", "settings/dnsmasq_enable_addr6_list", "non-local-subnets",
        "port/several-addresses-of-a-subnet/stateful", "settings/dhcp_lease_duration-infinite", "segments/vlan",
        "settings/dhcp_lease_duration-finite", "settings/dhcp_renewal_time", "settings/dhcp_rebinding_time",
        "dns-servers/announce-none/ipv4", "dns-servers/announce-none/ipv6", "dns-servers/none/ipv4", "mtu/set",
        "dhcp-port/several", "metadata/isolated", "metadata/forced", "dns-assignment/named", "ovn-metadata-port",
        "settings/dhcp_broadcast_reply", "settings/dns_domain-empty", "unbridged",
    }  # fmt: skip
    assert sorted(wanted - drawn) == []


def _served(namespace: Namespace, folder: Path, network: ClaimedNetwork, request: Wire) -> list[str]:
    """What was answered otherwise than `network` says, while `request` is served; it differs in some ports at most."""
    clean = {port["id"]: port for port in network.request["network"]["ports"]}
    changed = frozenset(port["id"] for port in request["network"]["ports"] if port != clean[port["id"]])
    complaints: list[str] = []
    for instance in network.instances:
        try:
            told = _wrong_answers(namespace, folder, request, instance, changed)
        except Exception as error:
            error.add_note(f"serving {network.name}, changed ports: {sorted(changed)}")
            raise
        complaints += [f"{network.name}: {complaint}" for complaint in told]
    return complaints


def _wrong_answers(
    namespace: Namespace, folder: Path, request: Wire, instance: ServedInstance, unknown: frozenset[str]
) -> list[str]:
    """One instance, served by a dnsmasq of its own and asked everything."""
    settings = Settings.from_mapping(relocated(request["settings"], folder))
    spec = _spec(request, instance, settings)
    # Below 1280 bytes there is no IPv6, and hardly DHCP. The MTU announced is the network's in any case.
    mtu = max(spec.device.mtu or 1500, 1280)
    namespace.renew()
    plug(namespace, spec.device.name, spec.device.mac_address, mtu, spec.device.addresses)
    assert spec.view is not None
    leases, _ = render_initial_leases(spec.view, settings=settings)
    files = {"host": spec.host, "addn_hosts": spec.addn_hosts, "opts": spec.opts, "leases": leases}
    running = start(namespace, folder, spec.argv, files, directory=spec.directory)
    with running.clients(spec.device.mac_address) as clients:
        questioner = Questioner(clients, instance, largest=min(mtu, 1500), unknown=unknown, secret=SECRET)
        questioner.ask_for_everybody()
    if not running.is_alive:
        questioner.complaints.append(f"dnsmasq has died; it said {running.said()[-3:]}")
    return questioner.complaints


def _spec(request: Wire, instance: ServedInstance, settings: Settings) -> InstanceSpec:
    """The instance as we render it."""
    model = parse_network(request["network"])
    ids = {subnet["id"] for subnet in instance.subnets}
    view = next(
        view for view in instance_views(model) if serves_dhcp(view) and {subnet.id for subnet in view.subnets} == ids
    )
    port = next(port for port in model.ports if port.id == instance.own_port["id"])
    return render_instance(view, dhcp_port=port, settings=settings, bridged=request.get("bridged", True))
