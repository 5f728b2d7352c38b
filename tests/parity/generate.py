"""Render requests that Neutron could really send, from a seed: equal seeds give equal requests, byte for byte.

requests(seed, count, mode) yields dicts in the request form of `dhcpcore render --jsonl`, each with one key more,
"features": the sorted names of what was drawn for it, so that a run can say which share of it covered what.
Mode "valid": networks, ports and settings that Neutron's API and database let through. Mode "hostile": a valid request
with one to three things put in that no renderer should trust (see hostile.py).

    python generate.py --seed 1 --count 1000 [--mode hostile] > requests.jsonl
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import Any

import hostile
from draw import Draw
from leases import previous_leases
from ports import Port, Ports, device_id
from settings import Settings, settings
from subnets import Addresses, Subnet, subnets

Request = dict[str, Any]

# What a large enough run must reach: a name stands for itself and for every name that continues it after a slash.
FEATURES = (
    "ipv4", "ipv6", "dual-stack", "subnets/same-cidr-text", "subnets/none", "subnet/dhcp-disabled",
    "ipv6/prefix-delegation", "ipv6/combination-of-older-releases",
    "non-local-subnets", "segments/vlan", "segments/flat", "segments/several-local", "segments/asked-without",
    "dhcp-port/own", "dhcp-port/several", "dhcp-port/reserved",
    "dns-servers/none", "dns-servers/given", "dns-servers/announce-none", "dns-servers/any-and-others",
    "dns-assignment/given", "dns-assignment/absent", "dns-assignment/named", "dns-assignment/fqdn-as-name",
    "host-routes/few", "host-routes/many", "host-routes/default", "host-routes/default-without-gateway",
    "host-routes/on-link", "host-routes/to-another-subnet", "host-routes/ipv6",
    "gateway/none", "gateway/first", "gateway/last", "gateway/outside",
    "metadata/isolated", "metadata/forced", "metadata/network-type", "subnets/metadata-network",
    "metadata/rate-limit", "metadata/haproxy-timeouts", "ovn-metadata-port",
    "router-port/router_interface", "router-port/ha_router_replicated_interface",
    "router-port/router_interface_distributed", "router-port/not-on-gateway",
    "device-owner/compute:nova", "device-owner/empty", "device-owner/null", "device-owner/network:floatingip",
    "device-owner/network:router_gateway", "device-owner/network:router_ha_interface",
    "device-owner/network:distributed",
    "option/name/ipv4", "option/number/ipv4", "option/tag/ipv4", "option/name/ipv6", "option/number/ipv6",
    "option/tag/ipv6", "option/client-id/client-id", "option/client-id/61", "option/blank-value",
    "settings/all-defaults", "settings/dnsmasq_enable_addr6_list", "port/several-addresses-of-a-subnet/stateful",
    "port/without-fixed-ips", "port/address-of-an-unlisted-subnet", "port/admin-down",
    "mtu/set", "mtu/absent", "mtu/zero", "settings/dhcp_renewal_time", "settings/dhcp_rebinding_time",
    "settings/dhcp_broadcast_reply", "settings/dhcp_lease_duration-infinite",
    "settings/dhcp_lease_duration-finite", "settings/dnsmasq_lease_max", "settings/dnsmasq_txt_record",
    "settings/dnsmasq_base_log_dir", "settings/dnsmasq_local_resolv", "settings/dnsmasq_dns_servers",
    "settings/dns_domain-set", "settings/dns_domain-empty", "settings/state_path", "settings/dhcp_confs",
    "unbridged", "host-tags-unsupported", "previous-leases/ipv6", "previous-leases/duid", "previous-leases/empty",
    "interface-addresses/none", "interface-addresses/of-gateways",
    "wire/ids-not-uuids", "wire/unknown-fields", "wire/sparse-subnet", "wire/null-optional-keys", "wire/full-port",
)  # fmt: skip


def requests(seed: int, count: int, mode: str = "valid") -> Iterator[Request]:
    """`count` requests of `mode` "valid" or "hostile" from `seed`. Raises ValueError for another mode."""
    if mode not in ("valid", "hostile"):
        raise ValueError(f"mode must be valid or hostile, not {mode!r}")
    draw = Draw(seed)
    for _ in range(count):
        draw.features.clear()
        request = _request(draw)
        if mode == "hostile":
            hostile.spoil(draw, request)
        request["features"] = sorted(draw.features)
        yield request


def _request(draw: Draw) -> Request:
    agent = settings(draw)
    network_id = draw.uuid()
    addresses = Addresses(draw)
    every = subnets(draw, network_id, addresses)
    local, remote, segments, segment = _segments(draw, network_id, every)
    known = local + remote
    domain = agent.get("dns_domain", "openstacklocal")
    drawn_ports = Ports(draw, network_id, local, known, addresses, domain, agent["host"]).all(
        segment["segmentation_id"] if segment else None
    )
    network: dict[str, Any] = {
        "id": network_id,
        "project_id": "p",
        "admin_state_up": True,
        "subnets": local,
        "non_local_subnets": remote,
        "ports": drawn_ports,
    }
    if segments:
        network["segments"] = segments
    _network_details(draw, network)
    request: Request = {"network": network, "settings": agent}
    request.update(_device(draw, agent, network, segment))
    _instance(draw, request, segment, known, drawn_ports)
    if draw.chance(0.02, "wire/ids-not-uuids"):
        request = _plain_ids(request, known, drawn_ports)
    _families(draw, known)
    return request


def _segments(
    draw: Draw, network_id: str, every: list[Subnet]
) -> tuple[list[Subnet], list[Subnet], list[dict[str, Any]], dict[str, Any] | None]:
    """Split the subnets of a routed network into local and non-local ones; the segment that is asked for."""
    if not every or not draw.chance(0.15):
        return every, [], [], None
    segments = [_segment(draw, network_id, index) for index in range(draw.number(1, 3))]
    for subnet in every:
        subnet["segment_id"] = draw.one(segments)["id"]
    several = len(segments) > 1 and draw.chance(0.35)
    local_ids = {segment["id"] for segment in (segments[:2] if several else segments[:1])}
    local = [subnet for subnet in every if subnet["segment_id"] in local_ids]
    remote = [subnet for subnet in every if subnet["segment_id"] not in local_ids]
    if remote:
        draw.note("non-local-subnets")
    if several and len({subnet["segment_id"] for subnet in local}) > 1:
        draw.note("segments/several-local")
    if draw.chance(0.05, "segments/asked-without"):
        return local, remote, segments if draw.chance(0.5) else [], None
    asked = draw.one([segment for segment in segments if segment["id"] in local_ids])
    draw.note("segments/" + asked["network_type"])
    return local, remote, segments, asked


def _segment(draw: Draw, network_id: str, index: int) -> dict[str, Any]:
    kind = draw.one(("vlan", "vlan", "vxlan", "flat"))
    return {
        "id": draw.uuid(),
        "network_id": network_id,
        "name": None,
        "network_type": kind,
        "physical_network": None if kind == "vxlan" else f"physnet{index}",
        "segmentation_id": None if kind == "flat" else draw.number(1, 4094),
        "is_dynamic": False,
        "segment_index": index,
        "hosts": ["host-1"],
    }


def _network_details(draw: Draw, network: dict[str, Any]) -> None:
    mtu = draw.weighted(((88, draw.one((1280, 1400, 1450, 1500, 8950, 9000, 68))), (4, 0), (8, None)))
    draw.note("mtu/absent" if mtu is None else "mtu/set" if mtu else "mtu/zero")
    if mtu is not None:
        network["mtu"] = mtu
    if not network["non_local_subnets"] and draw.chance(0.05, "wire/no-non-local-subnets-key"):
        del network["non_local_subnets"]
    if "segments" not in network and draw.chance(0.05, "wire/null-or-empty-segments"):
        network["segments"] = draw.one((None, []))
    if draw.chance(0.06, "wire/unknown-fields"):
        network.update(tenant_id="p", unknown={"deep": [1, {"er": None}]}, **{"router:external": False})
        for thing in network["subnets"] + network["ports"]:
            thing["x-unknown"] = draw.one((None, 1, "text", ["list"], {"a": 1}))


def _device(draw: Draw, agent: Settings, network: dict[str, Any], segment: dict[str, Any] | None) -> dict[str, Any]:
    """The DHCP device: its name, and the addresses that it carries once the agent has set it up."""
    suffix = f"-{segment['segmentation_id']}" if segment and segment["segmentation_id"] else ""
    own_id = device_id(agent["host"], network["id"]) + suffix
    own = next((port for port in network["ports"] if port["device_id"] == own_id), None)
    if own is None:
        draw.note("interface-addresses/none")
        return {} if draw.chance(0.5) else {"interface_name": "tap0", "interface_addresses": []}
    prefix = "ns-" if agent.get("ovs_use_veth") else "tap"
    prefixes = {subnet["id"]: subnet["cidr"].split("/")[1] for subnet in network["subnets"]}
    found = [
        f"{fixed['ip_address']}/{prefixes[fixed['subnet_id']]}"
        for fixed in own["fixed_ips"]
        if fixed["subnet_id"] in prefixes
    ]
    if draw.chance(0.03, "interface-addresses/of-gateways"):
        found = [f"{subnet['gateway_ip']}/{prefixes[subnet['id']]}" for subnet in network["subnets"]
                 if subnet["gateway_ip"]]  # fmt: skip
    if agent.get("force_metadata") or agent.get("enable_isolated_metadata"):
        found.append("169.254.169.254/32")
        if any(subnet["ip_version"] == 6 for subnet in network["subnets"]):
            found.append("fe80::a9fe:a9fe/128")
    if draw.chance(0.8):
        found.append("fe80::f816:3eff:fe00:1/64")
    if draw.chance(0.03, "interface-addresses/stale"):
        found.insert(0, "10.111.0.2/24")
    if draw.chance(0.03, "interface-addresses/none"):
        found = []
    return {"interface_name": (prefix + own["id"])[:14], "interface_addresses": found}


def _instance(
    draw: Draw, request: Request, segment: dict[str, Any] | None, known: list[Subnet], ports: list[Port]
) -> None:
    if segment is not None or draw.chance(0.2):
        request["segment"] = segment
    if draw.chance(0.08, "unbridged"):
        request["bridged"] = False
    if draw.chance(0.08, "host-tags-unsupported"):
        request["host_tag_support"] = False
    if draw.chance(0.02, "metadata/ipv6-disabled-in-the-kernel"):
        request["ipv6_enabled"] = False
    if draw.chance(0.03, "metadata/dad-failed"):
        request["metadata_dad_failed"] = True
    if draw.chance(0.4):
        request["previous_leases"] = previous_leases(draw, known, ports)
    elif draw.chance(0.2):
        request["previous_leases"] = None


def _plain_ids(request: Request, known: list[Subnet], ports: list[Port]) -> Request:
    """The same request with short names for ids, such as Neutron's own tests use."""
    text = json.dumps(request)
    names = [(subnet["id"], f"subnet_{index}") for index, subnet in enumerate(known)]
    names += [(port["id"], f"port-{index}") for index, port in enumerate(ports)]
    names.append((request["network"]["id"], "net.a"))
    device = request.get("interface_name", "")
    for old, new in names:
        text = text.replace(old, new)
        if device in (f"tap{old}"[:14], f"ns-{old}"[:14]):
            text = text.replace(f'"{device}"', f'"{device[:3]}{new}"')
    renamed: Request = json.loads(text)
    return renamed


def _families(draw: Draw, known: list[Subnet]) -> None:
    families = {subnet["ip_version"] for subnet in known}
    if not known:
        draw.note("subnets/none")
    elif families == {4, 6}:
        draw.note("dual-stack")


def main() -> int:
    parser = argparse.ArgumentParser(description="Print render requests, one JSON object a line.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--mode", choices=("valid", "hostile"), default="valid")
    options = parser.parse_args()
    for request in requests(options.seed, options.count, options.mode):
        sys.stdout.write(json.dumps(request) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
